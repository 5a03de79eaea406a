"""All policies on all days: tuned on seeds of their own, then scored, kept and resumed.

A line of the results is one run. `part` says what it is for: `tuning`, `scored`, `bound`: the optimum in hindsight, or
`looser bound`: the same, but lots are looked at less often.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from services.local.evaluate.keeping import Key, run_missing
from services.local.evaluate.policies import ours
from services.local.evaluate.policies.bound import GRID_S, bound
from services.local.evaluate.policies.policy import Policy
from services.local.evaluate.policies.simulating import simulate
from services.local.evaluate.policies.world import City, Day, make_city, make_day

Families = Callable[[float], dict[str, list[Policy]]]
"""From the requests in an hour to the peers by name, each with the values that it may be tuned to."""

HINDSIGHT = "optimum in hindsight (bound)"
EVEN, SHIFTING = "even", "shifting"
DAYS = (EVEN, SHIFTING)


@dataclass(frozen=True)
class Plan:
    """What is to be run."""

    loads: Sequence[int]
    """Requests in an hour."""
    seeds: Sequence[int]
    tuned_on: Sequence[int]
    """Seeds on which peers are tuned: none of `seeds`."""
    peers: Families | None = None
    grid_s: float = GRID_S
    looser_s: Sequence[float] = ()
    """Longer steps, for which the bound is solved too."""
    days: Sequence[str] = DAYS


def bench(plan: Plan, file: Path | None, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Run what is missing, and give every line of bounds and scored runs.

    Raises:
        ValueError: a seed is both scored and tuned on, or the file is another's.
    """
    if set(plan.seeds) & set(plan.tuned_on):
        raise ValueError("a seed that is scored may not be tuned on")
    chosen = {load: _tuned(plan, load, file, say) for load in plan.loads}
    lines = []
    for line in run_missing(_scored_keys(plan, chosen), lambda key: _run(key, plan), file):
        lines.append(line)
        say(f"{line['load']}/h, seed {line['seed']}: {line['family']}")
    return lines


def _tuned(plan: Plan, load: int, file: Path | None, say: Callable[[str], None]) -> dict[str, str]:
    """Give each family's variant of least mean cost on the seeds to tune on."""
    chosen = {}
    for family, variants in _families(plan, load).items():
        cost_s = dict.fromkeys((variant.name for variant in variants), 0.0)
        if len(variants) > 1:
            keys = [
                {"part": "tuning", "day": EVEN, "load": load, "seed": seed, "family": family, "variant": variant}
                for seed in plan.tuned_on
                for variant in cost_s
            ]
            for line in run_missing(keys, lambda key: _run(key, plan), file):
                cost_s[line["variant"]] += line["mean_cost_s"]
        chosen[family] = min(cost_s, key=cost_s.__getitem__)
        if len(variants) > 1:
            say(f"{load}/h, tuned: {family}: {chosen[family]}")
    return chosen


def _scored_keys(plan: Plan, chosen: Mapping[int, Mapping[str, str]]) -> Iterator[Key]:
    for day in plan.days:
        for load in plan.loads:
            for seed in plan.seeds:
                which = {"day": day, "load": load, "seed": seed}
                yield {"part": "bound", **which, "family": HINDSIGHT, "variant": looked_at(plan.grid_s)}
                for step_s in plan.looser_s if day == EVEN else ():
                    yield {"part": "looser bound", **which, "family": HINDSIGHT, "variant": looked_at(step_s)}
                for family, variant in chosen[load].items():
                    yield {"part": "scored", **which, "family": family, "variant": variant}


def looked_at(step_s: float) -> str:
    """Say how often the bound looks at lots."""
    return f"lots looked at every {step_s / 60:g} min"


def _run(key: Key, plan: Plan) -> dict[str, Any]:
    day = _day(key["day"], key["load"], key["seed"])
    if key["family"] == HINDSIGHT:
        step_s = next(step_s for step_s in (plan.grid_s, *plan.looser_s) if looked_at(step_s) == key["variant"])
        solved = bound(day, step_s)
        return {"mean_cost_s": solved.mean_cost_s, "failed": solved.failed}
    variants = {variant.name: variant for variant in _families(plan, key["load"])[key["family"]]}
    return asdict(simulate(day, variants[key["variant"]]))


def _families(plan: Plan, load: int) -> dict[str, list[Policy]]:
    peers = {} if plan.peers is None else plan.peers(float(load))
    return peers | ours.families()


@lru_cache(maxsize=64)
def _city(seed: int) -> City:
    return make_city(seed)


@lru_cache(maxsize=8)
def _day(kind: str, load: int, seed: int) -> Day:
    return make_day(_city(seed), seed, load, shifting=kind == SHIFTING)
