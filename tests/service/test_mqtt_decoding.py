"""Messages of a broker and the sources they speak for, taken in as from everyone."""

from datetime import timedelta
from pathlib import Path

import pytest

from bowei.domain.lots import SourceId
from bowei.records.failures import StoreAway
from services.ingest.fieldmaps.field_map import FieldMap
from services.ingest.intake import Intake
from services.ingest.lorawan.feed import SensorGroup
from services.ingest.lorawan.sensing import Sensing
from services.ingest.mqtt.connecting import LARGEST_MESSAGE
from services.ingest.mqtt.decoding import MappedDecoding, NativeDecoding, Said, UplinkDecoding
from services.ingest.mqtt.feed import MqttFeed
from services.ingest.receiving import Receiving
from services.ingest.sources import Sources
from tests.service.ingest_app import EMPORIUM, MALL, NOW, OFFICE, PLATE_KEYS, IngestWorld, ingest

FEED = MqttFeed(
    source="malls", sources=["office", "nobody", "liar"], way="mqtt", host="localhost", topics=["parking/#"]
)
FREE_5 = b'{"free":5,"observed_at":"2026-03-02T00:59:57Z"}'


def parts(world: IngestWorld) -> tuple[Intake, Sources]:
    """Give what decoders hand readings to."""
    receiving = Receiving(world.journal, world.live, world.clock, world.measures, copy_again=world.copying.copy_again)
    sources = Sources(world.register, monotonic=lambda: world.monotonic_s)
    return Intake(receiving, sources, world.clock, world.measures, PLATE_KEYS), sources


async def test_each_message_is_taken_for_the_source_in_its_topic() -> None:
    """Of several sources in one batch each reports for its own lots."""
    async with ingest() as world:
        decoding = NativeDecoding(FEED, parts(world)[0], world.clock)
        results = await decoding.take(
            [
                Said("parking/malls/1001/state", FREE_5, waited=True),
                Said("parking/office/office/state", FREE_5, waited=True),
                Said("parking/malls/emporium/state", b'{"free":6}'),
                Said("parking/malls/emporium/state", b""),
            ]
        )
        assert results == ["taken"] * 4
        for lot_id, free, at in ((MALL, 5, -3), (OFFICE, 5, -3), (EMPORIUM, 6, 0)):
            seen = await world.seen(lot_id)
            assert seen is not None
            assert (seen.free, seen.observed_at) == (free, NOW + timedelta(seconds=at))


@pytest.mark.parametrize(
    ("topic", "payload", "code"),
    [
        ("parking/brain/330106/state", FREE_5, "not_allowed"),
        ("parking/malls/office/state", FREE_5, "not_your_lot"),
        ("parking/malls/nowhere/state", FREE_5, "unknown_lot"),
        ("parking/nobody/1001/state", FREE_5, "unknown_source"),
        ("parking/liar/1001/state", FREE_5, "not_allowed"),
        ("parking/malls/1001/cmd", FREE_5, "bad_value"),
        ("elsewhere", FREE_5, "bad_value"),
        ("parking/malls/1001/state", b'{"free":5}', "waited_without_time"),
        ("parking/malls/1001/state", b'{"free":' + b" " * LARGEST_MESSAGE + b"5}", "body_too_large"),
        ("parking/malls/1001/state", b'{"free":5,"observed_at":"2026-03-02T02:00:00Z"}', "future_time"),
    ],
)
async def test_what_is_not_this_feed_s_to_say_is_refused_and_counted(topic: str, payload: bytes, code: str) -> None:
    """A broker's account that may publish everywhere still speaks only for its sources and their lots."""
    async with ingest() as world:
        before = world.everything_kept()
        decoding = NativeDecoding(FEED, parts(world)[0], world.clock)
        good = Said("parking/malls/emporium/state", FREE_5, waited=True)
        assert await decoding.take([Said(topic, payload, waited=True)]) == ["refused"]
        assert world.everything_kept() == before
        assert await world.metric(f'bowei_ingest_doubts_total{{code="{code}",way="mqtt"}}') == 1
        assert await decoding.take([Said(topic, payload, waited=True), good]) == ["refused", "taken"]


async def test_a_quarantined_count_is_taken_and_not_believed() -> None:
    """What was said is kept; it is not the broker's to send again."""
    async with ingest() as world:
        decoding = NativeDecoding(FEED, parts(world)[0], world.clock)
        payload = b'{"free":52,"observed_at":"2026-03-02T00:59:57Z"}'
        assert await decoding.take([Said("parking/malls/emporium/state", payload)]) == ["taken"]
        assert await world.seen(EMPORIUM) is None
        assert len(world.records.observations) == 1


async def test_with_the_record_away_nothing_is_taken() -> None:
    """The listener hears of it, and acknowledges nothing."""
    async with ingest() as world:
        decoding = NativeDecoding(FEED, parts(world)[0], world.clock)
        world.journal.failing = StoreAway()
        with pytest.raises(StoreAway):
            await decoding.take([Said("parking/malls/1001/state", FREE_5)])


def mapped(world: IngestWorld, map_name: str, folder: Path, **more: object) -> MappedDecoding:
    """Give a decoder by a field map, for the malls."""
    said = {"source": "malls", "way": "mqtt", "host": "localhost", "topics": ["#"], "decoder": "map"}
    feed = MqttFeed.model_validate(said | {"map": map_name} | more)
    return MappedDecoding(feed, FieldMap.named(map_name, folder), parts(world)[0], world.clock)


async def test_a_vendor_s_messages_are_read_by_a_map(tmp_path: Path) -> None:
    """Chinese car parks over MQTT, by the map that ships: free spaces, a sign of life, and what is neither."""
    async with ingest() as world:
        decoding = mapped(world, "parking-mqtt", tmp_path)
        counted = b'{"code":0,"parkCode":"1001","serviceId":"sync.park.space","uuid":"u","parkLeft":118,"timestamp":%s}'
        at = b'"2026-03-02 08:59:57"'
        alive = (
            b'{"code":0,"parkCode":"1001","serviceId":"sync.park.online.status","uuid":"u","dataItems":[{"mac":"a"}]}'
        )
        results = await decoding.take(
            [
                Said("sync.park", counted % at, waited=True),
                Said("sync.park.online.status", alive),
                Said("sync.park", b"{"),
                Said("sync.park", b""),
                Said("sync.park", b" " * (LARGEST_MESSAGE + 1)),
            ]
        )
        assert results == ["taken", "taken", "refused", "taken", "refused"]
        seen = await world.seen(MALL)
        assert seen is not None
        assert (seen.free, seen.observed_at) == (118, NOW - timedelta(seconds=3))


async def test_a_lot_may_stand_in_the_topic_of_a_mapped_message(tmp_path: Path) -> None:
    """And what may have waited and has no time is refused, whoever's shape it has."""
    (tmp_path / "own.yaml").write_text(
        "map: own\nabout: Ours.\nmessages: [{items: '$', counts: {free: free}}]\n", "utf-8"
    )
    async with ingest() as world:
        decoding = mapped(world, "own.yaml", tmp_path, lot_level=2)
        said = b'{"free":7}'
        assert await decoding.take([Said("x/1001/y", said)]) == ["taken"]
        seen = await world.seen(MALL)
        assert seen is not None
        assert seen.free == 7
        assert await decoding.take([Said("x/emporium/y", said, waited=True), Said("x", said)]) == ["refused"] * 2
        assert await world.seen(EMPORIUM) is None
        assert await world.metric('bowei_ingest_doubts_total{code="waited_without_time",way="mqtt"}') == 1


async def test_uplinks_over_a_broker_are_noted_as_by_webhook() -> None:
    """The same sensors and the same counts; what is no uplink never stops the others."""
    async with ingest() as world:
        intake, sources = parts(world)
        feed = MqttFeed(
            source="malls",
            way="mqtt",
            host="localhost",
            topics=["v3/+/devices/+/up"],
            decoder="lorawan",
            sensors=[SensorGroup(lot="1001", codec="nwave_nps405", prefix="nps-")],
        )
        sensing = Sensing(SourceId("malls"), feed, world.spaces, intake, sources)
        uplink = (
            b'{"end_device_ids":{"device_id":"nps-1"},"received_at":"2026-03-02T00:59:57Z",'
            b'"uplink_message":{"f_port":1,"f_cnt":4,"frm_payload":"AA=="}}'
        )
        results = await UplinkDecoding(sensing).take(
            [
                Said("v3/app/devices/nps-1/up", uplink),
                Said("v3/app/devices/x/up", uplink.replace(b"nps-1", b"x")),
                Said("v3/app/devices/nps-1/up", b"{"),
                Said("v3/app/devices/nps-1/up", uplink + b" " * LARGEST_MESSAGE),
            ]
        )
        assert results == ["taken", "refused", "refused", "refused"]
        seen = await world.seen(MALL)
        assert seen is not None
        assert seen.free == 1
