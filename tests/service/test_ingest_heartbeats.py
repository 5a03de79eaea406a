"""Heartbeats: a lot that counts nothing new still shows that it is there."""

import pytest

from bowei.domain.heartbeats import Sign
from tests.service.ingest_app import KEY, NOW, IngestWorld, ingest, results


async def _beat(world: IngestWorld, *items: object, key: str = KEY) -> list[tuple[str, str | None]]:
    answer = await world.client.post(
        "/v1/heartbeats", json={"items": list(items)}, headers={"Authorization": f"Bearer {key}"}
    )
    return results(answer)


async def _counted(world: IngestWorld, sign: Sign) -> float:
    return await world.metric(f'bowei_ingest_link_signs_total{{sign="{sign}"}}')


async def test_a_lot_and_a_whole_link_show_life() -> None:
    """Each sign is taken in and counted, whether it names a lot (by any of its names) or nobody."""
    async with ingest() as world:
        assert (
            await _beat(world, {}, {"lot_id": "1001"}, {"lot_id": "mall", "sign": "comms_lost"})
            == [("applied", None)] * 3
        )
        assert (await _counted(world, Sign.HEARTBEAT), await _counted(world, Sign.COMMS_LOST)) == (2, 1)
        heard = await world.metric('bowei_ingest_source_last_heard_timestamp_seconds{source="malls"}')
        assert heard == NOW.timestamp()


@pytest.mark.parametrize(
    ("item", "code"),
    [
        ({"lot_id": "nowhere"}, "unknown_lot"),
        ({"lot_id": "office"}, "not_your_lot"),
        ({"sent_at": "2026-03-02T01:00:31Z"}, "future_time"),
        ({"sent_at": "2026-03-02T01:00:00"}, "naive_time"),
        ({"sent_at": "soon"}, "bad_time"),
        ({"sign": "hello"}, "unknown_option"),
        ({"lot_id": ""}, "bad_id"),
        ({"free": 3}, "unknown_field"),
        (7, "wrong_type"),
    ],
)
async def test_a_sign_that_can_t_be_meant_is_named_and_not_counted(item: object, code: str) -> None:
    """A bad item has its code, and the good one beside it is taken."""
    async with ingest() as world:
        assert await _beat(world, item, {"lot_id": "mall"}) == [("rejected", code), ("applied", None)]
        assert await _counted(world, Sign.HEARTBEAT) == 1


async def test_a_clock_a_little_ahead_is_let_pass() -> None:
    """Half a minute of another clock is nobody's fault."""
    async with ingest() as world:
        assert await _beat(world, {"sent_at": "2026-03-02T01:00:30Z"}) == [("applied", None)]


async def test_who_has_no_key_shows_no_life() -> None:
    """Nobody keeps a lot alive but its source."""
    async with ingest() as world:
        answer = await world.client.post("/v1/heartbeats", json={"items": [{}]})
        assert (answer.status_code, answer.json()["code"]) == (401, "key_missing")
        assert await _counted(world, Sign.HEARTBEAT) == 0


async def test_a_clients_generator_finds_both_shapes_described() -> None:
    """The description has the batch and its lines, and every reference in it leads somewhere."""
    async with ingest() as world:
        document = (await world.client.get("/v1/openapi.json")).json()
        content = document["paths"]["/v1/heartbeats"]["post"]["requestBody"]["content"]
        named = {kind: body["schema"]["$ref"].rsplit("/", 1)[1] for kind, body in content.items()}
        assert named == {"application/json": "HeartbeatBatch", "application/x-ndjson": "HeartbeatItem"}
        text = (await world.client.get("/v1/openapi.json")).text
        missing = {
            name
            for part in text.split('"#/components/schemas/')[1:]
            if (name := part.split('"')[0]) not in document["components"]["schemas"]
        }
        assert missing == set()
