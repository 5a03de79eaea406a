"""Agreements are made by two sides: one proposes, the other accepts, and what was agreed is never edited."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from httpx2 import AsyncClient, Response

from bowei.domain.clock import SteppedClock
from bowei.domain.lots import HospitalId, LotId, Name
from bowei.domain.parties import Party, PartyId, Role
from bowei.observability.background import in_background
from bowei.records.in_memory import InMemoryAgreementBook, InMemoryRecords
from services.registry.succeeding import Succession
from services.registry.token_keys import TokenKeys
from services.registry.tokens import Tokens
from tests.service.registry_app import ISSUER, NOW, agreement, now, registry, settle_in

VERSIONS = "/v1/agreements/a/versions"


@dataclass
class Sides:
    """A registry, and who speaks for the mall, the hospital, another mall, and the street."""

    client: AsyncClient
    room: InMemoryRecords
    tokens: Tokens

    async def asks(self, party: str, method: str, path: str, body: Any = None) -> Response:
        """Ask as a party."""
        headers = {"Authorization": f"Bearer {self.tokens.make(PartyId(party), frozenset())}"}
        return await self.client.request(method, path, headers=headers, **({} if body is None else {"json": body}))

    async def spaces(self) -> int | None:
        """Give how many spaces the agreement lends as it is in force."""
        answer = await self.client.get("/v1/agreements/a")
        return answer.json()["windows"][0]["spaces"] if answer.status_code == 200 else None


@pytest.fixture
async def sides() -> AsyncIterator[Sides]:
    """Run it: the mall lends 40 spaces to the first hospital."""
    room, tokens = InMemoryRecords(SteppedClock(NOW)), Tokens(TokenKeys.made(), ISSUER, now)
    async with registry(records=room, tokens=tokens) as client:
        await settle_in(client)
        for party in (
            Party(PartyId("mall"), Role.OPERATOR, Name("商", "Mall"), lots=frozenset({LotId("mall")})),
            Party(PartyId("other"), Role.OPERATOR, Name("他", "Other"), lots=frozenset({LotId("nowhere")})),
            Party(PartyId("first"), Role.HOSPITAL, Name("院", "First"), hospitals=frozenset({HospitalId("first")})),
        ):
            room.parties[party.party_id] = party
        yield Sides(client, room, tokens)


def terms(spaces: int, **changes: Any) -> dict[str, Any]:
    """Write what the mall lends to the first hospital."""
    return agreement(windows=[{"spaces": spaces}], **changes)


async def test_one_side_proposes_and_the_other_accepts(sides: Sides) -> None:
    """Nothing changes until then; both see what waits, and afterwards who said what."""
    proposed = await sides.asks("mall", "POST", VERSIONS, terms(30))
    assert (proposed.status_code, proposed.json()["state"], proposed.json()["side"]) == (201, "proposed", "lot")
    assert await sides.spaces() == 40
    for party, waiting in (("mall", 1), ("first", 1), ("other", 0)):
        assert (await sides.asks(party, "GET", "/v1/proposals")).json()["total"] == waiting
    accepted = await sides.asks("first", "POST", f"{VERSIONS}/2/accept")
    assert (accepted.status_code, accepted.json()["decided_by"]) == (200, "first")
    assert await sides.spaces() == 30
    said = (await sides.asks("first", "GET", VERSIONS)).json()["items"]
    assert [(one["number"], one["state"], one["proposed_by"]) for one in said] == [
        (1, "accepted", "administrator"),
        (2, "accepted", "mall"),
    ]
    assert [one["agreement"]["windows"][0]["spaces"] for one in said] == [40, 30]
    assert (await sides.asks("other", "GET", VERSIONS)).json()["code"] == "unknown_agreement"


async def test_nobody_accepts_what_was_proposed_by_the_same_side(sides: Sides) -> None:
    """It may be withdrawn by that side alone; a stranger is told nothing of it."""
    await sides.asks("mall", "POST", VERSIONS, terms(30))
    for party, act, code in (
        ("mall", "accept", "other_side_decides"),
        ("mall", "decline", "other_side_decides"),
        ("first", "withdraw", "other_side_decides"),
        ("other", "accept", "unknown_version"),
    ):
        assert (await sides.asks(party, "POST", f"{VERSIONS}/2/{act}")).json()["code"] == code
    assert (await sides.asks("mall", "POST", f"{VERSIONS}/2/withdraw")).json()["state"] == "withdrawn"
    assert (await sides.asks("first", "POST", f"{VERSIONS}/2/accept")).json()["code"] == "already_decided"
    assert await sides.spaces() == 40


async def test_a_hospital_may_begin_an_agreement_with_a_lot(sides: Sides) -> None:
    """A new one; a party that speaks for neither side can't propose it, nor what is not true."""
    path = "/v1/agreements/new/versions"
    assert (await sides.asks("other", "POST", path, terms(5))).json()["code"] == "unknown_agreement"
    assert (await sides.asks("first", "POST", path, terms(500))).json()["code"] == "invalid_request"
    assert (await sides.asks("first", "POST", path, terms(5))).status_code == 201
    assert (await sides.client.get("/v1/agreements/new")).status_code == 404
    assert (await sides.asks("mall", "POST", f"{path}/1/accept")).status_code == 200
    assert (await sides.asks("first", "GET", "/v1/agreements/new")).json()["windows"][0]["spaces"] == 5


async def test_what_is_set_by_whoever_coordinates_is_a_version_too_and_the_same_again_is_none(sides: Sides) -> None:
    """Neither is a pause: it stays through versions, and is ended by name."""
    for body in (terms(40), terms(35), terms(35), terms(35, paused=True), terms(30), terms(30, paused=False)):
        assert (await sides.client.put("/v1/agreements/a", json=body)).status_code == 200
    said = (await sides.client.get(VERSIONS)).json()["items"]
    assert [one["agreement"]["windows"][0]["spaces"] for one in said][-2:] == [35, 30]
    assert "paused" not in said[-1]["agreement"]
    assert (await sides.client.get("/v1/agreements/a")).json()["paused"] is False
    await sides.client.put("/v1/agreements/a", json=terms(30, paused=True))
    await sides.asks("mall", "POST", VERSIONS, terms(20))
    await sides.asks("first", "POST", f"{VERSIONS}/{len(said) + 1}/accept")
    current = (await sides.client.get("/v1/agreements/a")).json()
    assert (current["paused"], current["windows"][0]["spaces"]) == (True, 20)


async def test_a_version_with_a_first_day_waits_for_it(sides: Sides) -> None:
    """The registry brings it in force by itself; until then the one before holds."""
    await sides.asks("mall", "POST", VERSIONS, terms(10, valid_from="2026-03-03"))
    await sides.asks("first", "POST", f"{VERSIONS}/2/accept")
    assert await sides.spaces() == 40
    clock = sides.room.clock
    assert isinstance(clock, SteppedClock)
    clock.step_to(NOW.replace(hour=16))
    async with in_background(Succession(InMemoryAgreementBook(sides.room), every_s=0.01).run), asyncio.timeout(5):
        while await sides.spaces() != 10:  # noqa: ASYNC110 (it asks as a caller does)
            await asyncio.sleep(0.01)
