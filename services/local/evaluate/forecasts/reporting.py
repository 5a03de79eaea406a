"""Reporting: tables for people, in Markdown, and lines of JSON for programs."""

import json
from collections.abc import Iterable, Sequence

from bowei.domain.forecast_scores import Method
from services.local.evaluate.forecasts.comparing import Compared, Slice
from services.local.evaluate.forecasts.measuring import Measured

_SAID = {"brier": "Brier score", "log_loss": "log-loss", "error": "mean absolute error, spaces"}
_DIGITS = {"brier": 4, "log_loss": 4, "error": 2}
_OTHERS = (Method.LAST_VALUE, Method.LAST_WEEK)
_SLICES = {
    Slice.NEAR_FULL: "near full (0–15 free when it was forecast)",
    Slice.NEAR_FULL_BOTH: "near full, of lots that had a space and had none",
    Slice.ALL: "all cases",
}
_SHOWN = (
    (Slice.NEAR_FULL, "brier"),
    (Slice.NEAR_FULL, "log_loss"),
    (Slice.NEAR_FULL_BOTH, "brier"),
    (Slice.NEAR_FULL_BOTH, "log_loss"),
    (Slice.ALL, "error"),
    (Slice.NEAR_FULL, "error"),
)


def tables(measured: Sequence[Measured], compared: Sequence[Compared]) -> str:
    """Write what was measured."""
    parts = [_recordings(measured)]
    for which, measure in _SHOWN:
        rows = [one for one in compared if (one.slice, one.measure) == (which, measure)]
        parts.append(f"**{_SAID[measure][0].upper()}{_SAID[measure][1:]}, {_SLICES[which]}**\n\n" + _table(rows))
    return "\n\n".join(parts)


def lines(measured: Iterable[Measured], compared: Iterable[Compared]) -> Iterable[str]:
    """Write one line of JSON for each recording, measure, horizon and slice."""
    spans = {one.name: one for one in measured}
    for one in compared:
        span = spans[one.recording]
        yield json.dumps(
            {
                "recording": one.recording,
                "began": span.began.isoformat(),
                "scored_from": span.scored_from.isoformat(),
                "ended": span.ended.isoformat(),
                "minutes": one.minutes,
                "slice": one.slice,
                "measure": one.measure,
                "cases": one.cases,
                "days": one.days,
                "means": {method: round(mean, 5) for method, mean in one.means.items()},
                "less": {method: [round(number, 5) for number in numbers] for method, numbers in one.less.items()},
            }
        )


def _recordings(measured: Sequence[Measured]) -> str:
    rows = [
        f"| {one.name} | {one.lots} | {one.began:%Y-%m-%d} | {one.scored_from:%Y-%m-%d} | {one.ended:%Y-%m-%d} |"
        for one in measured
    ]
    return "\n".join(["| recording | lots | began | scored from | until |", "|---|---|---|---|---|", *rows])


def _table(rows: Sequence[Compared]) -> str:
    head = (
        "| recording | min | cases | days | Bowei | last value | last week | last value − Bowei | last week − Bowei |\n"
        "|---|---|---|---|---|---|---|---|---|"
    )
    return "\n".join([head, *(_row(one) for one in rows)])


def _row(one: Compared) -> str:
    digits = _DIGITS[one.measure]
    means = [_number(one.means.get(method), digits) for method in Method]
    less = [_interval(one.less.get(method), digits) for method in _OTHERS]
    return f"| {' | '.join([one.recording, str(one.minutes), f'{one.cases:,}', str(one.days), *means, *less])} |"


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _interval(numbers: tuple[float, float, float] | None, digits: int) -> str:
    if numbers is None:
        return "–"
    less, low, high = (f"{number:.{digits}f}".replace("-", "−") for number in numbers)
    return f"{less} ({low} to {high})"
