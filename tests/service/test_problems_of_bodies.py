"""What is not well-formed is refused with a stable code, and never repeated in the answer."""

import json
from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI, Request

from bowei.domain.problems import Refused
from bowei.observability.bodies import BodyRoom, RequestRules
from bowei.observability.installing import install_http
from tests.service.bordered_app import BODY_BYTES, bordered_app, client_of

GOOD = {"lot_id": "in77", "free": 3, "observed_at": "2026-03-02T00:30:03Z", "datum": "wgs84"}
JSON = {"Content-Type": "application/json"}
PROBLEM = "application/problem+json"


def _changed(**fields: object) -> bytes:
    return json.dumps(GOOD | fields).encode()


def _without(field: str) -> bytes:
    return json.dumps({name: value for name, value in GOOD.items() if name != field}).encode()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"free": ', id="cut off"),
        pytest.param(b'{"free": NaN}', id="NaN"),
        pytest.param(b'{"free": -Infinity}', id="Infinity"),
        pytest.param(b'{"free": 1, "free": 2}', id="a key twice"),
        pytest.param(b"[" * 1_900, id="nested too deep"),
        pytest.param(b"9" * 1_900, id="not an object"),
        pytest.param(b"\xef\xbb\xbf{}", id="byte order mark"),
        pytest.param(json.dumps(GOOD).encode("utf-16"), id="UTF-16"),
        pytest.param(b'{"lot_id": "\xff"}', id="not UTF-8"),
        pytest.param(b'{"lot_id": "\\ud800"}', id="half a character"),
        pytest.param(b'{"lot_id": "in\\u0000"}', id="NUL"),
        pytest.param(b" ", id="blank"),
    ],
)
async def test_a_body_that_is_not_plain_json_is_malformed(body: bytes) -> None:
    """Proves that each of these is a 400 or 422 problem in ASCII, never a server error and never accepted."""
    async with client_of(bordered_app()) as client:
        answer = await client.put("/counts/1", content=body, headers=JSON)

    if body == b"9" * 1_900:
        assert answer.status_code == 422
    else:
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json")
    assert answer.headers["content-type"] == PROBLEM
    assert answer.text.isascii()


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        pytest.param(_without("lot_id"), "lot_id", "missing_field", id="a field is missing"),
        pytest.param(_without("datum"), "datum", "missing_datum", id="no datum"),
        pytest.param(_changed(datum="mars"), "datum", "unknown_option", id="unknown datum"),
        pytest.param(_changed(colour="blue"), "colour", "unknown_field", id="an unknown field"),
        pytest.param(_changed(浙A12345=1), "?", "unknown_field", id="data as a field's name"),
        pytest.param(_changed(free=-1), "free", "out_of_range", id="free below 0"),
        pytest.param(_changed(free=2**63), "free", "out_of_range", id="beyond 64 bits"),
        pytest.param(_changed(free=True), "free", "wrong_type", id="true is not 1"),
        pytest.param(_changed(free="7"), "free", "wrong_type", id="a text is no number"),
        pytest.param(_changed(free=1.5), "free", "wrong_type", id="half a space"),
        pytest.param(_changed(observed_at="2026-03-02T00:30:03"), "observed_at", "naive_time", id="naive time"),
        pytest.param(_changed(observed_at="yesterday"), "observed_at", "bad_time", id="no time"),
        pytest.param(_changed(lot_id="../etc"), "lot_id", "bad_id", id="a path as id"),
        pytest.param(_changed(lot_id="in77\n"), "lot_id", "bad_id", id="a line break in an id"),
        pytest.param(b'{"share": 1e400,' + _changed()[1:], "share", "out_of_range", id="beyond any float"),
    ],
)
async def test_a_wrong_field_is_named_with_a_stable_code(body: bytes, field: str, code: str) -> None:
    """Proves that a client can tell by field and code what to correct."""
    async with client_of(bordered_app()) as client:
        answer = await client.put("/counts/1", content=body, headers=JSON)

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "invalid_request")
    assert [(error["field"], error["code"]) for error in problem["errors"]] == [(field, code)]
    assert problem["errors"][0]["message"]


@pytest.mark.parametrize("bad", ["浙A12345", "in\u202e77", "p" * 200, "30.2576,120.1621"])
async def test_what_was_sent_is_never_in_the_answer(bad: str) -> None:
    """Proves that plates and positions put in the wrong place don't come back (and into someone's log)."""
    async with client_of(bordered_app()) as client:
        answer = await client.put("/counts/1", content=_changed(lot_id=bad, free=bad), headers=JSON)

    assert answer.status_code == 422
    assert bad not in json.dumps(answer.json(), ensure_ascii=False)


async def test_a_body_above_the_limit_is_refused_by_its_declared_length() -> None:
    """Proves that an honest large body is a 413 problem."""
    async with client_of(bordered_app()) as client:
        answer = await client.put("/counts/1", content=b"x" * (BODY_BYTES + 1), headers=JSON)

    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert answer.headers["connection"] == "close"


async def test_a_body_without_a_declared_length_is_cut_at_the_limit() -> None:
    """Proves that the limit is on what came, and that reading stops there."""
    given = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal given
        for _ in range(1_000):
            given += 1
            yield b"x" * 1_000

    async with client_of(bordered_app()) as client:
        answer = await client.put("/counts/1", content=endless(), headers=JSON)

    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert given <= 4


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Content-Type": "text/plain"}, id="text"),
        pytest.param({"Content-Type": "application/x-www-form-urlencoded"}, id="a form"),
        pytest.param({"Content-Type": "application/json; charset=gbk"}, id="another charset"),
        pytest.param({"Content-Type": "application/json", "Content-Encoding": "gzip"}, id="compressed"),
        pytest.param({}, id="none"),
    ],
)
async def test_a_body_of_another_type_is_refused(headers: dict[str, str]) -> None:
    """Proves that nothing guesses what a body might be."""
    async with client_of(bordered_app()) as client:
        answer = await client.put("/counts/1", content=_changed(), headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (415, "wrong_content_type")


async def test_json_with_its_charset_named_is_taken() -> None:
    """Proves that the strictness does not turn away ordinary clients."""
    async with client_of(bordered_app()) as client:
        answer = await client.put(
            "/counts/1", content=_changed(), headers={"Content-Type": 'application/json; charset="UTF-8"'}
        )

    assert answer.json() == {"count_id": "1", "free": 3}


async def test_bodies_together_have_so_much_room_and_give_it_back() -> None:
    """Proves that memory is bounded however many send at once, and that a refusal or a cut connection keeps none."""
    room = BodyRoom(100)
    with room.holding() as first:
        first(60)
        with room.holding() as second:
            second(30)
            with pytest.raises(Refused) as refused:
                second(11)
        assert refused.value.code == "overloaded"
        with room.holding() as third:
            third(40)
    with room.holding() as again:
        again(100)


async def test_a_body_for_which_there_is_no_room_is_refused_before_it_is_whole() -> None:
    """Proves that the border counts bytes as they come, whatever length was declared."""
    app = FastAPI()
    install_http(app, service="small", failures={}, rules=RequestRules(held_bytes=1_000))

    @app.post("/takes")
    async def takes(request: Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"a":"'
        for _ in range(20):
            yield b"x" * 100
        raise AssertionError("it was read on")

    async with client_of(app) as client:
        answer = await client.post("/takes", content=b'{"a":1}', headers=JSON)
        assert answer.json() == {"bytes": 7}
        answer = await client.post("/takes", content=pieces(), headers=JSON)
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        assert (await client.post("/takes", content=b'{"a":1}', headers=JSON)).status_code == 200
