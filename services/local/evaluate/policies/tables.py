"""The tables and the plot of the policy bench."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from services.local.evaluate.intervals import Interval, interval, ratio_interval
from services.local.evaluate.policies.benching import EVEN, HINDSIGHT, SHIFTING
from services.local.evaluate.policies.ours import PLAIN

Lines = Sequence[Mapping[str, Any]]

_OF_CITIES = (PLAIN, "fill penalty of 200 s", "ours: fill penalty", "fill penalty of 500 s")
"""Of which gaps are shown on fewer cities, and plain nearest's against looser bounds."""

_TITLES = {
    EVEN: "Every hospital is asked for equally often",
    SHIFTING: "Every second hospital is asked for three times as often, and after two hours the others",
}


def gaps(lines: Lines, day: str, load: int, family: str, looser: str | None = None) -> list[float]:
    """Give, seed by seed, by how much a family's mean cost is above the bound's (or a looser one's): 0.1 is 10 %."""
    here = [line for line in lines if line["day"] == day and line["load"] == load]
    held_against = ("looser bound", looser) if looser else ("bound", _bounds(lines)[0])
    bounds = {line["seed"]: line["mean_cost_s"] for line in here if (line["part"], line["variant"]) == held_against}
    costs = {line["seed"]: line["mean_cost_s"] for line in here if line["family"] == family}
    return [costs[seed] / bounds[seed] - 1 for seed in sorted(bounds)]


def _bounds(lines: Lines) -> list[str]:
    """Give how often lots were looked at: by the bound first, then by looser ones."""
    return list(dict.fromkeys(line["variant"] for line in lines if line["family"] == HINDSIGHT))


def cut(lines: Lines, day: str, load: int, family: str) -> Interval:
    """Give which part of plain nearest's gap a family takes back, on equal seeds, in percent."""
    left = ratio_interval(gaps(lines, day, load, family), gaps(lines, day, load, PLAIN))
    return Interval(1 - left.mean, left.half).times(100)


def markdown(lines: Lines) -> str:
    """Write all tables."""
    days = [_of_day(lines, day) for day in _TITLES if any(line["day"] == day for line in lines)]
    return "\n\n".join([*days, _of_cities(lines)]) + "\n"


def _of_cities(lines: Lines) -> str:
    """Show how much the gaps owe to the cities that were drawn, and to how often the bound looks at lots."""
    loads = sorted({line["load"] for line in lines})
    head = ["", *(f"{load}/h: gap, %" for load in loads), *(f"{load}/h: first five, %" for load in loads)]
    rows = [head, ["---"] * len(head)]
    for family in _OF_CITIES:
        for looser in (None, *(_bounds(lines)[1:] if family == PLAIN else ())):
            found = [[100 * gap for gap in gaps(lines, EVEN, load, family, looser)] for load in loads]
            row = [interval(of[:many]).text() for many in (None, 5) for of in found]
            rows.append([f"{family}, {looser}" if looser else family, *row])
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    return f"**Other cities, looser bounds**: the same gaps on the first five cities only\n\n{table}"


def _of_day(lines: Lines, day: str) -> str:
    loads = sorted({line["load"] for line in lines})
    seeds = sorted({line["seed"] for line in lines})
    families = list(dict.fromkeys(line["family"] for line in lines if line["part"] == "scored"))
    head = [
        "",
        *(f"{load}/h: gap, %" for load in loads),
        *(f"{load}/h: cut, %" for load in loads),
        "refused",
        "failed, %",
    ]
    rows = [
        [
            _emphasis(family),
            *(interval([100 * gap for gap in gaps(lines, day, load, family)]).text() for load in loads),
            *("–" if family == PLAIN else cut(lines, day, load, family).text(0) for load in loads),
            _mean(lines, day, loads[-1], family, "refused", 1, 2),
            _mean(lines, day, loads[-1], family, "failed", 100, 1),
        ]
        for family in families
    ]
    optimum = ["*" + HINDSIGHT + "*", *("0" for _ in loads), *("100" for _ in loads), "0"]
    rows.append([*optimum, _mean(lines, day, loads[-1], HINDSIGHT, "failed", 100, 1)])
    table = "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])
    which = f"seeds {seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"seed {seeds[0]}"
    which = f"{len(seeds)} cities ({which}), 95 % intervals; the last two columns at {loads[-1]}/h"
    return f"**{_TITLES[day]}**; {which}.\n\n{table}"


def _emphasis(family: str) -> str:
    return f"**{family}**" if family.startswith("ours") else family


def _mean(lines: Lines, day: str, load: int, family: str, field: str, factor: float, digits: int) -> str:
    which = (day, load, family)
    here = [
        line[field]
        for line in lines
        if (line["day"], line["load"], line["family"]) == which and line["part"] != "looser bound"
    ]
    return f"{factor * float(np.mean(here)):.{digits}f}"


def plot(lines: Lines, file: Path) -> None:
    """Draw the gaps by load; needs the extra `evaluate`."""
    from matplotlib.figure import Figure  # noqa: PLC0415

    loads = sorted({line["load"] for line in lines})
    families = list(dict.fromkeys(line["family"] for line in lines if line["part"] == "scored"))
    figure = Figure(figsize=(9, 7), layout="constrained")
    axes = figure.add_subplot()
    for number, load in enumerate(loads):
        points = [interval([100 * gap for gap in gaps(lines, EVEN, load, family)]) for family in families]
        axes.errorbar(
            [point.mean for point in points],
            np.arange(len(families)) + 0.2 * (number - (len(loads) - 1) / 2),
            xerr=[point.half if np.isfinite(point.half) else 0 for point in points],
            fmt="o",
            markersize=4,
            capsize=2,
            label=f"{load} requests an hour",
        )
    axes.set_xscale("log")
    axes.minorticks_off()
    axes.set_xticks([2, 3, 5, 10, 20, 50], ["2", "3", "5", "10", "20", "50"])
    axes.set_xlabel("mean cost above the optimum in hindsight, %")
    axes.set_yticks(np.arange(len(families)), families)
    axes.invert_yaxis()
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(file, dpi=110)
