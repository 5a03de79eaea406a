"""The block's morning: nobody parks where no space is, equal seeds give equal days, waits are as reckoned by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from services.local.cli import app
from services.local.evaluate.block import tables
from services.local.evaluate.block.benching import HINDSIGHT, POLICIES, bench
from services.local.evaluate.block.driving import Outcome, drive_morning
from services.local.evaluate.block.hindsight import least_extra_s
from services.local.evaluate.block.policies import NearestByAir, NearestShownFree, QueueAndWait
from services.local.evaluate.block.product import Ours
from services.local.evaluate.block.scene import (
    ASKS_BEFORE_M,
    CASES,
    DRIVE_SPEED_M_S,
    OWN_PATIENCE_S,
    REFUSED_S,
    SPACES,
    Case,
    Morning,
    make_morning,
)

_BASE = Case()
_LATE_S = 100_000.0


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("policy", POLICIES)
def test_no_lot_is_over_its_spaces_and_everyone_parks(policy: str, case: Case) -> None:
    """Whatever is known and whoever asks, a space has one car, and the day ends with nobody on the road."""
    outcome = drive_morning(make_morning(3, case), POLICIES[policy](), case)
    assert outcome.over == 0
    assert outcome.extra_s > 0
    assert 0 <= outcome.own_turned_away <= 1


def test_equal_seeds_give_equal_mornings() -> None:
    """A figure of the docs can be had again by its seed; another case has the same people."""
    assert drive_morning(make_morning(4, _BASE), Ours(), _BASE) == drive_morning(make_morning(4, _BASE), Ours(), _BASE)
    fewer = make_morning(4, Case(with_app=0.4))
    assert np.array_equal(fewer.sets_out_s, make_morning(4, _BASE).sets_out_s)
    assert fewer.has_app.mean() == pytest.approx(0.4, abs=0.1)


def test_the_status_quo_has_the_queue_that_hangzhou_had() -> None:
    """Up to 70 cars stood before the hospital: with its spaces, stays and demand the queue comes by itself."""
    queues = [drive_morning(make_morning(seed, _BASE), QueueAndWait(), _BASE).queue_mean for seed in range(1, 11)]
    assert 40 < np.mean(queues) < 90


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nobody_beats_hindsight(seed: int) -> None:
    """Who knows everything beforehand gets everyone in sooner than any policy."""
    morning = make_morning(seed, _BASE)
    least_s = least_extra_s(morning)
    assert 0 < least_s < min(drive_morning(morning, policy(), _BASE).extra_s for policy in POLICIES.values())


def test_holds_spare_drivers_a_second_way_and_own_customers_a_wait() -> None:
    """Against what apps do today, on days of which none is scored: fewer refused, less delay of own customers."""
    days = [make_morning(seed, _BASE) for seed in range(301, 306)]
    shown = [drive_morning(day, NearestShownFree(), _BASE) for day in days]
    held = [drive_morning(day, Ours(), _BASE) for day in days]
    for field in ("refused", "own_delay_s", "extra_s"):
        assert _mean(held, field) < _mean(shown, field)


def test_displacement_prices_reach_the_ranking() -> None:
    """What drivers wanted makes lots dearer to the next ones: the same morning takes another course."""
    morning = make_morning(301, _BASE)
    assert drive_morning(morning, Ours(priced=True), _BASE) != drive_morning(morning, Ours(), _BASE)


def _mean(outcomes: list[Outcome], field: str) -> float:
    return float(np.mean([getattr(outcome, field) for outcome in outcomes]))


def _tiny(visitors: int, own: tuple[tuple[float, int, float], ...] = ()) -> Morning:
    """A hospital that is full until 1,800 s, a lot of four spaces 600 m to its east; all start 3 km to the west."""
    return Morning(
        lots_m=np.array([[600.0, 0.0]]),
        lent=np.array([4]),
        spaces=np.array([4]),
        sets_out_s=np.linspace(0.0, 10.0 * (visitors - 1), visitors),
        from_m=np.tile([-3_000.0, 0.0], (visitors, 1)),
        stay_s=np.full(visitors, 7_200.0),
        pace=np.ones(visitors),
        has_app=np.ones(visitors, np.int64),
        comes=np.ones(visitors, np.int64),
        leaves_first_s=np.array([1_800.0, *([_LATE_S] * (SPACES - 1))]),
        own_leave_first=(),
        own=(*own, (_LATE_S, 0, 1.0)),
    )


_DRIVE_S, _ON_S, _WALK_S = 3_000 * 1.4 / 6, 600 * 1.4 / 6, 600 * 1.3 / 1.2


def test_who_waits_waits_until_somebody_leaves() -> None:
    """One visitor reaches a full gate after 700 s, and parks when a car leaves at 1,800 s."""
    outcome = drive_morning(_tiny(1), QueueAndWait(), _BASE)
    assert outcome.extra_s == pytest.approx(1_800 - _DRIVE_S)
    assert outcome.queue_max == 1
    assert outcome.queue_mean == pytest.approx((1_800 - _DRIVE_S) / (4 * 3600))


def test_who_is_sent_on_drives_and_walks_back() -> None:
    """From a full gate 600 m on and on foot back; asked on the way, the same straight line is driven."""
    assert drive_morning(_tiny(1), NearestByAir(), _BASE).extra_s == pytest.approx(_ON_S + _WALK_S)
    asked = drive_morning(_tiny(1), Ours(margin=0), _BASE)
    assert asked.extra_s == pytest.approx(_ON_S + _WALK_S)
    assert asked.extra_km == pytest.approx(0.84)
    assert ASKS_BEFORE_M < 3_000 * 1.4


def test_what_is_kept_back_and_what_is_held_is_not_offered_again() -> None:
    """Four spaces and a margin of three: the second driver is not sent to the lot, and waits at the gate."""
    outcome = drive_morning(_tiny(2), Ours(margin=3), _BASE)
    assert outcome.sent == 1
    assert outcome.queue_max == 1
    assert drive_morning(_tiny(2), Ours(margin=0), _BASE).sent == 2


def test_who_is_refused_asks_again_and_waits_at_the_gate() -> None:
    """Own customers fill the lot while a visitor is on the way: refused there, back, and on in the queue."""
    asks_s = (3_000 * 1.4 - ASKS_BEFORE_M) / DRIVE_SPEED_M_S
    late = _tiny(1, own=tuple((asks_s + 20, 0, _LATE_S) for _ in range(4)))
    outcome = drive_morning(late, Ours(margin=0), replace(_BASE, feed_age_s=0.0))
    assert outcome.refused == 1
    assert outcome.extra_s == pytest.approx(max(1_800 - _DRIVE_S, _ON_S + REFUSED_S + _ON_S))


def test_an_own_customer_who_finds_it_full_waits_ten_minutes_and_drives_home() -> None:
    """Four own customers stay; of two more, who wait ten minutes each, both drive home."""
    own = tuple((float(number), 0, _LATE_S) for number in range(6))
    outcome = drive_morning(_tiny(1, own), QueueAndWait(), _BASE)
    assert outcome.own_turned_away == pytest.approx(2 / 7)
    assert outcome.own_delay_s == pytest.approx(2 * OWN_PATIENCE_S / 7)


def test_an_own_customer_who_waits_parks_when_somebody_leaves() -> None:
    """Four stay 300 s from the start; a fifth, who comes at 10 s, waits 290 s; the sixth finds a space much later."""
    own = (*((0.0, 0, 300.0) for _ in range(4)), (10.0, 0, 60.0))
    outcome = drive_morning(_tiny(1, own), QueueAndWait(), _BASE)
    assert outcome.own_delay_s == pytest.approx(290 / 6)
    assert outcome.own_turned_away == 0


def test_staff_ask_for_who_has_no_app() -> None:
    """Without the app a driver waits at the gate, unless its staff send the car on."""
    morning = replace(_tiny(1), has_app=np.zeros(1, np.int64))
    assert drive_morning(morning, Ours(margin=0), _BASE).queue_max == 1
    assert drive_morning(morning, Ours(margin=0, staff_ask=True), _BASE).extra_s == pytest.approx(_ON_S + _WALK_S)


def test_who_never_comes_loses_the_hold() -> None:
    """A no-show keeps one of two spaces from the next driver, until the hold expires."""
    nobody = replace(_tiny(2), comes=np.array([0, 1]))
    assert drive_morning(nobody, Ours(margin=3), _BASE).sent == 1
    much_later = replace(nobody, sets_out_s=np.array([0.0, 1_000.0]))
    assert drive_morning(much_later, Ours(margin=3), _BASE).sent == 2


def test_results_are_kept_and_shown(tmp_path: Path) -> None:
    """Lines are not run again, and a table has a row for each policy and the optimum."""
    file, said = tmp_path / "block.jsonl", list[str]()
    lines = bench((1, 2), CASES[:1], file, said.append)
    before = file.read_text()
    assert bench((1, 2), CASES[:1], file, said.append) == lines
    assert file.read_text() == before
    text = tables.markdown(lines)
    assert f"| {HINDSIGHT} |" in text
    assert "| **ours** |" in text


def test_the_command_prints_a_table() -> None:
    """`bowei evaluate block --quick` ends with 0 and has a row of ours."""
    done = CliRunner().invoke(app, ["evaluate", "block", "--quick"])
    assert done.exit_code == 0
    assert "ours" in done.output
