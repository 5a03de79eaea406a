"""Uplinks of sensors by webhook: who may post them, what a lot's count is by them, and what is not counted."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from httpx2 import Response

from bowei.domain.dirt import Dirt
from bowei.domain.lots import SourceId
from bowei.domain.observations import Bound, LotState
from bowei.observability.environment import Environment
from bowei.records.failures import StoreAway
from bowei.records.registering import Source, SourceKind
from services.ingest.feeds_file import read_feeds_file
from tests.service.ingest_app import EMPORIUM, MALL, NOW, IngestWorld, ingest

SECRET = "a-secret-that-only-the-network-knows"
FEEDS = """feeds:
  - source: sensors
    way: lorawan
    secret_env: SENSORS_SECRET
    silent_after_s: 3600
    sensors:
      - {lot: mall-a, codec: bosch_tpl110, devices: [tpl-1, tpl-2, tpl-3]}
      - {lot: shop, codec: nwave_nps405, prefix: nps-}
      - {lot: gone, codec: nwave_nps405, prefix: gone-}
  - source: other
    way: lorawan
    secret_env: OTHER_SECRET
    header: X-Downlink-Apikey
    sensors: [{lot: mall-a, codec: decoded, occupied_at: parkState, devices: [d-1]}]
"""


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[IngestWorld]:
    """Ingest, with three sensors in the mall and any number in the emporium."""
    (tmp_path / "feeds.yaml").write_text(FEEDS, "utf-8")
    environment = Environment({"SENSORS_SECRET": SECRET, "OTHER_SECRET": "another-secret"})
    async with ingest(feeds=read_feeds_file(tmp_path / "feeds.yaml", environment)) as world:
        lots = (("mall-a", MALL), ("shop", EMPORIUM))
        sensors = [Source(SourceId(name), SourceKind.FEED, lots=lots) for name in ("sensors", "other")]
        await world.register.put_sources(sensors)
        world.monotonic_s += 60
        yield world


async def post(
    world: IngestWorld,
    device: str,
    payload: str = "AQ==",
    *,
    port: int = 1,
    f_cnt: int = 1,
    after_s: float = 0,
    source: str = "sensors",
    headers: dict[str, str] | None = None,
) -> Response:
    """Post an uplink as The Things Stack does."""
    uplink = {
        "end_device_ids": {"device_id": device},
        "received_at": (NOW + timedelta(seconds=after_s)).isoformat(),
        "uplink_message": {
            "f_port": port,
            "f_cnt": f_cnt,
            "frm_payload": payload,
            "decoded_payload": {"parkState": 1},
        },
    }
    authorized = {"Authorization": f"Bearer {SECRET}"} if headers is None else headers
    return await world.client.post(f"/v1/lorawan/{source}", json=uplink, headers=authorized)


async def result(world: IngestWorld, device: str, payload: str = "AQ==", **more: object) -> tuple[str, str | None]:
    """Post an uplink; give what became of it, and why."""
    answer = await post(world, device, payload, **more)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert said["device_id"] == device
    return said["result"], said.get("code")


async def test_a_lot_is_counted_from_its_sensors(world: IngestWorld) -> None:
    """Free is what is known to be empty; and whose sensor was never heard is neither free nor taken."""
    assert await result(world, "tpl-1", "AQ==") == ("applied", None)
    assert await result(world, "tpl-2", "AA==", after_s=1) == ("applied", None)
    seen = await world.seen(MALL)
    assert seen is not None
    assert (seen.free, seen.observed_at) == (1, NOW + timedelta(seconds=1))
    said = world.records.observations[-1][0].observation
    assert (said.method, said.bound, said.dirt) == ("space_sensor", Bound.AT_LEAST, frozenset({Dirt.GAP}))

    assert await result(world, "tpl-3", "AA==", after_s=2) == ("applied", None)
    said = world.records.observations[-1][0].observation
    assert (said.free, said.bound, said.dirt) == (2, Bound.EXACT, frozenset())


async def test_a_repeat_changes_nothing_and_a_sensor_that_joined_again_is_heard(world: IngestWorld) -> None:
    """The network may post twice; and counts begin anew after a join."""
    assert await result(world, "nps-1", "AQ==", f_cnt=900) == ("applied", None)
    kept = world.everything_kept()
    assert await result(world, "nps-1", "AQ==", f_cnt=900) == ("duplicate", None)
    assert world.everything_kept() == kept
    assert await result(world, "nps-1", "AA==", f_cnt=899, after_s=-5) == ("stale", None)
    assert await result(world, "nps-1", "AA==", f_cnt=0, after_s=5) == ("applied", None)
    seen = await world.seen(EMPORIUM)
    assert seen is not None
    assert seen.free == 1


async def test_a_sensor_that_starts_does_not_know_its_space(world: IngestWorld) -> None:
    """With nothing known there is no count: unknown is neither 0 nor full."""
    assert await result(world, "tpl-1", "", port=3) == ("applied", None)
    seen = await world.seen(MALL)
    assert seen is not None
    assert (seen.free, seen.state) == (None, LotState.UNKNOWN)


async def test_sensors_that_fell_silent_are_not_counted(world: IngestWorld) -> None:
    """A space whose sensor was not heard for an hour is free to nobody."""
    for device in ("tpl-1", "tpl-2", "tpl-3"):
        await result(world, device, "AA==")
    world.step(3600)
    await result(world, "tpl-3", "AA==", f_cnt=2, after_s=3600)
    seen = await world.seen(MALL)
    assert seen is not None
    assert seen.free == 1
    assert world.records.observations[-1][0].observation.dirt == {Dirt.GAP}


async def test_a_lot_is_not_lost_because_its_sensors_speak_a_few_times_a_day(world: IngestWorld) -> None:
    """Each sensor's own silence is watched by the hour; their signs are no habit of the lot's."""
    for f_cnt in range(1, 6):
        assert await result(world, "nps-1", "AQ==", port=2, f_cnt=f_cnt, after_s=f_cnt * 600 - 600) == ("applied", None)
        await world.notes.write()
        world.step(600)
        assert await world.quality.watch_links() == {}
    (link,) = (await world.quality.city()).links
    assert (link.lot_id, link.lost_since) == (EMPORIUM, None)


@pytest.mark.parametrize(
    ("device", "more", "code"),
    [
        ("stranger", {}, "unknown_device"),
        ("gone-1", {}, "unknown_lot"),
        ("tpl-1", {"port": 9}, "unknown_option"),
        ("tpl-1", {"payload": ""}, "wrong_length"),
        ("tpl-1", {"payload": "%"}, "bad_value"),
        ("tpl-1", {"after_s": 31}, "future_time"),
    ],
)
async def test_what_can_t_be_meant_is_answered_and_not_counted(
    world: IngestWorld, device: str, more: dict[str, object], code: str
) -> None:
    """An unknown sensor is named in the answer, and no space."""
    kept = world.everything_kept()
    answer = await post(world, device, **more)  # type: ignore[arg-type]
    assert answer.status_code == 200
    assert (answer.json()["result"], answer.json()["code"]) == ("rejected", code)
    assert world.everything_kept() == kept
    assert await world.seen(MALL) is None
    assert await world.metric(f'bowei_ingest_doubts_total{{code="{code}",way="lorawan"}}') == 1


async def test_a_network_whose_clock_runs_ahead_does_not_silence_its_sensors(world: IngestWorld) -> None:
    """What lies in the future is not noted: else nothing the sensor says until then would count."""
    assert await result(world, "nps-1", "AQ==", after_s=3600) == ("rejected", "future_time")
    assert await result(world, "nps-1", "AA==", f_cnt=2) == ("applied", None)
    seen = await world.seen(EMPORIUM)
    assert seen is not None
    assert seen.free == 1


@pytest.mark.parametrize(
    ("source", "headers", "status", "code"),
    [
        ("sensors", {}, 401, "key_missing"),
        ("sensors", {"Authorization": "Bearer wrong"}, 401, "key_wrong"),
        ("sensors", {"Authorization": "Bearer "}, 401, "key_wrong"),
        ("sensors", {"Authorization": f"Bearer {SECRET * 40}"}, 401, "key_wrong"),
        ("sensors", {"X-Downlink-Apikey": SECRET}, 401, "key_missing"),
        ("other", {"X-Downlink-Apikey": SECRET}, 401, "key_wrong"),
        ("nobody", {"Authorization": f"Bearer {SECRET}"}, 404, "unknown_source"),
        ("malls", {"Authorization": f"Bearer {SECRET}"}, 404, "unknown_source"),
    ],
)
async def test_who_lacks_the_secret_is_refused(
    world: IngestWorld, source: str, headers: dict[str, str], status: int, code: str
) -> None:
    """Each network server has its own, in the header that the feeds file names."""
    answer = await post(world, "tpl-1", source=source, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert world.everything_kept()[0] == []


async def test_a_secret_may_come_in_a_header_of_its_own(world: IngestWorld) -> None:
    """And what the network server decoded may be taken."""
    answer = await post(world, "d-1", source="other", headers={"X-Downlink-Apikey": "another-secret"})
    assert answer.json() == {"result": "applied", "device_id": "d-1"}
    seen = await world.seen(MALL)
    assert seen is not None
    assert seen.free == 0


async def test_a_suspended_source_notes_no_space(world: IngestWorld) -> None:
    """What it said while it was suspended is not there afterwards."""
    lots = (("mall-a", MALL),)
    await world.register.put_sources([Source(SourceId("sensors"), SourceKind.FEED, suspended=True, lots=lots)])
    world.monotonic_s += 60
    assert await result(world, "tpl-1", "AA==") == ("rejected", "not_allowed")
    await world.register.put_sources([Source(SourceId("sensors"), SourceKind.FEED, lots=lots)])
    world.monotonic_s += 60
    assert await result(world, "tpl-2", "AQ==") == ("applied", None)
    seen = await world.seen(MALL)
    assert seen is not None
    assert seen.free is None, "none or more is nothing said"


async def test_with_the_record_away_the_network_is_told_to_post_again(world: IngestWorld) -> None:
    """The space may be noted by then; the repeat gives the lot its count all the same."""
    world.journal.failing = StoreAway()
    answer = await post(world, "tpl-1", "AA==")
    assert (answer.status_code, answer.json()["code"]) == (503, "store_away")
    world.journal.failing = None
    assert await result(world, "tpl-1", "AA==") == ("duplicate", None)
    seen = await world.seen(MALL)
    assert seen is not None
    assert seen.free == 1
    assert [one.observation.free for one, _ in world.records.observations] == [1]


async def test_more_spaces_than_the_lot_has_are_not_believed(world: IngestWorld) -> None:
    """The emporium has fifty spaces: fifty-two sensors are a mistake in the register, and said to be."""
    for number in range(51):
        assert await result(world, f"nps-{number}", "AA==") == ("applied", None)
    assert await result(world, "nps-51", "AA==") == ("quarantined", "free_above_capacity")
