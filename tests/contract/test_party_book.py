"""What the party book promises, kept by every store: who may sign in, and how the first administrator does."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from bowei.domain.acts import Act
from bowei.domain.lots import HospitalId, LotId, Name
from bowei.domain.parties import Party, PartyId, Role
from tests.contract.block import MONDAY_9H
from tests.contract.stores import Stores

MALL = Party(
    PartyId("gonglian"),
    Role.OPERATOR,
    Name("工联", "Gonglian"),
    lots=frozenset({LotId("mall"), LotId("office")}),
    secret_sha256=b"\x01" * 32,
)
OFFICE = Party(
    PartyId("hubin"),
    Role.STREET_OFFICE,
    Name("湖滨街道", "Hubin"),
    hospitals=frozenset({HospitalId("first")}),
    blocks=frozenset({"湖滨"}),
    suspended=True,
)
FIRST = Party(PartyId("li"), Role.ADMINISTRATOR, Name("李", "Li"), secret_sha256=b"\x02" * 32)
CODE, OTHER = b"\x07" * 32, b"\x08" * 32
HOUR = timedelta(hours=1)
ACT = Act("first-code", "make_first_administrator", "/v1/first-administrator", "done")


async def test_a_party_comes_back_as_it_was_put(stores: Stores) -> None:
    """Every field of it, alone and listed; putting it again is a change, not a second one."""
    assert await stores.parties.find(MALL.party_id) is None
    assert [await stores.parties.put(one) for one in (OFFICE, MALL, MALL)] == [True, True, False]
    assert await stores.parties.find(MALL.party_id) == MALL
    assert list(await stores.parties.parties()) == [MALL, OFFICE]


async def test_a_secret_stays_until_it_is_changed_by_name(stores: Stores) -> None:
    """Who changes a party's name, or registers it twice at once, locks nobody out."""
    secrets = [bytes([number]) * 32 for number in range(4)]
    fresh = await asyncio.gather(*(stores.parties.put(replace(MALL, secret_sha256=one)) for one in secrets))
    first = secrets[fresh.index(True)]
    assert sorted(fresh) == [False, False, False, True]
    await stores.parties.put(replace(MALL, name=Name("新", "New"), lots=frozenset(), secret_sha256=None))
    assert await stores.parties.find(MALL.party_id) == replace(
        MALL, name=Name("新", "New"), lots=frozenset(), secret_sha256=first
    )
    assert await stores.parties.change_secret(MALL.party_id, b"\x09" * 32)
    found = await stores.parties.find(MALL.party_id)
    assert found is not None
    assert found.secret_sha256 == b"\x09" * 32
    assert not await stores.parties.change_secret(OFFICE.party_id, b"\x09" * 32)


async def test_a_code_makes_one_administrator_and_is_over(stores: Stores) -> None:
    """Whoever comes at the same time, or with another code, gets nothing; the act is noted with it."""
    assert await stores.parties.offer_code(CODE, HOUR)
    assert not await stores.parties.offer_code(OTHER, HOUR)
    assert not await stores.parties.make_first(FIRST, OTHER, ACT)
    others = [replace(FIRST, party_id=PartyId(f"li-{number}")) for number in range(4)]
    made = await asyncio.gather(*(stores.parties.make_first(one, CODE, ACT) for one in others))
    assert sorted(made) == [False, False, False, True]
    assert [party.party_id for party in await stores.parties.parties()] == [others[made.index(True)].party_id]
    assert [entry.act for entry in await stores.audit.entries(0)] == [ACT]
    assert not await stores.parties.offer_code(OTHER, HOUR)
    assert not await stores.parties.make_first(FIRST, CODE, ACT)


async def test_a_code_that_was_not_used_runs_out(stores: Stores) -> None:
    """Then another may be offered."""
    await stores.parties.offer_code(CODE, HOUR)
    await stores.step_to(MONDAY_9H + HOUR)
    assert not await stores.parties.make_first(FIRST, CODE, ACT)
    assert await stores.parties.offer_code(OTHER, HOUR)
    assert await stores.parties.make_first(FIRST, OTHER, ACT)


async def test_who_put_an_administrator_needs_no_code(stores: Stores) -> None:
    """A code that was offered before opens nothing any more."""
    await stores.parties.offer_code(CODE, HOUR)
    await stores.parties.put(FIRST)
    assert not await stores.parties.make_first(replace(FIRST, party_id=PartyId("other")), CODE, ACT)
    await stores.step_to(MONDAY_9H + 2 * HOUR)
    assert not await stores.parties.offer_code(OTHER, HOUR)
