"""Lines of JSON: a batch without a frame, so that a file or a pipe can be posted as it is."""

import json

import pytest
from httpx2 import Response

from tests.service.ingest_app import KEY, MALL, IngestWorld, ingest, observation, passage, results

LINES = "application/x-ndjson"


async def _post(world: IngestWorld, body: bytes, path: str = "/v1/observations", media_type: str = LINES) -> Response:
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": media_type}
    return await world.client.post(path, content=body, headers=headers)


def _lines(*items: object) -> bytes:
    return b"\n".join(json.dumps(item, ensure_ascii=False).encode() for item in items) + b"\n"


async def test_each_line_is_an_item_with_a_result_of_its_own() -> None:
    """A line that is no JSON, or no observation, stops none of the others; empty lines are none."""
    body = (
        _lines(observation())
        + b'\r\n{"lot_id": "mall"\n'
        + b'{"lot_id":"mall","lot_id":"office","observed_at":"2026-03-02T00:59:57Z","free":1}\n'
        + _lines(observation(lot_id="emporium", capacity=50, open=50, free=-1))
    )
    async with ingest() as world:
        answer = await _post(world, body)
        assert results(answer) == [
            ("applied", None),
            ("rejected", "malformed_json"),
            ("rejected", "malformed_json"),
            ("rejected", "out_of_range"),
        ]
        seen = await world.seen(MALL)
        assert seen is not None
        assert seen.free == 118


@pytest.mark.parametrize("media_type", [LINES, "application/x-ndjson; charset=utf-8", "Application/X-NDJSON"])
async def test_passages_come_in_lines_too(media_type: str) -> None:
    """Whatever is posted as a batch can be posted as lines."""
    async with ingest() as world:
        body = _lines(passage(), passage(passage_id="p-2"))
        assert results(await _post(world, body, "/v1/passages", media_type)) == [("applied", None)] * 2


@pytest.mark.parametrize("body", [b"", b"\n \n", _lines(*[observation(seq=number) for number in range(501)])])
async def test_no_line_or_too_many_are_refused_whole(body: bytes) -> None:
    """Nothing of it is kept."""
    async with ingest() as world:
        before = world.everything_kept()
        answer = await _post(world, body)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
        assert world.everything_kept() == before


async def test_lines_are_not_taken_for_a_batch_nor_a_batch_for_lines() -> None:
    """The content type says which; a sender that mixes them up is told, and nothing is half taken."""
    two = _lines(observation(), observation(lot_id="emporium", capacity=50, open=50, free=9))
    async with ingest() as world:
        as_batch = await _post(world, two, media_type="application/json")
        assert (as_batch.status_code, as_batch.json()["code"]) == (400, "malformed_json")
        as_lines = await _post(world, json.dumps({"items": [observation()]}).encode())
        assert results(as_lines) == [("rejected", "unknown_field")]
        assert await world.seen(MALL) is None
