"""The tables and the plot of the policy bench."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from services.local.evaluate.intervals import Interval, interval, ratio_interval
from services.local.evaluate.policies.benching import EVEN, HINDSIGHT, SHIFTING
from services.local.evaluate.policies.ours import PLAIN

Lines = Sequence[Mapping[str, Any]]

_TITLES = {
    EVEN: "Every hospital is asked for equally often",
    SHIFTING: "Every second hospital is asked for three times as often, and after two hours the others",
}


def gaps(lines: Lines, day: str, load: int, family: str) -> list[float]:
    """Give, seed by seed, by how much a family's mean cost is above the bound's: 0.1 is 10 %."""
    here = [line for line in lines if line["day"] == day and line["load"] == load]
    bounds = {line["seed"]: line["mean_cost_s"] for line in here if line["part"] == "bound"}
    costs = {line["seed"]: line["mean_cost_s"] for line in here if line["family"] == family}
    return [costs[seed] / bounds[seed] - 1 for seed in sorted(bounds)]


def cut(lines: Lines, day: str, load: int, family: str) -> Interval:
    """Give which part of plain nearest's gap a family takes back, on equal seeds, in percent."""
    left = ratio_interval(gaps(lines, day, load, family), gaps(lines, day, load, PLAIN))
    return Interval(100 * (1 - left.mean), 100 * left.half)


def markdown(lines: Lines) -> str:
    """Write all tables."""
    return "\n\n".join(_of_day(lines, day) for day in _TITLES if any(line["day"] == day for line in lines)) + "\n"


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
    here = [ln[field] for ln in lines if ln["day"] == day and ln["load"] == load and ln["family"] == family]
    return f"{factor * float(np.mean(here)):.{digits}f}"


def plot(lines: Lines, file: Path) -> None:
    """Draw the gaps by load; needs the extra `evaluate`."""
    from matplotlib.figure import Figure  # noqa: PLC0415

    loads = sorted({line["load"] for line in lines})
    families = list(dict.fromkeys(line["family"] for line in lines if line["part"] == "scored"))
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    axes = figure.add_subplot()
    for number, family in enumerate(name for name in families if not name.startswith("…")):
        points = [interval([100 * gap for gap in gaps(lines, EVEN, load, family)]) for load in loads]
        axes.errorbar(
            [load + 1.5 * (number - len(families) / 2) for load in loads],
            [point.mean for point in points],
            [point.half if np.isfinite(point.half) else 0 for point in points],
            marker="o",
            markersize=4,
            capsize=2,
            linewidth=2.5 if family.startswith("ours") or family == PLAIN else 1,
            label=family,
        )
    axes.set_xlabel("requests per hour")
    axes.set_ylabel("mean cost above the bound, %")
    axes.set_xticks(loads)
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=7)
    figure.savefig(file, dpi=110)
