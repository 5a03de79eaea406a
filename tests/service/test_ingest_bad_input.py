"""Everything wrong that a lot may send: each with its stable code, and changing nothing."""

import json
from dataclasses import replace

import pytest
from httpx2 import Response

from bowei.domain.dirt import Dirt
from bowei.domain.field_kinds import FIELD_KINDS
from bowei.domain.problems import KINDS
from tests.service.ingest_app import KEY, MALL, IngestWorld, ingest, observation, passage, results

_JSON = {"Content-Type": "application/json"}
_AUTHORIZED = {"Authorization": f"Bearer {KEY}"}


def one(**changes: object) -> bytes:
    """Write a batch of one observation."""
    return json.dumps({"items": [observation(**changes)]}).encode()


def raw(members: str) -> bytes:
    """Write a batch of one observation with members that no JSON library would write."""
    return b'{"items":[{"lot_id":"mall","observed_at":"2026-03-02T00:59:57Z",' + members.encode() + b"}]}"


BAD_ITEMS = [
    pytest.param(one(lot_id="nowhere"), "unknown_lot", "lot_id", id="a lot that nobody registered"),
    pytest.param(one(lot_id="office"), "not_your_lot", "lot_id", id="another's lot"),
    pytest.param(one(lot_id=""), "bad_id", "lot_id", id="an empty id"),
    pytest.param(one(lot_id="mall\n"), "bad_id", "lot_id", id="a line break after the id"),
    pytest.param(one(lot_id="../mall"), "bad_id", "lot_id", id="a path as id"),
    pytest.param(one(lot_id="mall\u202e"), "bad_id", "lot_id", id="a right-to-left mark in the id"),
    pytest.param(one(lot_id="m" * 65), "bad_id", "lot_id", id="an id of 65"),
    pytest.param(one(lot_id="m" * 200_000), "bad_id", "lot_id", id="an id of 200,000"),
    pytest.param(one(lot_id=7), "wrong_type", "lot_id", id="a number as id"),
    pytest.param(one(lot_id=None), "missing_field", "lot_id", id="no lot"),
    pytest.param(one(observed_at=None), "missing_field", "observed_at", id="no time"),
    pytest.param(one(observed_at="2026-03-02T00:59:57"), "naive_time", "observed_at", id="a time without an offset"),
    pytest.param(one(observed_at="2026-03-02T01:00:31Z"), "future_time", None, id="31 s ahead"),
    pytest.param(one(observed_at="9999-12-31T23:59:59-14:00"), "future_time", "observed_at", id="the end of time"),
    pytest.param(one(observed_at="0001-01-01T00:00:00+14:00"), "out_of_range", "observed_at", id="before time"),
    pytest.param(one(observed_at="1970-01-01T00:00:00Z"), "out_of_range", "observed_at", id="a clock that was reset"),
    pytest.param(one(observed_at="2026-02-30T00:00:00Z"), "bad_time", "observed_at", id="the 30th of February"),
    pytest.param(one(observed_at="2026-03-02"), "bad_time", "observed_at", id="a day"),
    pytest.param(one(observed_at="yesterday"), "bad_time", "observed_at", id="words"),
    pytest.param(one(observed_at=1772412000), "bad_time", "observed_at", id="a number as time"),
    pytest.param(one(free=-1), "out_of_range", "free", id="-1 free"),
    pytest.param(one(free=-9, capacity=None), "out_of_range", "free", id="-9 free"),
    pytest.param(one(free=100_001), "out_of_range", "free", id="100,001 free"),
    pytest.param(one(free=2**63), "out_of_range", "free", id="2^63 free"),
    pytest.param(raw('"free":1' + "0" * 400), "out_of_range", "free", id="10^400 free"),
    pytest.param(raw('"free":1e400'), "out_of_range", "free", id="1e400 free"),
    pytest.param(one(free="7"), "wrong_type", "free", id="a count as text"),
    pytest.param(one(free="开放中"), "wrong_type", "free", id="open, in words"),
    pytest.param(one(free=True), "wrong_type", "free", id="true free"),
    pytest.param(one(free=7.5), "wrong_type", "free", id="half a space"),
    pytest.param(raw('"free":null'), "wrong_type", "free", id="null free"),
    pytest.param(one(free=[7]), "wrong_type", "free", id="a list of counts"),
    pytest.param(one(free=None), "missing_field", "free", id="neither count nor state"),
    pytest.param(one(capacity=-300), "out_of_range", "capacity", id="negative capacity"),
    pytest.param(one(open=-1), "out_of_range", "open", id="negative open"),
    pytest.param(one(seq=-1), "out_of_range", "seq", id="negative seq"),
    pytest.param(one(seq=2**63), "out_of_range", "seq", id="a seq that no column holds"),
    pytest.param(one(queue_vehicles=-2), "out_of_range", "queue_vehicles", id="a negative queue"),
    pytest.param(one(state="party"), "unknown_option", "state", id="a state that there is not"),
    pytest.param(one(method="guessing"), "unknown_option", "method", id="a method that there is not"),
    pytest.param(one(free_by_class={"royal": 1}), "unknown_option", "free_by_class", id="a class that there is not"),
    pytest.param(one(free_by_class={"ev": -1}), "out_of_range", "free_by_class", id="a negative class"),
    pytest.param(one(free_by_class=3), "wrong_type", "free_by_class", id="classes as a number"),
    pytest.param(one(held=0), "unknown_field", "held", id="a field that is not the lot's to set"),
    pytest.param(one(fre=3), "unknown_field", "fre", id="a field misspelt"),
    pytest.param(one(source_id="office"), "unknown_field", "source_id", id="another's name"),
    pytest.param(one(**{"</script>": 1}), "unknown_field", None, id="a field that must not be repeated"),
    pytest.param(b'{"items":[null]}', "wrong_type", None, id="null as item"),
    pytest.param(b'{"items":[[]]}', "wrong_type", None, id="a list as item"),
]


@pytest.mark.parametrize(("body", "code", "field"), BAD_ITEMS)
async def test_a_bad_observation_is_rejected_with_its_code_and_changes_nothing(
    body: bytes, code: str, field: str | None
) -> None:
    """Proves that one item's fault is named, that the answer does not repeat it, and that all else stays as it was."""
    async with ingest() as world:
        await world.observe(observation(free=118))
        before, shown = world.everything_kept(), await world.seen()

        answer = await _post(world, body)

        assert results(answer) == [("rejected", code)]
        assert answer.json()["results"][0].get("field") == field
        assert code in FIELD_KINDS or code in KINDS
        assert len(answer.content) < 300, "nothing long is repeated"
        assert world.everything_kept() == before
        assert await world.seen() == shown


QUARANTINED = [
    pytest.param(one(free=304), "free_above_capacity", id="more free than capacity"),
    pytest.param(one(capacity=0, open=None, free=1), "capacity_zero", id="1 free of 0"),
    pytest.param(one(capacity=None, open=None, free=8259), "free_above_capacity", id="8,259 free of 300 registered"),
    pytest.param(one(open=301), "open_above_capacity", id="more open than capacity"),
    pytest.param(one(free_by_class={"ev": 304}), "free_above_capacity", id="more of a class than capacity"),
]


@pytest.mark.parametrize(("body", "code"), QUARANTINED)
async def test_counts_that_cannot_be_true_are_kept_and_not_believed(body: bytes, code: str) -> None:
    """Proves that the last good value stays what everybody sees, and says why it still stands."""
    async with ingest() as world:
        await world.observe(observation(free=118, observed_at="2026-03-02T00:59:00Z"))
        believed = await world.seen()
        assert believed is not None

        assert results(await _post(world, body)) == [("quarantined", code)]

        standing = replace(believed, refused=Dirt(code), revision=1)
        assert world.records.reports == {MALL: standing}
        assert await world.seen() == standing
        assert len(world.records.observations) == 2


BAD_REQUESTS = [
    pytest.param(b"{", 400, "malformed_json", id="half a body"),
    pytest.param(b"", 400, "malformed_json", id="no body"),
    pytest.param(b"not json", 400, "malformed_json", id="words"),
    pytest.param(one() + b"x", 400, "malformed_json", id="more after the body"),
    pytest.param(raw('"free":NaN'), 400, "malformed_json", id="NaN"),
    pytest.param(raw('"free":Infinity'), 400, "malformed_json", id="Infinity"),
    pytest.param(raw('"free":1,"free":2'), 400, "malformed_json", id="a key said twice"),
    pytest.param(one().decode().encode("utf-16"), 400, "malformed_json", id="UTF-16"),
    pytest.param(b"\xef\xbb\xbf" + one(), 400, "malformed_json", id="a byte order mark"),
    pytest.param(one().replace(b'"mall"', b'"\xff"'), 400, "malformed_json", id="no UTF-8"),
    pytest.param(one(lot_id="\ud800"), 400, "malformed_json", id="half a character"),
    pytest.param(one(lot_id="mall\0"), 400, "malformed_json", id="NUL"),
    pytest.param(b"[" * 100_000, 400, "malformed_json", id="100,000 brackets"),
    pytest.param(b"[]", 422, "invalid_request", id="a list"),
    pytest.param(b"7", 422, "invalid_request", id="a number"),
    pytest.param(b"{}", 422, "invalid_request", id="no items"),
    pytest.param(b'{"items":null}', 422, "invalid_request", id="null items"),
    pytest.param(b'{"items":[]}', 422, "invalid_request", id="empty items"),
    pytest.param(b'{"items":{}}', 422, "invalid_request", id="items as an object"),
    pytest.param(b'{"items":[' + b",".join([b"{}"] * 501) + b"]}", 422, "invalid_request", id="501 items"),
    pytest.param(one()[:-1] + b',"sudo":true}', 422, "invalid_request", id="a field beside items"),
    pytest.param(b'{"items":["' + b"x" * 262_144 + b'"]}', 413, "body_too_large", id="more than 256 KiB"),
]


@pytest.mark.parametrize(("body", "status", "code"), BAD_REQUESTS)
@pytest.mark.parametrize("path", ["/v1/observations", "/v1/passages"])
async def test_a_bad_request_is_refused_as_a_whole_and_changes_nothing(
    path: str, body: bytes, status: int, code: str
) -> None:
    """Proves that every refusal is a problem document with a stable code, in ASCII, whatever was sent."""
    async with ingest() as world:
        await world.observe(observation(free=118))
        before = world.everything_kept()

        answer = await _post(world, body, path)

        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.content.isascii()
        assert world.everything_kept() == before


@pytest.mark.parametrize(
    ("header", "code"),
    [
        pytest.param("", "key_missing", id="no key"),
        pytest.param("Bearer", "key_missing", id="an empty key"),
        pytest.param(f"Basic {KEY}", "key_missing", id="another scheme"),
        pytest.param(f"Bearer {KEY[:-1]}", "key_wrong", id="a shorter key"),
        pytest.param(f"Bearer {KEY}x", "key_wrong", id="a longer key"),
        pytest.param("Bearer malls", "key_wrong", id="only the source's id"),
        pytest.param(f"Bearer {'x' * 10_000}", "key_wrong", id="a key of 10,000"),
        pytest.param("Bearer \u00ff\u00fe", "key_wrong", id="no ASCII"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/observations", "/v1/passages"])
async def test_without_the_right_key_nothing_is_taken(path: str, header: str, code: str) -> None:
    """Proves that a stranger learns nothing but that the key is missing or wrong."""
    async with ingest() as world:
        answer = await world.client.post(
            path,
            content=one(),
            headers={b"Content-Type": b"application/json", b"Authorization": header.encode("latin-1")},
        )

        assert (answer.status_code, answer.json()["code"]) == (401, code)
        assert world.records.observations == []


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/json; charset=gbk", ""],
)
async def test_another_content_type_is_refused(content_type: str) -> None:
    """Proves that only JSON in UTF-8 is read as such."""
    async with ingest() as world:
        answer = await world.client.post(
            "/v1/observations", content=one(), headers=_AUTHORIZED | {"Content-Type": content_type}
        )

        assert (answer.status_code, answer.json()["code"]) == (415, "wrong_content_type")
        assert world.records.observations == []


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        pytest.param({"passage_id": None}, "missing_field", "passage_id", id="no id"),
        pytest.param({"passage_id": "p 1"}, "bad_id", "passage_id", id="an id with a space"),
        pytest.param({"kind": "jump"}, "unknown_option", "kind", id="neither in nor out"),
        pytest.param({"passed_at": "2026-03-02T00:59:58"}, "naive_time", "passed_at", id="a naive time"),
        pytest.param({"passed_at": "2026-03-02T01:00:31Z"}, "future_time", None, id="31 s ahead"),
        pytest.param({"plate": ""}, "wrong_length", "plate", id="an empty plate"),
        pytest.param({"plate": "浙" * 17}, "wrong_length", "plate", id="a plate of 17"),
        pytest.param({"plate": "···"}, "bad_text", "plate", id="a plate of dots"),
        pytest.param({"shared": "yes"}, "wrong_type", "shared", id="yes instead of true"),
        pytest.param({"lot_id": "office"}, "not_your_lot", "lot_id", id="another's lot"),
        pytest.param({"plate_hash": "00"}, "unknown_field", "plate_hash", id="a hash of one's own"),
    ],
)
async def test_a_bad_passage_is_rejected_with_its_code_and_changes_nothing(
    changes: dict[str, object], code: str, field: str | None
) -> None:
    """Proves for cars what was proved for counts; a plate is never repeated."""
    async with ingest() as world:
        await world.observe(observation(free=118))
        before = world.everything_kept()

        answer = await world.report_passages(passage(**changes))

        assert results(answer) == [("rejected", code)]
        assert answer.json()["results"][0].get("field") == field
        assert "浙" not in answer.text
        assert world.everything_kept() == before


async def _post(world: IngestWorld, body: bytes, path: str = "/v1/observations") -> Response:
    return await world.client.post(path, content=body, headers=_JSON | _AUTHORIZED)
