"""Forecasts over recordings of real lots: better than what anybody could have said without them."""

from datetime import timedelta
from pathlib import Path

import pytest

from bowei.domain.forecast_scores import Method
from services.local.evaluate.forecasts.comparing import Compared, Slice, compare
from services.local.evaluate.forecasts.measuring import measure
from services.local.replay.recording import open_recording
from tests.system.replay_recordings import convert, page, recordings

OTHERS = (Method.LAST_VALUE, Method.LAST_WEEK)


def better(row: Compared, others: tuple[Method, ...]) -> bool:
    """Say whether ours is better than each of the others that said anything, on the cases of which it did."""
    return all(row.less[method][0] > 0 for method in others if method in row.less)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["birmingham", "bath", "aarhus", "swiss"])
def test_forecasts_are_better_than_the_last_value_and_the_last_week(tmp_path: Path, name: str) -> None:
    """Chances near full at 15 and 30 minutes, by Brier score and log-loss; means at 15, 30 and 60 minutes."""
    convert(page("recordings.md"), "convert_as_said.py", recordings(), name, tmp_path)
    rows = list(compare(measure(name, open_recording(tmp_path), timedelta(days=14))))
    near_full = [row for row in rows if row.slice is Slice.NEAR_FULL and row.minutes in {15, 30}]
    chances = [row for row in near_full if row.measure != "error"]
    means = [row for row in rows if row.slice is Slice.ALL and row.measure == "error" and row.minutes >= 15]

    assert len(chances) == 4
    assert len(means) == 3
    assert [row for row in chances if not better(row, OTHERS)] == []
    assert [row for row in means if not better(row, OTHERS)] == []
