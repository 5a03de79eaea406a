"""`bowei evaluate forecasts`: forward in time, by the rules of belief, with intervals."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bowei.domain.forecast_scores import Method
from services.local.cli import app
from services.local.evaluate.forecasts.comparing import Slice, compare, reliability
from services.local.evaluate.forecasts.listening import steps
from services.local.evaluate.forecasts.measuring import Measured, measure
from services.local.replay.recording import open_recording

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
DAYS = 2
MINUTES = 10


def fills_by_day(at: datetime) -> int:
    """Full from ten to four, with a space now and then; empty by night."""
    hour = at.hour + at.minute / 60
    usual = 40 - 20 * min(max(hour - 8, 0), 2) + 20 * min(max(hour - 16, 0), 2)
    return max(0, round(usual)) + (at.minute // 10 % 3 == 0)


def recorded(folder: Path, free: Callable[[datetime], int | None], *, state: str = "", days: float = DAYS) -> Path:
    """Write a recording of one lot that reports every ten minutes, 50 s after it was counted."""
    folder.mkdir(exist_ok=True)
    lots = "lot_id,name,kind,capacity,lat,lon,datum,timezone\nmall,Mall,,50,47,8,wgs84,Europe/London\n"
    (folder / "lots.csv").write_text(lots, "utf-8")
    rows = ["observed_at,source_observed_at,lot_id,free,state"]
    for step in range(int(days * 24 * 60 / MINUTES)):
        at = MONDAY + timedelta(minutes=MINUTES * step)
        count = free(at)
        said = "" if count is None else str(count)
        rows.append(f"{(at + timedelta(seconds=50)).isoformat()},{at.isoformat()},mall,{said},{state}")
    (folder / "observations.csv").write_text("\n".join(rows) + "\n", "utf-8")
    return folder


def measured(folder: Path, **warm_up: float) -> Measured:
    """Measure a recording."""
    return measure("made", open_recording(folder), timedelta(**warm_up))


def test_nothing_is_known_before_it_was_received(tmp_path: Path) -> None:
    """A count of ten to one is known at five to, not at ten to: it was received 50 s after it was counted."""
    told = dict(steps(open_recording(recorded(tmp_path, lambda at: at.minute, days=0.1))))
    ten = int(MONDAY.timestamp()) + 600

    assert told[ten].free.tolist() == [0]
    assert told[ten + 300].free.tolist() == [10]
    assert told[ten + 300].observed_s.tolist() == [ten]


def test_what_comes_later_changes_no_forecast(tmp_path: Path) -> None:
    """Two recordings that part on the last day: all that was forecast before, and came true, is the same."""
    parts_at = MONDAY + timedelta(days=1)
    one = measured(recorded(tmp_path / "one", fills_by_day, days=1.5), hours=0)
    other = measured(
        recorded(tmp_path / "other", lambda at: fills_by_day(at) if at < parts_at else 7, days=1.5), hours=0
    )
    # Cases stand in the order in which they came true.
    same = int((one.cases.day < parts_at.timestamp() // 86_400).sum()) - 50
    assert same > 300
    for method in (Method.BOWEI, Method.LAST_VALUE):
        assert np.array_equal(one.cases.chance[method][:same], other.cases.chance[method][:same])
        assert np.array_equal(one.cases.mean[method][:same], other.cases.mean[method][:same])


def test_the_warm_up_is_not_scored_and_is_a_third_at_most(tmp_path: Path) -> None:
    """Of two days sixteen hours warm up, however much was asked for."""
    one = measured(recorded(tmp_path, fills_by_day), days=14)

    assert one.scored_from - one.began == (one.ended - one.began) / 3
    assert one.cases.day.min() * 86_400 >= one.scored_from.timestamp() - 86_400


def test_a_closed_lot_is_not_forecast(tmp_path: Path) -> None:
    """Its counts are of no use to anybody."""
    assert len(measured(recorded(tmp_path, fills_by_day, state="closed")).cases.truth) == 0


def test_a_lot_that_does_the_same_every_day_is_foreseen_better_than_by_its_last_value(tmp_path: Path) -> None:
    """At an hour ahead, by the mean; the interval says that it is no accident, and last week nothing was said."""
    rows = list(compare(measured(recorded(tmp_path, fills_by_day), days=1)))
    (row,) = (one for one in rows if (one.minutes, one.slice, one.measure) == (60, Slice.ALL, "error"))

    assert row.means[Method.BOWEI] < row.means[Method.LAST_VALUE]
    less, low, high = row.less[Method.LAST_VALUE]
    assert low <= less <= high
    assert low > 0
    assert Method.LAST_WEEK not in row.means


def test_a_counter_that_always_says_full_is_apart(tmp_path: Path) -> None:
    """Anybody foresees it: it is near full, and not among the lots that had a space and had none."""
    found = {one.slice for one in compare(measured(recorded(tmp_path, lambda _: 0, days=1), hours=1))}
    assert found == {Slice.NEAR_FULL, Slice.ALL}

    both = {one.slice for one in compare(measured(recorded(tmp_path, fills_by_day), days=1))}
    assert both == set(Slice)


def test_reliability_tells_each_chance_with_what_came_of_it(tmp_path: Path) -> None:
    """Every case near full is in one bin."""
    one = measured(recorded(tmp_path, fills_by_day), days=1)
    bins = reliability(one, 30, np.linspace(0.1, 0.9, 9))

    assert sum(cases for _, _, cases in bins) == int((one.cases.near_full & (one.cases.horizon == 2)).sum())
    assert all(0 <= told <= 1 and 0 <= came <= 1 for told, came, _ in bins)
    assert [told for told, _, _ in bins] == sorted(told for told, _, _ in bins)


def test_the_command_prints_tables_and_writes_lines(tmp_path: Path) -> None:
    """A line for each measure, horizon and slice, named for its folder."""
    folder = recorded(tmp_path / "made-town", fills_by_day)
    out = tmp_path / "out.jsonl"
    done = CliRunner().invoke(app, ["evaluate", "forecasts", str(folder), "--warm-up", "1", "--out", str(out)])

    assert done.exit_code == 0, done.output
    assert "| made-town | 30 |" in done.output
    lines = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert {(line["recording"], line["minutes"]) for line in lines} == {("made-town", m) for m in (5, 15, 30, 60)}
    assert {line["measure"] for line in lines} == {"brier", "log_loss", "error"}
    assert all(line["cases"] > 0 and line["means"]["bowei"] >= 0 for line in lines)


@pytest.mark.parametrize(
    ("free", "days", "says"),
    [(fills_by_day, 0.005, "nothing that was forecast came true"), (lambda _: None, 1, "nothing that was forecast")],
    ids=["too short", "no counts"],
)
def test_the_command_says_what_can_t_be_measured(
    tmp_path: Path, free: Callable[[datetime], int | None], days: float, says: str
) -> None:
    """It ends with 2 and prints no table."""
    done = CliRunner().invoke(app, ["evaluate", "forecasts", str(recorded(tmp_path, free, days=days))])

    assert done.exit_code == 2
    assert says in done.output


def test_a_zone_that_does_not_exist_is_named(tmp_path: Path) -> None:
    """With the line and what to write instead."""
    folder = recorded(tmp_path, fills_by_day, days=0.1)
    lots = folder / "lots.csv"
    lots.write_text(lots.read_text("utf-8").replace("Europe/London", "London"), "utf-8")
    done = CliRunner().invoke(app, ["evaluate", "forecasts", str(folder)])

    assert done.exit_code == 2
    assert "lots.csv line 2: timezone is 'London'" in done.output
