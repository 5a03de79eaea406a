"""Whatever way a body comes in, it is counted while it is taken in, and refused where others have the room."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from bowei.domain.lots import SourceId
from bowei.observability.environment import Environment
from bowei.records.registering import Source, SourceKind
from bowei.records.reporting import Judged, Recorded
from services.ingest.admitting import MOST_BYTES
from services.ingest.feeds_file import read_feeds_file
from tests.service import (
    test_ingest_citybrain,
    test_ingest_datex2,
    test_ingest_parkapi,
    test_ingest_pushes,
    test_lorawan,
)
from tests.service.ingest_app import MALL, NOW, IngestWorld, ingest, observation
from tests.unit.datex2_written import VACANT, place, v3

STORM = SourceId("storm")
Answer = tuple[int, object]


async def _native(world: IngestWorld) -> Answer:
    answer = await world.observe(observation())
    return answer.status_code, answer.json().get("code")


async def _datex2(world: IngestWorld) -> Answer:
    answer = await test_ingest_datex2.publish(world, test_ingest_datex2.PUBLICATION)
    return answer.status_code, answer.json().get("code")


async def _parkapi(world: IngestWorld) -> Answer:
    answer = await test_ingest_parkapi.push(world, test_ingest_parkapi.site())
    return answer.status_code, answer.json().get("code")


async def _push(world: IngestWorld) -> Answer:
    answer = await test_ingest_pushes.post(world, test_ingest_pushes.signed(test_ingest_pushes.lots(118)))
    said = answer.json()
    return (200, None) if said["ResultCode"] == 200 else (503, said["ResultMsg"])


async def _lorawan(world: IngestWorld) -> Answer:
    answer = await test_lorawan.post(world, "tpl-1")
    return answer.status_code, answer.json().get("code")


async def _citybrain(world: IngestWorld) -> Answer:
    said = await world.upload(test_ingest_citybrain.STATE, test_ingest_citybrain.state(NOW - timedelta(seconds=3)))
    return (200, None) if said["resultCode"] == 200 else (503, "overloaded" if said["resultCode"] == 50301 else said)


@pytest.mark.parametrize("send", [_native, _datex2, _parkapi, _push, _lorawan, _citybrain])
async def test_no_way_in_takes_the_room_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, send: Callable[[IngestWorld], Awaitable[Answer]]
) -> None:
    """With all of the room taken it is told to come back; else it holds its own until it is recorded, and no longer."""
    (tmp_path / "sensors.yaml").write_text(test_lorawan.FEEDS, "utf-8")
    environment = Environment({"SENSORS_SECRET": test_lorawan.SECRET, "OTHER_SECRET": "another-secret"})
    feeds = read_feeds_file(tmp_path / "sensors.yaml", environment)
    async with ingest(citybrain=True, pushes=test_ingest_pushes.vendor(tmp_path), feeds=feeds) as world:
        await world.register.put_sources([Source(SourceId("sensors"), SourceKind.FEED, lots=(("mall-a", MALL),))])
        kept = world.everything_kept()
        with world.admission.admitted(STORM, MOST_BYTES):
            assert await send(world) == (503, "overloaded")
        assert world.everything_kept() == kept

        held: list[int] = []
        record = world.journal.record

        async def watched(judged: Sequence[Judged]) -> Sequence[Recorded]:
            held.append(world.admission.held_bytes)
            return await record(judged)

        monkeypatch.setattr(world.journal, "record", watched)
        assert await send(world) == (200, None)
        assert held
        assert all(held)
        assert world.admission.held_bytes == 0


async def test_a_publication_of_many_lots_is_recorded_a_batch_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other sources get their turn between the batches of a large one."""
    publication = v3(*(place(VACANT, lot="1001") for _ in range(1_001)))
    async with ingest() as world:
        sizes: list[int] = []
        record = world.journal.record

        async def watched(judged: Sequence[Judged]) -> Sequence[Recorded]:
            sizes.append(len(judged))
            return await record(judged)

        monkeypatch.setattr(world.journal, "record", watched)
        answer = await test_ingest_datex2.publish(world, publication)
        assert answer.status_code == 200
        assert len(answer.json()["results"]) == 1_001
        assert sizes == [500, 500, 1]
