"""A request for a diversion answered in front of FastAPI: nobody who asks can tell which of the two ways answered."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2
import pytest

from bowei.records.failures import OutcomeUnknown, Overloaded, StoreAway, StoreFailure
from services.routing.app import assemble
from services.routing.direct import Direct
from services.routing.drivers import DriverTokens
from tests.service.routing_block import DRIVER_KEY, World, settings

JSON = "application/json"
GOOD = '{"hospital_id":"first-hospital"}'
CODE = re.compile(rb'"code":"[0-9]{8}"')
TOKENS = [DriverTokens(DRIVER_KEY).make() for _ in range(60)]


@dataclass(frozen=True)
class Ask:
    """One request, byte for byte; `driver` None: nobody says who asks."""

    diversion_id: str
    body: str | bytes = GOOD
    driver: int | None = 0
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "PUT"


def bodies() -> Iterator[str | bytes]:
    """Give bodies that say something else, or nothing that can be read."""
    yield from ("", "{", "null", "[]", '"first-hospital"', "{}", GOOD + " ", GOOD + "x")
    yield from (b"\xef\xbb\xbf" + GOOD.encode(), GOOD.encode("utf-16"), b'{"hospital_id":"\xff"}')
    yield from ('{"hospital_id":"nowhere"}', '{"hospital_id":""}', '{"hospital_id":1}', '{"hospital_id":null}')
    yield '{"hospital_id":"first-hospital\\n"}'
    yield '{"hospital_id":"first-hospital","hospital_id":"first-hospital"}'
    members = (
        '"nobody":1',
        '"plate":"浙A12345"',
        '"plate":null',
        '"plate":"x"',
        '"plate":"浙A12345\\n"',
        '"plate":"\\ud800"',
        '"class":"disabled"',
        '"class":"ev"',
        '"class":"none"',
        '"class":null',
        '"space_class":"disabled"',
        '"height_cm":180',
        '"height_cm":195',
        '"height_cm":180.0',
        '"height_cm":1.8e2',
        '"height_cm":"180"',
        '"height_cm":true',
        '"height_cm":49',
        '"height_cm":601',
        '"height_cm":99999999999999999999999999',
        '"height_cm":null',
        '"stay_s":3600',
        '"stay_s":1',
        '"stay_s":604801',
        '"slow_walker":true',
        '"slow_walker":1',
        '"slow_walker":null',
        '"announce":true',
        '"announce":false',
        '"announce":"true"',
        '"standing":"visitor"',
        '"standing":"boss"',
        '"position":null',
        '"position":{}',
        '"position":{"lat":30.26,"lon":120.16}',
        '"position":{"lat":30.26,"lon":120.16,"datum":"wgs84"}',
        '"position":{"lat":30.26,"lon":120.16,"datum":"gcj02"}',
        '"position":{"lat":30,"lon":120,"datum":"wgs84"}',
        '"position":{"lat":"30","lon":120,"datum":"wgs84"}',
        '"position":{"lat":91,"lon":120.16,"datum":"wgs84"}',
        '"position":{"lat":1e400,"lon":120.16,"datum":"wgs84"}',
        '"position":{"lat":NaN,"lon":120.16,"datum":"wgs84"}',
        '"position":{"lat":30.26,"lon":120.16,"datum":"wgs84","z":1}',
    )
    yield from (GOOD[:-1] + f",{member}}}" for member in members)


def asks() -> Iterator[Ask]:
    """Give requests in the order in which they are sent; later ones find what earlier ones left."""
    yield from (Ask(f"of-a-body-{number:02d}", body, number % 50) for number, body in enumerate(bodies()))
    yield Ask("a-first-trip", driver=50)
    yield Ask("a-first-trip", driver=50)
    yield Ask("a-first-trip", '{"hospital_id":"first-hospital","position":null}', 50)
    yield Ask("a-first-trip", '{"hospital_id":"first-hospital","height_cm":150}', 50)
    yield Ask("a-first-trip", driver=51)
    yield Ask("another-trip", driver=50)
    yield Ask("a-given-up-trip", "", 52, method="DELETE")
    yield Ask("a-given-up-trip", driver=52)
    yield Ask("gate-1-0002", driver=53)
    yield Ask("gateway-0001", driver=53)
    yield Ask("nobodys-trip", driver=None)
    for said in ("", "Bearer", "Bearer ", "Basic x", "Bearer forged", f"bearer  {TOKENS[53]}", "Bearer " + "x" * 600):
        yield Ask("somebodys-trip", driver=None, headers={"Authorization": said})
    yield Ask("nobodys-trip", "{", driver=None)
    yield Ask("nobodys-trip", "{}", driver=None, headers={"Accept-Language": "zh"})
    for odd in ("short", "x" * 65, "-begins-odd", "has%20space", "has%2Fslash", "ends-in-line%0A", "ends/", "鿿" * 8):
        yield Ask(odd, driver=54)
    yield Ask("a-longest-id" + "x" * 52, driver=54)
    for kind in ("", "text/plain", "application/json; charset=utf-8", "application/json; charset=utf-16", "x/json"):
        yield Ask(f"a-type-{len(kind)}-trip", driver=55, headers={"Content-Type": kind})
    yield Ask("a-packed-trip", driver=56, headers={"Content-Encoding": "gzip"})
    yield Ask("a-large-trip", GOOD + " " * 300_000, driver=56)
    for method in ("POST", "OPTIONS"):
        yield Ask("a-first-trip", driver=50, method=method)
    yield from (Ask(f"a-hasty-trip-{number:02d}", driver=57) for number in range(7))


Answer = tuple[int, bytes, dict[str, str]]


@asynccontextmanager
async def one_way(*, direct: bool, starts_that_fail: int = 0) -> AsyncIterator[tuple[World, httpx2.AsyncClient]]:
    """Run routing on the block as it is, or with FastAPI alone."""
    world = World.empty()
    await world.settle_in()
    world.starts_that_fail = starts_that_fail
    app = assemble(settings(requests_per_driver=5), world.open_stores)
    if not direct:
        kept = [one for one in app.user_middleware if getattr(one.cls, "__name__", "") != Direct.__name__]
        assert len(kept) == len(app.user_middleware) - 1
        app.user_middleware = kept
    transport = httpx2.ASGITransport(app=app)
    async with app.router.lifespan_context(app), httpx2.AsyncClient(transport=transport, base_url="http://b") as client:
        yield world, client


async def answered(client: httpx2.AsyncClient, ask: Ask) -> Answer:
    """Send a request; give all of its answer but what is drawn by lot: a hold's code, and when to come back."""
    headers = {"Content-Type": JSON, "X-Request-ID": "the-same", **ask.headers}
    if ask.driver is not None:
        headers["Authorization"] = f"Bearer {TOKENS[ask.driver]}"
    path = f"/v1/diversions/{ask.diversion_id}"
    body = ask.body.encode() if isinstance(ask.body, str) else ask.body
    answer = await client.request(ask.method, path, headers=headers, content=body)
    said = {name: value for name, value in answer.headers.items() if name != "retry-after"}
    return answer.status_code, CODE.sub(b'"code":""', answer.content), said


async def test_both_ways_give_the_same_answer_byte_for_byte() -> None:
    """Whatever is asked, and whatever is refused: status, headers and body are the same."""
    statuses = set()
    async with one_way(direct=True) as (_, quick), one_way(direct=False) as (_, plain):
        for ask in asks():
            own, other = await answered(quick, ask), await answered(plain, ask)
            assert own == other, ask
            statuses.add(own[0])
    assert statuses == {200, 201, 204, 307, 400, 401, 404, 405, 409, 413, 415, 422, 429}


@pytest.mark.parametrize("failure", [StoreAway("refused"), OutcomeUnknown("lost"), Overloaded("full")])
async def test_both_ways_say_the_same_while_the_ledger_fails(failure: StoreFailure) -> None:
    """A guided driver, and each failure of the ledger, is answered alike."""
    async with one_way(direct=True) as (own_world, quick), one_way(direct=False) as (other_world, plain):
        own_world.book.failing = other_world.book.failing = failure
        ask = Ask("a-first-trip")
        own, other = await answered(quick, ask), await answered(plain, ask)
    assert own == other
    assert own[0] == (200 if isinstance(failure, StoreAway) else 503)


async def test_both_ways_refuse_until_the_ledger_was_reached() -> None:
    """Before the start is over there is nothing to decide with, whatever is sent."""
    async with (
        one_way(direct=True, starts_that_fail=1_000) as (_, quick),
        one_way(direct=False, starts_that_fail=1_000) as (_, plain),
    ):
        for ask in (Ask("a-first-trip"), Ask("a-first-trip", "{}"), Ask("a-first-trip", driver=None)):
            own, other = await answered(quick, ask), await answered(plain, ask)
            assert own == other
            assert own[0] == 503
