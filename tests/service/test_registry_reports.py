"""Lots share because they see what it brings: a month in lines, for each party its own, and who is coming now."""

import csv
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from httpx2 import AsyncClient, Response

from bowei.domain.agreements import AgreementId
from bowei.domain.clock import SteppedClock
from bowei.domain.holds import REFUSED_ON_ARRIVAL, HoldState
from bowei.domain.lots import DriverId, HospitalId, LotId, Name, SourceId, SpaceClass
from bowei.domain.observations import Observation
from bowei.domain.parties import Party, PartyId, Role
from bowei.records.holding import Candidate, PlaceRequest
from bowei.records.in_memory import InMemoryHoldBook, InMemoryRecords, InMemoryReportJournal
from bowei.records.reporting import Judged
from services.registry.token_keys import TokenKeys
from services.registry.tokens import Tokens
from tests.service.registry_app import ISSUER, NOW, agreement, at, hospital, lot, now, registry

MARCH = "/v1/reports/2026-03"


@dataclass
class City:
    """A registry over a ledger in which two hospitals' drivers were held spaces on two lots."""

    client: AsyncClient
    room: InMemoryRecords
    tokens: Tokens

    async def asks(self, party: str, path: str) -> Response:
        """Look as a party."""
        headers = {"Authorization": f"Bearer {self.tokens.make(PartyId(party), frozenset())}"}
        return await self.client.get(path, headers=headers)

    async def lines(self, party: str, path: str = MARCH) -> list[dict[str, Any]]:
        """Give a party's lines."""
        answer = await self.asks(party, path)
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items


@pytest.fixture
async def city() -> AsyncIterator[City]:
    """Run it: of three cars for the first hospital one parked for 80 min, one was refused, one is on its way."""
    clock = SteppedClock(NOW)
    room, tokens = InMemoryRecords(clock), Tokens(TokenKeys.made(), ISSUER, now)
    async with registry(records=room, tokens=tokens) as client:
        own = lot(kind="hospital", location=at(30.2576, 120.1621), classes={})
        price = {"per_hour": "5.50", "currency": "CNY"}
        for path, body in (
            ("/v1/lots/h", own),
            ("/v1/lots/mall", lot(name={"zh": "=工联", "en": "Gonglian"})),
            ("/v1/lots/tower", lot()),
            ("/v1/hospitals/first", hospital()),
            ("/v1/hospitals/second", hospital()),
            ("/v1/agreements/a", agreement(tariff=price, margin=0, margin_rule="fixed")),
            ("/v1/agreements/b", agreement(lot_id="tower", hospital_id="second", margin=0, margin_rule="fixed")),
        ):
            assert (await client.put(path, json=body)).status_code == 201
        for party in (
            Party(PartyId("mall"), Role.OPERATOR, Name("商", "Mall"), lots=frozenset({LotId("mall")})),
            Party(PartyId("tower"), Role.OPERATOR, Name("楼", "Tower"), lots=frozenset({LotId("tower")})),
            Party(PartyId("first"), Role.HOSPITAL, Name("院", "First"), hospitals=frozenset({HospitalId("first")})),
            Party(PartyId("city"), Role.CITY, Name("市", "City")),
        ):
            room.parties[party.party_id] = party
        await _live_through(room, clock)
        yield City(client, room, tokens)


async def _reports(room: InMemoryRecords, lot_id: str, free: int) -> None:
    observation = Observation(LotId(lot_id), room.now, SourceId("counter"), free=free)
    await InMemoryReportJournal(room).record([Judged(observation)])


def _candidate(agreement_id: str) -> Candidate:
    return Candidate(AgreementId(agreement_id), SpaceClass.STANDARD, timedelta(minutes=10))


async def _is_held(room: InMemoryRecords, driver: str, agreement_id: str, hospital_id: str) -> None:
    request = PlaceRequest(
        diversion_id=f"diversion-of-{driver}",
        driver_id=DriverId(driver),
        request_hash=b"." * 32,
        hospital_id=HospitalId(hospital_id),
        candidates=(_candidate(agreement_id),),
        answer={},
    )
    assert (await InMemoryHoldBook(room).place(request)).hold is not None


async def _live_through(room: InMemoryRecords, clock: SteppedClock) -> None:
    book = InMemoryHoldBook(room)
    for lot_id in ("mall", "tower"):
        await _reports(room, lot_id, 90)
    for driver, agreement_id, hospital_id in (("p", "a", "first"), ("q", "a", "first"), ("r", "b", "second")):
        await _is_held(room, driver, agreement_id, hospital_id)
    await book.arrive("diversion-of-p", DriverId("p"))
    await book.replace(
        "diversion-of-q",
        DriverId("q"),
        1,
        ends_as=HoldState.REVOKED,
        reason=REFUSED_ON_ARRIVAL,
        candidates=(_candidate("a"),),
        answer={},
    )
    clock.step_to(clock.now() + timedelta(minutes=1))
    await _reports(room, "mall", 89)
    await book.sweep()
    clock.step_to(clock.now() + timedelta(minutes=79))
    await book.leave("diversion-of-p", DriverId("p"))


async def test_a_party_sees_what_its_sharing_brought_and_nobody_elses(city: City) -> None:
    """Counts, hours, the share of arrivals that found a space, and what the stays cost by the agreed price."""
    (line,) = await city.lines("mall")
    assert (line["held"], line["honoured"], line["refused"], line["stays"], line["kept"]) == (3, 1, 1, 1, 0.5)
    assert (line["parked_hours"], line["income"], line["currency"]) == (1.33, "11.00", "CNY")
    assert line["lot_name"] == {"zh": "=工联", "en": "Gonglian"}
    assert [line["lot_id"] for line in await city.lines("tower")] == ["tower"]
    assert [line["agreement_id"] for line in await city.lines("first")] == ["a"]
    assert [line["agreement_id"] for line in await city.lines("city")] == ["a", "b"]
    (other,) = await city.lines("tower")
    assert {"income", "currency", "kept"}.isdisjoint(other)
    assert await city.lines("mall", "/v1/reports/2026-02") == []


async def test_the_csv_has_the_same_lines_and_no_formula(city: City) -> None:
    """It opens in a spreadsheet as what it is; it is kept by nobody on the way."""
    answer = await city.asks("mall", f"{MARCH}.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.text.startswith("\ufeff")
    (row,) = csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff")))
    (line,) = await city.lines("mall")
    assert (row["held"], row["honoured"], row["income"], row["lot_name"]) == ("3", "1", line["income"], "'=工联")


async def test_an_operator_sees_who_is_coming_by_code(city: City) -> None:
    """No plate, no driver; and of another's lot nothing at all."""
    await _reports(city.room, "tower", 50)
    await _is_held(city.room, "s", "b", "second")
    (coming,) = await city.lines("tower", "/v1/lots/tower/coming")
    assert set(coming) <= {"code", "hospital_id", "class", "state", "expires_at"}
    assert (coming["hospital_id"], coming["state"], coming["expires_at"]) == (
        "second",
        "held",
        "2026-03-02T02:30:00.000Z",
    )
    assert (await city.asks("mall", "/v1/lots/tower/coming")).json()["code"] == "unknown_lot"


@pytest.mark.parametrize("month", ["2026-13", "2026-3", "1999-01", "2026", "march"])
async def test_what_is_no_month_is_refused(city: City, month: str) -> None:
    """With the form that one has."""
    for path in (f"/v1/reports/{month}", f"/v1/reports/{month}.csv"):
        answer = await city.asks("mall", path)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "month")
