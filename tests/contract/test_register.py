"""What the register promises, kept by every store: it gives back what was put, and refuses what breaks a promise."""

import dataclasses
from collections.abc import Awaitable, Callable
from datetime import date, time, timedelta
from decimal import Decimal

import pytest

from bowei.domain.agreements import Agreement, AgreementId, LendingWindow, MarginRule, QuotaStep
from bowei.domain.calendars import HOLIDAY, Calendar
from bowei.domain.choice_rules import ChoiceRules
from bowei.domain.lots import (
    CalendarId,
    GateThresholds,
    HospitalId,
    LotId,
    LotKind,
    Name,
    SourceId,
    SpaceClass,
    Standing,
)
from bowei.domain.places import Point
from bowei.domain.tariffs import Tariff
from bowei.records.holding import Outcome
from bowei.records.registering import Source, SourceKind, StillInUse, UnknownReference
from tests.contract.block import (
    FIRST,
    MALL,
    MALL_FIRST,
    MALL_SECOND,
    OFFICE,
    OFFICE_FIRST,
    OWN,
    SECOND,
    Block,
    a_hospital,
    a_lot,
    drivers,
    lending,
    on,
)
from tests.contract.stores import Stores

CN = CalendarId("cn")
NOWHERE, NOBODY = LotId("nowhere"), HospitalId("nobody")


async def test_a_new_register_is_empty(stores: Stores) -> None:
    """Shows that nothing is registered before somebody does."""
    directory = await stores.register.directory()
    assert (dict(directory.lots), dict(directory.hospitals), directory.agreements) == ({}, {}, ())
    assert list(await stores.register.sources()) == []


async def test_a_lot_is_given_back_as_it_was_put(block: Block) -> None:
    """Shows that every field of a lot survives, and that putting it again replaces it."""
    lot = a_lot(
        LotId("new"),
        77,
        kind=LotKind.PUBLIC,
        timezone="Europe/Zurich",
        block="湖滨",
        barrier_link=False,
        max_height_cm=190,
        classes={SpaceClass.EV: 5, SpaceClass.DISABLED: 2},
        paused=True,
        synthetic=True,
    )
    for version in (lot, dataclasses.replace(lot, capacity=76, paused=False, classes={})):
        await block.register.put_lots([version])
        assert (await block.register.directory()).lots[lot.lot_id] == version


async def test_a_calendar_is_given_back_as_it_was_put(block: Block) -> None:
    """Shows that every day of a calendar survives, and that putting it again replaces all of them."""
    calendar = Calendar(CN, Name("节假日", "Holidays"), {date(2026, 2, 14): 1, date(2026, 2, 16): HOLIDAY})
    for version in (calendar, dataclasses.replace(calendar, days={date(2027, 1, 1): HOLIDAY}, name=Name("假", "H"))):
        before = await block.register.directory_version()
        await block.register.put_calendars([version])
        assert (await block.register.directory()).calendars == {CN: version}
        assert await block.register.directory_version() > before


async def test_a_lot_names_a_calendar_that_there_is(block: Block) -> None:
    """Shows that the name survives, may go again, and that one of nothing is refused."""
    with pytest.raises(UnknownReference, match="unknown_calendar"):
        await block.register.put_lots([a_lot(MALL, 50, calendar=CN)])
    await block.register.put_calendars([Calendar(CN, Name("节假日", "Holidays"), {})])
    for calendar in (CN, None):
        await block.register.put_lots([a_lot(MALL, 50, calendar=calendar)])
        assert (await block.register.directory()).lots[MALL].calendar == calendar


async def test_a_hospital_is_given_back_as_it_was_put(block: Block) -> None:
    """Shows that every field of a hospital survives, in the directory and by its id."""
    hospital = dataclasses.replace(
        a_hospital(HospitalId("third"), MALL),
        door=Point(30.1, 120.1),
        gate=Point(30.2, 120.2),
        block="湖滨",
        radius_m=900,
        thresholds=GateThresholds(filling_at=9, full_at=1, leave_full_at=4, leave_filling_at=13),
        rules=ChoiceRules(value_of_time=90.0, currency="HKD", least_chance=0.95),
    )
    await block.register.put_hospitals([hospital])
    assert (await block.register.directory()).hospitals[hospital.hospital_id] == hospital
    assert await block.register.find_hospital(hospital.hospital_id) == hospital
    assert await block.register.find_hospital(NOBODY) is None


async def test_an_agreement_is_given_back_as_it_was_put(block: Block) -> None:
    """Shows that every field of an agreement survives, and that windows keep their order."""
    agreement = Agreement(
        AgreementId("new"),
        OFFICE,
        SECOND,
        (
            LendingWindow(SpaceClass.STANDARD, 4, frozenset({1, 7}), time(22), time(6), (QuotaStep(time(1), 2),)),
            LendingWindow(SpaceClass.EV, 1, frozenset({3}), time(9, 30), time(23, 59, 59, 999999)),
        ),
        margin=2,
        max_stay=timedelta(days=1, hours=3),
        valid_from=date(2026, 1, 1),
        valid_to=date(2026, 12, 31),
        paused=True,
        margin_rule=MarginRule.FIXED,
        latest_leave=time(11, 30),
        tariff=Tariff(Decimal("7.50"), "HKD", 15, Decimal(60)),
        protects={Standing.DISABLED: 2, Standing.THERAPY: 1},
    )
    plain = dataclasses.replace(
        agreement,
        windows=agreement.windows[1:],
        valid_to=None,
        margin_rule=MarginRule.LAW,
        latest_leave=None,
        tariff=None,
        protects={},
    )
    for version in (agreement, plain):
        await block.register.put_agreements([version])
        assert version in (await block.register.directory()).agreements_for(SECOND)


async def test_agreements_are_listed_in_a_fixed_order(block: Block) -> None:
    """Shows that equal registers give equal rankings."""
    await block.register.put_agreements([lending(AgreementId("a-last"), MALL, FIRST, 1)])
    ids = [agreement.agreement_id for agreement in (await block.register.directory()).agreements_for(FIRST)]
    assert ids == ["a-last", MALL_FIRST, OFFICE_FIRST]


async def test_every_change_makes_a_new_version_of_the_directory(block: Block) -> None:
    """Shows that whoever keeps a copy can tell that it is old, from the very first change on."""
    changes: tuple[Callable[[], Awaitable[None]], ...] = (
        lambda: block.register.put_lots([a_lot(LotId("new"), 1)]),
        lambda: block.register.put_hospitals([a_hospital(HospitalId("third"))]),
        lambda: block.lend(MALL_FIRST, 3),
        lambda: block.register.put_sources([Source(SourceId("s"), SourceKind.NATIVE)]),
        lambda: block.register.pause_lot(MALL, paused=True),
        lambda: block.register.remove_agreement(OFFICE_FIRST),
    )
    for change in changes:
        before = await block.register.directory_version()
        await change()
        after = await block.register.directory_version()
        assert before < after == (await block.register.directory()).version


async def test_the_first_change_of_all_is_seen(stores: Stores) -> None:
    """Shows that a copy of the empty register is told to be old by the first lot."""
    before = await stores.register.directory_version()
    await stores.register.put_lots([a_lot(MALL, 50)])
    assert await stores.register.directory_version() > before


async def test_a_change_that_is_refused_changes_nothing(block: Block) -> None:
    """Shows that what is put together is kept together, or not at all, and makes no new version."""
    before = await block.register.directory()
    with pytest.raises(UnknownReference):
        await block.register.put_agreements(
            [lending(AgreementId("good"), MALL, FIRST, 1), lending(AgreementId("bad"), NOWHERE, FIRST, 1)]
        )
    assert await block.register.directory() == before


async def test_what_is_not_registered_can_not_be_referred_to(block: Block) -> None:
    """Shows that each missing thing is named by its own code."""
    register = block.register
    refused = {
        "unknown_lot": [
            register.put_hospitals([a_hospital(HospitalId("third"), NOWHERE)]),
            register.put_agreements([lending(AgreementId("new"), NOWHERE, FIRST, 1)]),
            register.put_sources([Source(SourceId("s"), SourceKind.NATIVE, lots=(("p1", NOWHERE),))]),
            register.pause_lot(NOWHERE, paused=True),
        ],
        "unknown_hospital": [register.put_agreements([lending(AgreementId("new"), MALL, NOBODY, 1)])],
        "unknown_agreement": [register.remove_agreement(AgreementId("new"))],
    }
    for code, acts in refused.items():
        for act in acts:
            with pytest.raises(UnknownReference) as caught:
                await act
            assert caught.value.code == code


async def test_a_lot_is_not_made_smaller_than_what_is_held_on_it(block: Block) -> None:
    """Shows that drivers on their way keep their spaces: the capacity stays until they have come or gone."""
    await block.granted_to(drivers(3))
    with pytest.raises(StillInUse):
        await block.register.put_lots([a_lot(MALL, 2)])
    assert (await block.register.directory()).lots[MALL].capacity == 50
    await block.register.put_lots([a_lot(MALL, 3)])
    assert (await block.register.directory()).lots[MALL].capacity == 3


async def test_a_pause_shows_in_the_directory_until_it_ends(block: Block) -> None:
    """Shows that a pause can be said twice, and undone."""
    for paused in (True, True, False):
        await block.register.pause_lot(MALL, paused=paused)
        assert (await block.register.directory()).lots[MALL].paused is paused


async def test_an_agreement_moves_to_another_lot_only_when_nothing_runs_under_it(block: Block) -> None:
    """Shows that holds and stays keep an agreement where it is, and that it is counted on its new lot afterwards."""
    moved = lending(MALL_FIRST, OFFICE, FIRST, 40)
    await block.ask("ann")
    with pytest.raises(StillInUse):
        await block.register.put_agreements([moved])
    await block.arrive("ann")
    await block.pass_time(seconds=1)
    await block.report(MALL, free=49)
    await block.book.sweep()
    with pytest.raises(StillInUse):
        await block.register.put_agreements([moved])
    await block.leave("ann")
    await block.register.put_agreements([moved])
    decision = await block.ask("bob")
    assert decision.hold is not None
    assert decision.hold.lot_id == OFFICE
    assert (await block.promise(OFFICE)).pools["mall-first/standard"].held == 1
    assert await block.held(MALL) == 0


async def test_an_agreement_is_removed_only_if_nothing_was_ever_counted_against_it(block: Block) -> None:
    """Shows that the history of a hold keeps its agreement; a pause or a last day ends it instead."""
    await block.ask("ann")
    await block.release("ann")
    with pytest.raises(StillInUse):
        await block.register.remove_agreement(MALL_FIRST)
    await block.register.remove_agreement(MALL_SECOND)
    ids = {agreement.agreement_id for agreement in (await block.register.directory()).agreements}
    assert ids == {MALL_FIRST, OFFICE_FIRST}
    assert (await block.ask("bob", on(MALL_FIRST))).outcome is Outcome.GRANTED


async def test_a_source_is_given_back_as_it_was_put(block: Block) -> None:
    """Shows that every field survives, that one lot may have several codes, and that putting it again replaces it."""
    native = Source(
        SourceId("native"), SourceKind.NATIVE, key_sha256=b"k" * 32, lots=(("p1", MALL), ("p2", OFFICE), ("p3", MALL))
    )
    city = Source(SourceId("city"), SourceKind.CITYBRAIN, public_key="a PEM", suspended=True, lots=(("p1", OWN),))
    await block.register.put_sources([native, city])
    assert {source.source_id: source for source in await block.register.sources()} == {"native": native, "city": city}
    fewer = dataclasses.replace(native, key_sha256=None, lots=(("p2", MALL),))
    await block.register.put_sources([fewer])
    assert {source.source_id: source for source in await block.register.sources()} == {"native": fewer, "city": city}


async def test_a_gate_has_one_key_at_a_time(block: Block) -> None:
    """Shows that a new key ends the one before, for its own hospital alone, and that it is seen by its version."""
    before = await block.register.directory_version()
    await block.register.put_gate_key(FIRST, b"1" * 32)
    await block.register.put_gate_key(SECOND, b"2" * 32)
    await block.register.put_gate_key(FIRST, b"3" * 32)
    assert await block.register.gate_keys() == {b"3" * 32: FIRST, b"2" * 32: SECOND}
    assert await block.register.directory_version() > before
    with pytest.raises(UnknownReference) as unknown:
        await block.register.put_gate_key(NOBODY, b"4" * 32)
    assert unknown.value.code == "unknown_hospital"
