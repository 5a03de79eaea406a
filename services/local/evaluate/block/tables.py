"""The tables and the plot of the block."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from services.local.evaluate.block.benching import HINDSIGHT
from services.local.evaluate.block.policies import NearestShownFree
from services.local.evaluate.block.scene import CASES
from services.local.evaluate.intervals import Interval, interval, ratio_interval

Lines = Sequence[Mapping[str, Any]]

_COLUMNS = (
    ("extra_s", "extra, s", 1.0, 0),
    ("extra_p95_s", "p95, s", 1.0, 0),
    ("queue_mean", "gate queue", 1.0, 1),
    ("queue_max", "longest", 1.0, 0),
    ("refused", "refused, %", 100.0, 1),
    ("extra_km", "extra km", 1.0, 2),
    ("walk_s", "walk, s", 1.0, 0),
    ("own_delay_s", "own delay, s", 1.0, 1),
    ("own_turned_away", "own away, %", 100.0, 2),
)
"""Field, heading, factor, digits."""


_DRAWN = (("extra_s", "mean extra time of visitors, s"), ("own_delay_s", "mean wait of the lots' own customers, s"))
_TICKS_S = (30, 100, 300, 1000, 3000)

_APPS = NearestShownFree.name


def of(lines: Lines, case: str, policy: str, field: str, factor: float = 1.0) -> Interval | None:
    """Give a figure's mean over the seeds; None where it was not measured."""
    values = [
        factor * line[field] for line in lines if (line["case"], line["policy"]) == (case, policy) and field in line
    ]
    return interval(values) if values else None


def against_apps(lines: Lines, case: str, policy: str) -> Interval:
    """Give by how much a policy's mean extra time is above what apps do today, on equal mornings, in percent."""
    pairs = [
        {line["policy"]: line["extra_s"] for line in lines if (line["case"], line["seed"]) == (case, seed)}
        for seed in sorted({line["seed"] for line in lines})
    ]
    ratio = ratio_interval([pair[policy] for pair in pairs], [pair[_APPS] for pair in pairs])
    return Interval(100 * (ratio.mean - 1), 100 * ratio.half)


def markdown(lines: Lines) -> str:
    """Write a table for each case."""
    seeds = sorted({line["seed"] for line in lines})
    said = {line["case"] for line in lines}
    cases = [case.name for case in CASES if case.name in said]
    parts = [_of_case(lines, case) for case in cases]
    return f"{len(seeds)} mornings (seeds {seeds[0]} to {seeds[-1]}), 95 % intervals.\n\n" + "\n\n".join(parts) + "\n"


def _of_case(lines: Lines, case: str) -> str:
    policies = list(dict.fromkeys(line["policy"] for line in lines))
    head = ["", *(heading for _, heading, _, _ in _COLUMNS), "extra against apps, %"]
    rows = [head, ["---"] * len(head)]
    for policy in policies:
        cells = [of(lines, case, policy, field, factor) for field, _, factor, _ in _COLUMNS]
        texts = ["" if cell is None else cell.text(_COLUMNS[place][3]) for place, cell in enumerate(cells)]
        against = "–" if policy == _APPS else against_apps(lines, case, policy).text(0)
        rows.append([f"**{policy}**" if policy.startswith("ours") else policy, *texts, against])
    return f"**{case}**\n\n" + "\n".join("| " + " | ".join(row) + " |" for row in rows)


def plot(lines: Lines, file: Path) -> None:
    """Draw mean extra time and the delay of own customers, by case; needs the extra `evaluate`."""
    from matplotlib.figure import Figure  # noqa: PLC0415

    said = {line["case"] for line in lines}
    cases = [case.name for case in CASES if case.name in said]
    policies = [name for name in dict.fromkeys(line["policy"] for line in lines) if name != "queue and wait"]
    figure = Figure(figsize=(10, 7), layout="constrained")
    for place, (field, title) in enumerate(_DRAWN):
        axes = figure.add_subplot(1, 2, place + 1)
        for number, policy in enumerate(policies):
            if field != "extra_s" and policy == HINDSIGHT:
                continue
            points = [of(lines, case, policy, field) or Interval(0.0, 0.0) for case in cases]
            axes.errorbar(
                [point.mean for point in points],
                np.arange(len(cases)) + 0.12 * (number - len(policies) / 2),
                xerr=[point.half if np.isfinite(point.half) else 0 for point in points],
                fmt="o",
                markersize=4,
                capsize=2,
                label=policy,
            )
        axes.set_xlabel(title)
        axes.set_yticks(np.arange(len(cases)), cases if place == 0 else [""] * len(cases))
        axes.invert_yaxis()
        axes.grid(alpha=0.3)
        if field == "extra_s":
            axes.set_xscale("log")
            axes.minorticks_off()
            axes.set_xticks(_TICKS_S, [str(tick) for tick in _TICKS_S])
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=8)
    figure.savefig(file, dpi=110)
