"""Whatever is sent to ask for a space: it is refused with a stable code, nothing is changed, nothing is repeated."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from services.routing.drivers import DriverTokens
from tests.service.routing_block import Driver, World, code, running_block

GOOD: dict[str, Any] = {
    "hospital_id": "first-hospital",
    "position": {"lat": 30.26, "lon": 120.16, "datum": "wgs84"},
    "class": "standard",
    "height_cm": 165,
    "plate": "浙A12345",
}


def written(**changes: Any) -> bytes:
    """Write the good body with changes; None leaves a member out."""
    return json.dumps({name: value for name, value in (GOOD | changes).items() if value is not None}).encode()


def at(**changes: Any) -> bytes:
    """Write the good body with changes to its position; None leaves a member out."""
    return written(position={name: value for name, value in (GOOD["position"] | changes).items() if value is not None})


def verbatim(old: str, new: str) -> bytes:
    """Write the good body with a piece of its text replaced."""
    text = json.dumps(GOOD)
    assert old in text
    return text.replace(old, new).encode("utf-8", "surrogatepass")


BROKEN = {
    "no body": b"",
    "not json": b"hospital_id=first-hospital",
    "cut off": written()[:-1],
    "trailing comma": b'{"hospital_id": "first-hospital",}',
    "two documents": written() + written(),
    "NaN": verbatim("30.26", "NaN"),
    "Infinity": verbatim("30.26", "Infinity"),
    "minus Infinity": verbatim("30.26", "-Infinity"),
    "a key twice": verbatim('"class"', '"hospital_id": "second-hospital", "class"'),
    "a key twice in the position": verbatim('"lat"', '"datum": "gcj02", "lat"'),
    "byte order mark": b"\xef\xbb\xbf" + written(),
    "utf-16": written().decode().encode("utf-16"),
    "not utf-8": verbatim("first-hospital", "first-\xff").replace("\xff".encode(), b"\xff"),
    "half a character": verbatim("first-hospital", "first-\\ud800"),
    "NUL": verbatim("first-hospital", "first-\\u0000"),
    "nested too deep": b"[" * 100_000,
}
WRONG: dict[str, tuple[bytes, str, str]] = {
    "a list": (b"[]", "body", "wrong_type"),
    "a text": (b'"first-hospital"', "body", "wrong_type"),
    "null": (b"null", "body", "wrong_type"),
    "no hospital": (written(hospital_id=None), "hospital_id", "missing_field"),
    "hospital null": (verbatim('"first-hospital"', "null"), "hospital_id", "wrong_type"),
    "hospital a number": (written(hospital_id=7), "hospital_id", "wrong_type"),
    "hospital empty": (written(hospital_id=""), "hospital_id", "bad_id"),
    "hospital a path": (written(hospital_id="../first"), "hospital_id", "bad_id"),
    "hospital with a line break": (written(hospital_id="first\n"), "hospital_id", "bad_id"),
    "hospital written backwards": (written(hospital_id="first\u202e"), "hospital_id", "bad_id"),
    "hospital of a megabyte": (written(hospital_id="a" * 200_000), "hospital_id", "bad_id"),
    "unknown field": (written(space="A12"), "space", "unknown_field"),
    "class by another name": (written(space_class="ev"), "space_class", "unknown_field"),
    "unknown class": (written(**{"class": "vip"}), "class", "unknown_option"),
    "class a number": (written(**{"class": 1}), "class", "unknown_option"),
    "height a text": (written(height_cm="165"), "height_cm", "wrong_type"),
    "height true": (written(height_cm=True), "height_cm", "wrong_type"),
    "height with a fraction": (written(height_cm=165.5), "height_cm", "wrong_type"),
    "height negative": (written(height_cm=-1), "height_cm", "out_of_range"),
    "height in millimetres": (written(height_cm=1650), "height_cm", "out_of_range"),
    "height beyond 64 bits": (written(height_cm=2**63), "height_cm", "out_of_range"),
    "height of 400 digits": (verbatim("165", "1" + "0" * 400), "height_cm", "out_of_range"),
    "plate too short": (written(plate="A1"), "plate", "bad_text"),
    "plate with a quote": (written(plate="A'; DROP"), "plate", "bad_text"),
    "plate of dots": (written(plate="....."), "plate", "bad_text"),
    "plate a number": (written(plate=12345), "plate", "wrong_type"),
    "position a list": (written(position=[30.26, 120.16]), "position", "wrong_type"),
    "position without datum": (at(datum=None), "position.datum", "missing_datum"),
    "unknown datum": (at(datum="wgs-84"), "position.datum", "unknown_option"),
    "datum empty": (at(datum=""), "position.datum", "unknown_option"),
    "no latitude": (at(lat=None), "position.lat", "missing_field"),
    "latitude a text": (at(lat="30.26"), "position.lat", "wrong_type"),
    "latitude true": (at(lat=True), "position.lat", "wrong_type"),
    "axes swapped": (at(lat=120.16, lon=30.26), "position.lat", "out_of_range"),
    "longitude of 181 degrees": (at(lon=181), "position.lon", "out_of_range"),
    "metres for degrees": (at(lat=3_350_000, lon=13_370_000), "position.lat", "out_of_range"),
    "latitude 1e400": (verbatim("30.26", "1e400"), "position.lat", "out_of_range"),
    "position with a height": (at(alt=12), "position.alt", "unknown_field"),
}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Give the block, with routing running on it."""
    async with running_block() as world:
        yield world


async def put(driver: Driver, body: bytes, **headers: str) -> httpx2.Response:
    """Ask with a body as it is."""
    sent = {"Content-Type": "application/json"} | headers
    return await driver.world.request("PUT", driver.path, driver.token, content=body, headers=sent)


def assert_nothing_changed(world: World) -> None:
    """No hold, no tombstone, and the ledger was not even asked."""
    assert (world.holds(), world.records.given_up, world.book.placed) == ([], {}, [])


async def test_the_good_body_is_good(world: World) -> None:
    """What the cases change is right to begin with."""
    assert (await put(await world.driver(), written())).status_code == 201


@pytest.mark.parametrize("body", [body for name, body in BROKEN.items() if name != "no body"], ids=list(BROKEN)[1:])
async def test_what_is_no_json_is_malformed(world: World, body: bytes) -> None:
    """Also what other readers let pass: numbers that are none, keys said twice, halves of characters."""
    answer = await put(await world.driver(), body)
    assert code(answer) == (400, "malformed_json")
    assert_nothing_changed(world)


async def test_a_request_without_a_body_is_told_what_is_missing(world: World) -> None:
    """An empty PUT is an invalid request, not a crash."""
    answer = await put(await world.driver(), b"")
    assert code(answer) == (422, "invalid_request")
    assert_nothing_changed(world)


@pytest.mark.parametrize(("body", "field", "fault"), list(WRONG.values()), ids=list(WRONG))
async def test_a_wrong_field_is_named_with_what_is_wrong(world: World, body: bytes, field: str, fault: str) -> None:
    """The path of the field and a stable code; never what was sent."""
    answer = await put(await world.driver(), body)
    assert code(answer) == (422, "invalid_request")
    assert (field, fault) in {(one["field"], one["code"]) for one in answer.json()["errors"]}, answer.text
    assert len(answer.content) < 4_000
    assert answer.content.isascii()
    assert_nothing_changed(world)


@pytest.mark.parametrize(
    ("diversion_id", "status"),
    [
        ("short", 422),
        ("a" * 65, 422),
        ("-starts-badly", 422),
        ("has%20spaces", 422),
        ("line%0Abreak", 422),
        ("nul%00inside", 422),
        ("%E6%B3%8A%E4%BD%8D%E6%B3%8A%E4%BD%8D%E6%B3%8A%E4%BD%8D", 422),
        ("..%2F..%2Fetc", 404),
    ],
)
async def test_an_id_that_is_none_opens_nothing(world: World, diversion_id: str, status: int) -> None:
    """Whatever the method: an id is 8 to 64 plain characters."""
    driver = await world.driver()
    path = f"/v1/diversions/{diversion_id}"
    headers = {"Content-Type": "application/json"}
    answers = [
        await world.request("PUT", path, driver.token, content=written(), headers=headers),
        await world.request("GET", path, driver.token),
        await world.request("DELETE", path, driver.token),
    ]
    assert [answer.status_code for answer in answers] == [status] * 3
    assert {answer.json()["code"] for answer in answers} == {"invalid_request" if status == 422 else "not_found"}
    assert_nothing_changed(world)


@pytest.mark.parametrize(
    ("content_type", "encoding"),
    [
        ("text/plain", "identity"),
        ("application/x-www-form-urlencoded", "identity"),
        ("multipart/form-data; boundary=x", "identity"),
        ("application/json; charset=gbk", "identity"),
        ("", "identity"),
        ("application/json", "gzip"),
    ],
)
async def test_only_plain_json_is_read(world: World, content_type: str, encoding: str) -> None:
    """Another type, charset or packing is refused before anything is read into it."""
    answer = await put(await world.driver(), written(), **{"Content-Type": content_type, "Content-Encoding": encoding})
    assert code(answer) == (415, "wrong_content_type")
    assert_nothing_changed(world)


@pytest.mark.parametrize("declared", [None, "300000", "10"], ids=["in pieces", "said so", "lied about"])
async def test_a_body_beyond_the_limit_is_not_read_to_its_end(world: World, declared: str | None) -> None:
    """The limit is on the bytes that come, whatever was said about them."""
    driver = await world.driver()
    headers = {"Content-Type": "application/json"}
    if declared is not None:
        headers["Content-Length"] = declared

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(300):
            yield b" " * 1_000

    answer = await world.request("PUT", driver.path, driver.token, content=pieces(), headers=headers)
    assert code(answer) == (413, "body_too_large")
    assert_nothing_changed(world)


@pytest.mark.parametrize(
    ("authorization", "fault"),
    [
        (None, "key_missing"),
        ("", "key_missing"),
        ("Basic dTpw", "key_missing"),
        ("Bearer nonsense", "key_wrong"),
        (f"Bearer {DriverTokens('another key of at least 32 bytes here').make()}", "key_wrong"),
        ("Bearer " + "a" * 5_000, "key_wrong"),
    ],
    ids=["none", "empty", "basic", "nonsense", "of another key", "long"],
)
async def test_who_is_no_driver_gets_nothing(world: World, authorization: str | None, fault: str) -> None:
    """A token that this city did not sign opens no diversion, and the answer says how to get one."""
    headers = {"Content-Type": "application/json"}
    if authorization is not None:
        headers["Authorization"] = authorization
    answer = await world.request("PUT", "/v1/diversions/trip-00001", content=written(), headers=headers)
    assert code(answer) == (401, fault)
    assert answer.headers["www-authenticate"] == "Bearer"
    assert_nothing_changed(world)


@pytest.mark.parametrize(
    ("method", "step", "body", "fault"),
    [
        ("PATCH", "", {"extend_s": 29}, "out_of_range"),
        ("PATCH", "", {"extend_s": -300}, "out_of_range"),
        ("PATCH", "", {"extend_s": "300"}, "wrong_type"),
        ("PATCH", "", {"extend_s": 300.5}, "wrong_type"),
        ("PATCH", "", {"extend_s": 10**30}, "out_of_range"),
        ("PATCH", "", {}, "missing_field"),
        ("PATCH", "", {"extend_s": 300, "expires_at": "2027-01-01T00:00:00"}, "unknown_field"),
        ("POST", "/refused", {}, "missing_field"),
        ("POST", "/refused", {"ordinal": 0}, "out_of_range"),
        ("POST", "/refused", {"ordinal": True}, "wrong_type"),
        ("POST", "/refused", {"ordinal": 10**10}, "out_of_range"),
    ],
)
async def test_a_wrong_step_leaves_the_hold_as_it_was(
    world: World, method: str, step: str, body: dict[str, Any], fault: str
) -> None:
    """Extending and refusing say what is wrong and change nothing."""
    driver = await world.driver()
    held = (await driver.asks())["hold"]
    answer = await world.request(method, f"{driver.path}{step}", driver.token, json=body)
    assert code(answer) == (422, "invalid_request")
    assert fault in {one["code"] for one in answer.json()["errors"]}
    assert (await driver.looks())["hold"] == held


@pytest.mark.parametrize("body", [{"phone": "13800000000"}, [], "me"], ids=["a phone number", "a list", "a text"])
async def test_a_driver_stays_anonymous(world: World, body: object) -> None:
    """There is no field for who one is, and none is taken."""
    answer = await world.request("POST", "/v1/drivers", json=body)
    assert code(answer) == (422, "invalid_request")
    assert (await world.request("POST", "/v1/drivers", json={})).status_code == 201


async def test_an_address_that_brings_too_many_drivers_has_to_wait() -> None:
    """Nobody takes all the spaces of a city with tokens made by the thousand; the answer says when to come back."""
    async with running_block(drivers_per_minute=3) as world:
        answers = [await world.request("POST", "/v1/drivers") for _ in range(4)]
    assert [answer.status_code for answer in answers[:3]] == [201] * 3
    assert code(answers[3]) == (429, "too_many_requests")
    assert int(answers[3].headers["retry-after"]) >= 20


async def test_a_driver_that_asks_without_end_has_to_wait_and_no_other_does() -> None:
    """A program gone wild can't fill the ledger with ids, and harms only itself."""
    async with running_block(requests_per_driver=5) as world:
        wild, calm = await world.driver(), await world.driver()
        answers = [await wild.gives_up() for _ in range(6)]
        assert [answer.status_code for answer in answers[:5]] == [204] * 5
        assert code(answers[5]) == (429, "too_many_requests")
        assert (await calm.puts()).status_code == 201


async def test_problems_are_told_in_the_language_asked_for(world: World) -> None:
    """An app for drivers in Hangzhou shows the detail as it is."""
    driver = await world.driver()
    answer = await put(driver, written(hospital_id="nowhere"), **{"Accept-Language": "zh-CN"})
    assert code(answer) == (404, "unknown_hospital")
    assert answer.json()["detail"] == "没有登记该医院。"
