"""Which lot comes first: what is sure, what was asked for, what costs less, and whose turn it is."""

import dataclasses
import random
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowei.domain.agreements import EVERY_DAY, Agreement, LendingWindow, MarginRule, QuotaStep
from bowei.domain.calendars import HOLIDAY, Calendar
from bowei.domain.choice_rules import ChoiceRules
from bowei.domain.choosing import Approach, Considered, LotNow, Need, candidates
from bowei.domain.comparing import Comparing, consider
from bowei.domain.directory import Directory
from bowei.domain.forecasting import Foreseen
from bowei.domain.lots import CalendarId, Hospital, Lot, LotId, Name, SpaceClass, Standing
from bowei.domain.margins import lawful_margin, quantile
from bowei.domain.offering import NO_POOL, LotPromise, PoolPromise, Report, offered, pool_key
from bowei.domain.tariffs import Tariff
from tests.unit.test_choosing import HOSPITAL, MONDAY_9H, a_lot, lends, look_at, reported, way

STANDARD, DISABLED, EV = SpaceClass.STANDARD, SpaceClass.DISABLED, SpaceClass.EV
LAW = MarginRule.LAW


def a_hospital(**rules: Any) -> Hospital:
    """Give the hospital with some rules of its own."""
    return dataclasses.replace(HOSPITAL, rules=ChoiceRules(**rules))


def ranked(
    lots: dict[str, dict[str, Any]],
    need: Need | None = None,
    hospital: Hospital = HOSPITAL,
    calendars: Sequence[Calendar] = (),
    **other: Any,
) -> list[Considered]:
    """Compare lots, each with its drive, agreement and what is known of it now."""
    agreements = [lends(name, **said.get("agreement", {})) for name, said in lots.items()]
    directory = Directory.of(
        1, [a_lot(name, **said.get("lot", {})) for name, said in lots.items()], [hospital], agreements, calendars
    )
    now_of = {LotId(name): said.get("now", LotNow(reported())) for name, said in lots.items()}
    ways = {LotId(name): way(said.get("drive_s", 100.0), said.get("walk_s", 60.0)) for name, said in lots.items()}
    return consider(hospital, directory, now_of, ways, need or Need(), MONDAY_9H, **other)


def order(considered: list[Considered]) -> list[str]:
    """Give the candidates' names in order."""
    return [str(one.lot_id) for one in candidates(considered)]


def few(free: int, volatility: float = 2.0, **promise: Any) -> LotNow:
    """Give a lot with few spaces left."""
    return LotNow(reported(free=free), LotPromise(**promise), Foreseen(volatility))


def test_a_lot_that_lends_on_weekdays_is_not_shared_on_a_holiday() -> None:
    """By its own calendar: the other lot's Monday is a Monday."""
    today = MONDAY_9H.astimezone(ZoneInfo("Asia/Shanghai")).date()
    calendar = Calendar(CalendarId("cn"), Name("节假日", "Holidays"), {today: HOLIDAY})
    mondays = {"agreement": {"windows": (LendingWindow(SpaceClass.STANDARD, 40, frozenset({1})),)}}
    found = ranked({"a": {**mondays, "lot": {"calendar": calendar.calendar_id}}, "b": mondays}, calendars=[calendar])
    assert {str(one.lot_id): one.excluded for one in found} == {"a": "not_shared_now", "b": None}


# ------------------------------------------------------------------------------------------------ how sure a space is


def test_a_sure_space_farther_off_comes_before_an_unsure_one_nearby() -> None:
    """Who arrives at a full lot loses eight minutes: nobody is sent to a likely refusal while another lot is sure."""
    found = ranked({"near": {"now": few(2)}, "far": {"drive_s": 900.0}})
    assert order(found) == ["far", "near"]
    assert [(one.unsure, one.chance < 0.9) for one in found] == [(False, False), (True, True)]


def test_where_no_space_is_sure_the_best_of_the_unsure_is_taken() -> None:
    """An even chance, said plainly, is better for the driver than no answer."""
    found = ranked({"near": {"now": few(2)}, "far": {"now": few(2), "drive_s": 900.0}})
    assert order(found) == ["near", "far"]
    assert all(one.unsure for one in found)


def test_who_stands_first_must_be_surer() -> None:
    """0.98 for priority classes: a driver who can't walk far must not be sent on."""
    near = {"now": few(3)}
    assert not ranked({"near": near})[0].unsure
    assert ranked({"near": near}, Need(standing=Standing.THERAPY))[0].unsure


def test_a_hospital_may_be_content_with_less() -> None:
    """Its rules are its own."""
    assert not ranked({"near": {"now": few(2)}}, hospital=a_hospital(least_chance=0.5))[0].unsure


def test_the_chance_is_that_of_the_arrival_and_an_old_report_counts_as_time() -> None:
    """A drive of ten minutes and a report ten minutes old are twenty minutes in which others come."""
    restless = Foreseen(9.0)
    fresh = ranked({"mall": {"drive_s": 600.0, "now": LotNow(reported(), foreseen=restless)}})[0]
    old = LotNow(reported(observed_at=MONDAY_9H - timedelta(minutes=10)), foreseen=restless)
    aged = ranked({"mall": {"drive_s": 600.0, "now": old}})[0]
    assert fresh.chance == round(restless.chance(20, timedelta(minutes=11)), 2) == 0.93
    assert aged.chance == round(restless.chance(20, timedelta(minutes=20)), 2) == 0.86


def test_where_the_barrier_keeps_the_space_only_the_count_may_be_old() -> None:
    """Nobody else is let in for a held space, however long the drive is; what came since the report may have."""
    linked, restless = {"barrier_link": True}, Foreseen(9.0)
    old = LotNow(reported(observed_at=MONDAY_9H - timedelta(minutes=10)), foreseen=restless)
    far = {"drive_s": 1_800.0, "now": old}
    kept, unkept = ranked({"mall": far | {"lot": linked}})[0], ranked({"mall": far})[0]
    assert kept.chance == round(restless.chance(20, timedelta(minutes=10)), 2) == 0.94
    assert unkept.chance == round(restless.chance(20, timedelta(minutes=40)), 2)
    by_law = far | {"agreement": {"margin_rule": LAW}}
    margin = lawful_margin(quantile(ChoiceRules().margin_chance), 9.0, 600.0)
    assert ranked({"mall": by_law | {"lot": linked}})[0].margin == margin < ranked({"mall": by_law})[0].margin


# ------------------------------------------------------------------------------------------------- what is kept back


def test_the_margin_law_keeps_back_what_own_customers_may_take() -> None:
    """At s = 2 and 160 s ahead two spaces; what is stated is the least."""
    assert look_at(a_lot("mall"), lends("mall", margin_rule=LAW, margin=1)).margin == 2
    assert look_at(a_lot("mall"), lends("mall", margin_rule=LAW, margin=7)).margin == 7
    assert look_at(a_lot("mall"), lends("mall", margin_rule=MarginRule.FIXED, margin=1)).margin == 1


def test_what_was_refused_on_arrival_keeps_more_back_where_the_law_is_followed() -> None:
    """The count or the law was wrong there."""
    often = LotNow(reported(), LotPromise(refusal_rate=0.05))
    assert look_at(a_lot("mall"), lends("mall", margin_rule=LAW), often).margin == 4
    assert look_at(a_lot("mall"), lends("mall", margin=1), often).margin == 1


def test_what_is_protected_for_those_who_stand_first_is_kept_from_the_others() -> None:
    """Two for disabled drivers: a visitor gets none of the last two, a disabled driver does."""
    shared: dict[str, Any] = {"now": few(3), "agreement": {"protects": {Standing.DISABLED: 2}, "margin": 1}}
    assert [one.excluded for one in ranked({"mall": shared})] == ["held_out"]
    with_disabled = {**shared, "agreement": {**shared["agreement"], "windows": (LendingWindow(DISABLED, 5),)}}
    (one,) = ranked({"mall": with_disabled}, Need(DISABLED))
    assert (one.excluded, one.offered) == (None, 2)


# ------------------------------------------------------------------------------------------------------- who it is for


def test_a_slow_walker_is_sent_where_the_walk_is_short() -> None:
    """Each step weighs two and a half times."""
    lots = {"long-walk": {"walk_s": 400.0}, "long-drive": {"drive_s": 300.0, "walk_s": 240.0}}
    assert order(ranked(lots)) == ["long-walk", "long-drive"]
    assert order(ranked(lots, Need(slow_walker=True))) == ["long-drive", "long-walk"]


BOTH = {"agreement": {"windows": (LendingWindow(STANDARD, 10), LendingWindow(DISABLED, 2))}}
TAKEN = LotNow(reported(), LotPromise(held=2, pools={pool_key("near-first", DISABLED): PoolPromise(2)}))


def test_a_disabled_driver_gets_a_disabled_space_farther_off_before_a_standard_one_nearby() -> None:
    """What was asked for comes first."""
    found = ranked({"near": {}, "far": {**BOTH, "drive_s": 900.0}}, Need(DISABLED))
    assert [(one.lot_id, one.space_class, one.instead) for one in candidates(found)] == [
        ("far", DISABLED, False),
        ("near", STANDARD, True),
    ]


def test_a_disabled_driver_gets_a_standard_space_where_no_disabled_one_is_left() -> None:
    """A narrow space near the door is better than none; the driver is told."""
    (one,) = ranked({"near": {**BOTH, "now": TAKEN}}, Need(DISABLED))
    assert (one.excluded, one.space_class, one.instead) == (None, STANDARD, True)


def test_who_asks_for_a_charger_is_not_given_a_space_without() -> None:
    """They may ask again for a standard one."""
    assert [one.excluded for one in ranked({"near": {}}, Need(EV))] == ["no_class"]


# ------------------------------------------------------------------------------------------------------ price and stay


def test_a_dear_lot_is_passed_over_for_a_free_one_a_little_farther() -> None:
    """Eight yuan for two hours are sixteen minutes at sixty an hour."""
    dear = {"agreement": {"tariff": Tariff(Decimal(8))}}
    found = ranked({"dear": dear, "free": {"drive_s": 900.0}})
    assert order(found) == ["free", "dear"]
    assert found[1].fee is not None
    assert (found[1].fee.amount, found[1].fee.text) == (Decimal(16), "16.00 CNY")
    assert found[1].fee_s == pytest.approx(960.0)
    assert order(ranked({"dear": dear, "free": {"drive_s": 900.0}}, Need(stay=timedelta(hours=1)))) == ["dear", "free"]


TAPER = (LendingWindow(STANDARD, 10, EVERY_DAY, time(7), time(13), (QuotaStep(time(10), 4), QuotaStep(time(12), 0))),)


@pytest.mark.parametrize(
    ("stay", "excluded"),
    [(timedelta(hours=2, minutes=50), None), (timedelta(hours=3), "stay_too_long"), (None, None)],
)
def test_nobody_is_sent_where_they_would_still_stand_when_nothing_is_lent(
    stay: timedelta | None, excluded: str | None
) -> None:
    """At nine until noon is three hours less the drive; who does not say stays two."""
    (one,) = ranked({"mall": {"agreement": {"windows": TAPER}}}, Need(stay=stay))
    assert one.excluded == excluded
    assert one.out_by == datetime(2026, 3, 2, 12)  # noqa: DTZ001 (a wall clock)


def test_an_agreement_may_say_when_every_car_must_be_out() -> None:
    """Eleven o'clock is too early for two hours from nine and a drive."""
    (one,) = ranked({"mall": {"agreement": {"latest_leave": time(11)}}})
    assert (one.excluded, one.out_by) == ("stay_too_long", datetime(2026, 3, 2, 11))  # noqa: DTZ001 (a wall clock)
    (one,) = ranked({"mall": {"agreement": {"latest_leave": time(8)}}})
    assert (one.excluded, one.out_by) == (None, datetime(2026, 3, 3, 8))  # noqa: DTZ001 (a wall clock)


def test_without_a_taper_only_the_arrival_must_fall_into_the_window() -> None:
    """As agreements without steps were always read."""
    windows = (LendingWindow(STANDARD, 10, EVERY_DAY, time(7), time(10)),)
    (one,) = ranked({"mall": {"agreement": {"windows": windows}}}, Need(stay=timedelta(hours=5)))
    assert (one.excluded, one.out_by) == (None, None)


# ------------------------------------------------------------------------------------------------------------ rotation


def test_lots_that_cost_the_same_take_turns_so_that_no_mall_bears_all() -> None:
    """A hundred drivers over three lots within 30 s of each other, of different sizes: each bears its share."""
    lent = {"a": 60, "b": 30, "c": 30}
    drives = {"a": 100.0, "b": 110.0, "c": 125.0}
    held = dict.fromkeys(lent, 0)
    for _ in range(100):
        lots = {
            name: {
                "drive_s": drives[name],
                "lot": {"capacity": 300},
                "agreement": {"windows": (LendingWindow(STANDARD, lent[name]),)},
                "now": LotNow(
                    reported(free=200),
                    LotPromise(held=held[name], pools={pool_key(f"{name}-first", STANDARD): PoolPromise(held[name])}),
                ),
            }
            for name in lent
        }
        held[order(ranked(lots))[0]] += 1
    loads = [held[name] / lent[name] for name in lent]
    assert sum(held.values()) == 100
    assert max(loads) - min(loads) <= 1 / 30


def test_turns_are_taken_only_within_thirty_seconds_of_the_cheapest() -> None:
    """The band does not creep on: c is within 30 s of b, but not of a, and a is loaded."""
    loaded = LotNow(reported(), LotPromise(held=1, pools={pool_key("a-first", STANDARD): PoolPromise(1)}))
    lots: dict[str, dict[str, Any]] = {
        "a": {"now": loaded, "drive_s": 60.0},
        "b": {"drive_s": 105.0},
        "c": {"drive_s": 125.0},
    }
    assert order(ranked(lots)) == ["b", "a", "c"]
    assert order(ranked(lots, hospital=a_hospital(rotation_s=0.0))) == ["a", "b", "c"]


def test_a_shadow_price_moves_drivers_off_a_lot_that_others_will_need() -> None:
    """Nothing is added where none is said."""
    lots = {"near": {}, "far": {"drive_s": 200.0}}
    assert order(ranked(lots)) == ["near", "far"]
    priced = ranked(lots, shadow_prices={LotId("near"): 300.0})
    assert order(priced) == ["far", "near"]
    assert priced[1].shadow_s == 300.0


# ---------------------------------------------------------------------------------------------------------- invariants

free_counts = st.integers(0, 12)
promises = st.builds(
    lambda held, stays, rate: LotPromise(
        held=held, stays=stays, pools={pool_key("mall-first", STANDARD): PoolPromise(held, stays)}, refusal_rate=rate
    ),
    st.integers(0, 12),
    st.integers(0, 12),
    st.floats(0, 1),
)
reports = st.builds(
    lambda free, opened, of_class, age_s: reported(
        free=free, open=opened, free_by_class=of_class, observed_at=MONDAY_9H - timedelta(seconds=age_s)
    ),
    st.one_of(st.none(), free_counts),
    st.one_of(st.none(), free_counts),
    st.dictionaries(st.just(STANDARD), free_counts),
    st.integers(-5, 700),
)
lots_now = st.builds(LotNow, reports, promises, st.builds(Foreseen, st.floats(0.25, 9)))
margins = st.builds(
    lambda margin, rule, protected: {"margin": margin, "margin_rule": rule, "protects": protected},
    st.integers(0, 4),
    st.sampled_from(MarginRule),
    st.dictionaries(st.sampled_from([Standing.DISABLED, Standing.THERAPY]), st.integers(0, 3)),
)


@given(lots_now, margins, st.floats(1, 1800))
def test_no_more_is_offered_than_the_ledgers_rule_leaves_and_never_less_than_none(
    now: LotNow, terms: dict[str, Any], drive_s: float
) -> None:
    """Ranking offers what the domain's `offered` gives with the margin, which is never below the stated."""
    one = look_at(a_lot("mall"), lends("mall", **terms), now, way(drive_s))
    assert one.margin >= (terms["margin"] if one.offered is not None else 0)
    if one.excluded is None:
        report: Report | None = now.report
        assert report is not None
        pool = now.promise.pools.get(pool_key("mall-first", STANDARD), NO_POOL)
        rule = offered(report, now.promise, pool, lent=10, margin=one.margin, space_class=STANDARD)
        assert one.offered == rule >= 1
        assert 0.5 <= one.chance <= 1.0
        parts = (one.fill_s, one.failure_s, one.fee_s, one.walking_s, one.shadow_s)
        assert min(parts) >= 0.0
        assert one.cost_s == pytest.approx(drive_s + sum(parts))
    if terms["margin_rule"] is LAW and one.offered is not None:
        ahead_s = drive_s + max(0.0, one.age_s or 0.0)
        assert one.margin >= lawful_margin(quantile(0.9), now.foreseen.volatility, ahead_s)


@given(lots_now, st.floats(1, 900), st.floats(0, 900), st.floats(0, 900))
def test_what_is_worse_in_one_thing_never_costs_less(
    now: LotNow, drive_s: float, more_s: float, more_walk_s: float
) -> None:
    """Monotone in the drive (which also makes a space less sure) and in the walk."""
    nearer = look_at(a_lot("mall"), lends("mall"), now, way(drive_s))
    farther = look_at(a_lot("mall"), lends("mall"), now, way(drive_s + more_s))
    on_foot = look_at(a_lot("mall"), lends("mall"), now, way(drive_s, 60.0 + more_walk_s))
    assert nearer.cost_s <= farther.cost_s + 1e-9
    assert nearer.cost_s <= on_foot.cost_s + 1e-9


blocks = st.lists(st.tuples(lots_now, margins, st.floats(1, 600)), min_size=1, max_size=6)
needs = st.builds(
    Need,
    st.sampled_from(SpaceClass),
    st.sampled_from([None, 190, 210]),
    st.sampled_from([None, timedelta(hours=1), timedelta(hours=20)]),
    st.booleans(),
    st.sampled_from(Standing),
)


@given(blocks, needs, st.randoms(use_true_random=False), st.integers(0, 90))
def test_equal_input_gives_the_equal_ranking_in_whatever_order_it_comes_and_however_often_it_was_asked(
    block: list[tuple[LotNow, dict[str, Any], float]], need: Need, chance: random.Random, later_s: int
) -> None:
    """Nothing of what was worked out for the driver before shows in the answer to the next."""
    lots = [a_lot(f"lot-{number}") for number in range(len(block))]
    both = (LendingWindow(STANDARD, 8), LendingWindow(DISABLED, 2))
    agreements = [lends(f"lot-{number}", windows=both, **terms) for number, (_, terms, _) in enumerate(block)]
    now_of = {lot.lot_id: now for lot, (now, _, _) in zip(lots, block, strict=True)}
    ways: dict[LotId, Approach] = {lot.lot_id: way(drive_s) for lot, (_, _, drive_s) in zip(lots, block, strict=True)}
    ready = Comparing(HOSPITAL, _directory(lots, agreements))
    ready.consider(now_of, ways, Need(), MONDAY_9H)
    later = MONDAY_9H + timedelta(seconds=later_s)
    first = ready.consider(now_of, ways, need, later)
    chance.shuffle(agreements)
    again = consider(HOSPITAL, _directory(lots, agreements), dict(reversed(now_of.items())), ways, need, later)
    assert first == again
    tiers = [one.instead + 2 * one.unsure for one in candidates(first)]
    assert tiers == sorted(tiers)


def _directory(lots: list[Lot], agreements: list[Agreement]) -> Directory:
    return Directory.of(1, lots, [HOSPITAL], agreements)
