"""The registry on an in-memory register, and a block of Hangzhou to put into it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from httpx2 import ASGITransport, AsyncClient

from bowei.domain.clock import SteppedClock
from bowei.observability.rate_limits import RateLimit
from bowei.records.audit import AuditTrail
from bowei.records.in_memory import (
    InMemoryAgreementBook,
    InMemoryAuditTrail,
    InMemoryPartyBook,
    InMemoryQuality,
    InMemoryRecords,
    InMemoryRegister,
    InMemoryRoadBook,
    InMemorySharing,
)
from bowei.records.registering import Register
from bowei.roads.verdicts import RoadPlaces
from services.registry.app import assemble
from services.registry.token_keys import TokenKeys
from services.registry.tokens import OutsideTokens, Tokens
from services.registry.wiring import Wiring

TOKEN = "an-admin-token-for-tests"
ISSUER = "bowei-of-tests"
WITHOUT_TOKEN = frozenset({"make_token", "list_token_keys", "make_first_administrator"})
"""How a token is had."""
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
NAME = {"zh": "甲", "en": "A"}
Document = dict[str, object]


NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


def now() -> datetime:
    """Tell real time, as tokens have it."""
    return datetime.now(UTC)


def in_memory_register() -> Register:
    """Give an empty register."""
    return InMemoryRegister(InMemoryRecords(SteppedClock(NOW)))


@asynccontextmanager
async def registry(
    register: Register | None = None,
    *,
    records: InMemoryRecords | None = None,
    quality_open: bool = False,
    road_places: RoadPlaces | None = None,
    audit: AuditTrail | None = None,
    tokens: Tokens | None = None,
    outside_tokens: OutsideTokens | None = None,
) -> AsyncIterator[AsyncClient]:
    """Give a client with the admin token to a registry; `records`: what it stands on, if a test looks there too."""
    room = records or InMemoryRecords(SteppedClock(NOW))
    if isinstance(register, InMemoryRegister):
        room = register._records  # all twins of a registry share one world

    @asynccontextmanager
    async def open_wiring() -> AsyncIterator[Wiring]:
        desk = InMemoryQuality(room)
        book = InMemoryRoadBook(room)
        trail = audit or InMemoryAuditTrail(room)
        yield Wiring(
            register=register or InMemoryRegister(room),
            quality=desk,
            roads=book,
            audit=trail,
            parties=InMemoryPartyBook(room),
            agreements=InMemoryAgreementBook(room),
            sharing=InMemorySharing(room),
            tokens=tokens or Tokens(TokenKeys.made(), ISSUER, now),
            sign_ins=RateLimit(per_minute=10_000),
            admin_token=TOKEN.encode(),
            outside_tokens=outside_tokens,
            quality_open=quality_open,
            road_places=road_places,
        )

    app = assemble(open_wiring)
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app), base_url="http://bowei.test", headers=AUTHORIZED) as client,
    ):
        yield client


def at(lat: float, lon: float, datum: str = "wgs84", **more: object) -> Document:
    """Write a position."""
    return {"lat": lat, "lon": lon, "datum": datum, **more}


def lot(**changes: object) -> Document:
    """Write a mall of 100 spaces by the lake, 6 of them disabled."""
    return {
        "kind": "mall",
        "name": NAME,
        "timezone": "Asia/Shanghai",
        "capacity": 100,
        "location": at(30.2552, 120.1582),
        "entrances": [{"entrance_id": "east", "name": NAME, "location": at(30.2553, 120.1590)}],
        "classes": {"disabled": 6},
    } | changes


def hospital(**changes: object) -> Document:
    """Write a hospital whose own lot is `h`."""
    return {
        "name": NAME,
        "lot_id": "h",
        "door": at(30.2575, 120.1623),
        "gate": at(30.2578, 120.1618),
    } | changes


def agreement(**changes: object) -> Document:
    """Write an agreement by which `mall` lends 40 spaces to `first` at any time."""
    return {"lot_id": "mall", "hospital_id": "first", "windows": [{"spaces": 40}], "margin": 2} | changes


async def settle_in(client: AsyncClient) -> None:
    """Register a hospital `first` with its lot `h`, a `mall`, and their agreement `a`."""
    own = lot(kind="hospital", location=at(30.2576, 120.1621), classes={})
    for path, body in (
        ("/v1/lots/h", own),
        ("/v1/lots/mall", lot()),
        ("/v1/hospitals/first", hospital()),
        ("/v1/agreements/a", agreement()),
    ):
        answer = await client.put(path, json=body)
        assert answer.status_code == 201, answer.text


def faults(answer: Document) -> list[tuple[object, object]]:
    """Give the (field, code) of each error of a problem."""
    errors = answer.get("errors", [])
    assert isinstance(errors, list)
    return [(error["field"], error["code"]) for error in errors]
