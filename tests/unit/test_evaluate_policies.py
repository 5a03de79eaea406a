"""The policy bench: its world is repeatable, its bound is one, and nobody parks where no space is."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from loadtests.peers import parking_policies as peers
from services.local.cli import app
from services.local.evaluate.intervals import interval, ratio_interval
from services.local.evaluate.pages import put
from services.local.evaluate.policies import ours, tables
from services.local.evaluate.policies.benching import EVEN, Plan, bench
from services.local.evaluate.policies.bound import bound
from services.local.evaluate.policies.command import LOOSER_S
from services.local.evaluate.policies.policy import Policy
from services.local.evaluate.policies.simulating import simulate
from services.local.evaluate.policies.world import FAILING_S, REFUSED_S, City, Day, make_city, make_day

_LOAD = 250
_ALL = [*ours.families().values(), *peers.families(float(_LOAD)).values()]
_VARIANTS = [variant for variants in _ALL for variant in (variants[0], variants[-1])]


@pytest.fixture(scope="module", name="day")
def _day() -> Day:
    return make_day(make_city(3), 3, _LOAD)


@pytest.fixture(scope="module", name="bound_s")
def _bound_s(day: Day) -> float:
    return bound(day).mean_cost_s


def _tiny(asked_at_s: list[float], stay_s: float = 3600.0) -> Day:
    """One hospital at the origin; a lot of one space 600 m east, one of one space 600 m north, drivers 600 m east."""
    city = City(
        hospitals_m=np.array([[0.0, 0.0]]), lots_m=np.array([[600.0, 0.0], [0.0, 600.0]]), spaces=np.array([1, 1])
    )
    count = len(asked_at_s)
    return Day(
        city=city,
        asked_at_s=np.array(asked_at_s),
        hospital=np.zeros(count, np.int64),
        origin_m=np.tile([600.0, 0.0], (count, 1)),
        stay_s=np.full(count, stay_s),
    )


_WALK_S = 600 * 1.3 / 1.2
_ACROSS_S = 600 * 2**0.5 * 1.4 / 6


@pytest.mark.parametrize("policy", _VARIANTS, ids=lambda policy: f"{type(policy).__name__}, {policy.name}")
def test_no_lot_is_over_its_spaces_and_nobody_beats_hindsight(policy: Policy, day: Day, bound_s: float) -> None:
    """Whatever is chosen, a lot never has more cars than spaces, and the day costs at least the bound."""
    outcome = simulate(day, policy)
    assert outcome.most_over == 0
    assert outcome.mean_cost_s >= bound_s
    assert not (policy.holds and outcome.refused)


def test_equal_seeds_give_equal_results_and_others_do_not() -> None:
    """A figure of the docs can be had again by its seed."""
    twice = [simulate(make_day(make_city(5), 5, _LOAD), ours.DisplacementPrices()) for _ in range(2)]
    assert twice[0] == twice[1]
    assert twice[0] != simulate(make_day(make_city(5), 6, _LOAD), ours.DisplacementPrices())
    assert twice[0] != simulate(make_day(make_city(6), 5, _LOAD), ours.DisplacementPrices())


def test_the_world_is_the_one_described() -> None:
    """Fifty lots of 8 to 59 spaces, a Poisson count of requests in four hours, stays of two hours on average."""
    city = make_city(1)
    day = make_day(city, 1, 400)
    assert (len(city.spaces), len(city.hospitals_m)) == (50, 10)
    assert 8 <= city.spaces.min() <= city.spaces.max() <= 59
    assert abs(len(day) - 1600) < 5 * 40
    assert day.stay_s.mean() == pytest.approx(7200, rel=0.05)
    assert day.asked_at_s.max() <= 4 * 3600
    assert float(city.walk_s[np.isfinite(city.walk_s)].max()) <= 25 * 60


def test_a_shifting_day_turns_its_mix_round_at_half_time() -> None:
    """Hospitals that were asked for three times as often as their neighbours are asked for three times less."""
    day = make_day(make_city(1), 1, 2_000, shifting=True)
    early = day.asked_at_s < 2 * 3600
    odd = day.hospital % 2 == 1
    assert odd[early].mean() == pytest.approx(0.75, abs=0.05)
    assert odd[~early].mean() == pytest.approx(0.25, abs=0.05)


def test_the_second_driver_walks_as_far_and_drives_further() -> None:
    """Two drivers 600 m east of a hospital: the first parks there; the second, by hand, drives on around."""
    outcome = simulate(_tiny([0.0, 60.0]), ours.FillPenalty(penalty_factor=0.0))
    assert outcome.mean_cost_s == pytest.approx(_WALK_S + _ACROSS_S / 2)
    assert bound(_tiny([0.0, 60.0])).mean_cost_s == pytest.approx(_WALK_S + _ACROSS_S / 2, rel=1e-6)


def test_a_third_driver_is_sent_home_until_somebody_leaves() -> None:
    """Both spaces taken, 40 min are paid; after the stay there is room again, also in hindsight."""
    taken = _tiny([0.0, 60.0, 120.0])
    assert simulate(taken, ours.FillPenalty()).failed == pytest.approx(1 / 3)
    costs_s = 3 * _WALK_S + _ACROSS_S
    assert bound(taken).mean_cost_s == pytest.approx((costs_s - _WALK_S + FAILING_S) / 3, rel=1e-6)
    later = _tiny([0.0, 60.0, 2 * 3600.0])
    assert simulate(later, ours.FillPenalty()).failed == 0
    assert bound(later).mean_cost_s == pytest.approx(costs_s / 3, rel=1e-6)


def test_without_a_hold_the_second_driver_finds_it_full_and_drives_on() -> None:
    """Counts 300 s old show the space that the first driver takes: the refusal and the way from there are paid."""
    day = _tiny([0.0, 60.0])
    outcome = simulate(day, peers.NearestShownFree(300.0, least=1))
    assert outcome.refused == pytest.approx(1 / 2)
    assert outcome.mean_cost_s == pytest.approx(_WALK_S + (REFUSED_S + _ACROSS_S) / 2)


def test_waiting_for_a_batch_is_paid_and_matches_at_least_cost() -> None:
    """Two drivers who ask at 0 and 10 s wait for the window's end at 30 s; together they cost what hindsight does."""
    outcome = simulate(_tiny([0.0, 10.0]), peers.Matched(30.0))
    assert outcome.mean_cost_s == pytest.approx((30 + 20) / 2 + _WALK_S + _ACROSS_S / 2)


@pytest.mark.parametrize("load", [200, 300])
def test_prices_of_displacement_take_back_part_of_plain_nearests_gap(load: int) -> None:
    """On cities on which nothing was tuned or scored, the option costs less than plain nearest, and so does ours."""
    days = [make_day(make_city(seed), seed, load) for seed in range(301, 309)]
    plain, fill, priced = (
        sum(simulate(day, policy).mean_cost_s for day in days)
        for policy in (ours.FillPenalty(penalty_factor=0.0), ours.FillPenalty(), ours.DisplacementPrices())
    )
    assert priced < fill < plain


def _plan(seeds: tuple[int, ...] = (1, 2)) -> Plan:
    return Plan(loads=(150,), seeds=seeds, tuned_on=(101,), peers=_one_peer, days=(EVEN,))


def _one_peer(requests_per_h: float) -> dict[str, list[Policy]]:
    del requests_per_h
    return {"shown free": [peers.NearestShownFree(60.0, least) for least in (1, 3)]}


def test_what_was_run_is_kept_and_not_run_again(tmp_path: Path) -> None:
    """A bench goes on where it was killed: whole lines stay, a line cut off is run again, equal to before."""
    file, said = tmp_path / "policies.jsonl", list[str]()
    first = bench(_plan(), file, said.append)
    kept = file.read_text()
    file.write_text(kept[:-20])
    assert bench(_plan(), file, said.append) == first
    assert file.read_text() == kept


def test_a_seed_is_not_both_tuned_on_and_scored() -> None:
    """Nobody is scored on the days that its values were chosen for."""
    with pytest.raises(ValueError, match="tuned on"):
        bench(_plan(seeds=(1, 101)), None, list[str]().append)


def test_the_tables_say_the_gap_and_how_much_of_it_is_taken_back(tmp_path: Path) -> None:
    """A page between its marks is written anew: a row for each policy, with intervals."""
    text = tables.markdown(bench(_plan(), None, list[str]().append))
    assert text.count("| **ours: fill penalty** |") == 1
    assert "| nearest with holds (greedy) |" in text
    page = tmp_path / "page.md"
    page.write_text("# A\n<!-- x -->\nfigures of last year\n<!-- end of x -->\nafter\n")
    put(page, "x", text)
    assert "figures of last year" not in page.read_text()
    assert page.read_text().endswith("<!-- end of x -->\nafter\n")
    with pytest.raises(ValueError, match="marks"):
        put(page, "y", text)


def test_intervals_by_hand() -> None:
    """Two values 2 apart: half a width of 12.7 by Student's t; ratios of proportional values have no width."""
    assert interval([1.0, 3.0]).half == pytest.approx(12.706, rel=1e-3)
    assert interval([1.0]).text() == "1.0"
    assert ratio_interval([1.0, 2.0, 3.0], [2.0, 4.0, 6.0]).text(2) == "0.50 ± 0.00"


def test_the_command_keeps_its_runs_and_writes_its_page(tmp_path: Path) -> None:
    """One city at a low load: both days are run, kept, and put between the marks of the page."""
    page, out = tmp_path / "page.md", tmp_path / "policies.jsonl"
    page.write_text("# A\n<!-- bowei evaluate policies -->\n<!-- end of bowei evaluate policies -->\n")
    options = ["--loads", "120", "--seeds", "1", "--out", str(out), "--page", str(page)]
    done = CliRunner().invoke(app, ["evaluate", "policies", *options])
    assert done.exit_code == 0
    assert page.read_text().count("| **ours: displacement prices** |") == 2
    assert page.read_text().count("| nearest with holds (greedy), lots looked at every 60 min |") == 1
    assert len(out.read_text().splitlines()) == 2 * (1 + len(ours.families())) + len(LOOSER_S)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--seeds", "5-1"], "1-5"),
        (["--peers", "loadtests.peers"], "families"),
        (["--peers", "no.such.module"], "families"),
        (["--seeds", "1-3", "--tune-on", "3"], "tuned on"),
    ],
    ids=["seeds", "no families", "no module", "tuned on what is scored"],
)
def test_the_command_says_what_to_write_instead(options: list[str], said: str) -> None:
    """An option that makes no sense ends with 2, at once, and says what would."""
    done = CliRunner().invoke(app, ["evaluate", "policies", *options])
    assert done.exit_code == 2
    assert said in done.output
