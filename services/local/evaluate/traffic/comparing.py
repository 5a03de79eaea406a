"""Runs of the same seeds compared: means with 95 % intervals, and paired differences."""

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scipy import stats

from services.local.evaluate.traffic.policies import Policy
from services.local.evaluate.traffic.results import Line

_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over seeds, and half the width of its 95 % interval (Student's t; nan for a single seed)."""

    mean: float
    half: float

    def text(self, digits: int = 0, scale: float = 1.0) -> str:
        """Write it as `mean ± half`."""
        mean = f"{self.mean * scale:,.{digits}f}"
        return mean if math.isnan(self.half) else f"{mean} ± {self.half * scale:,.{digits}f}"


def estimate(values: Sequence[float]) -> Estimate:
    """Estimate a mean."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return Estimate(mean, math.nan)
    t = float(stats.t.ppf((1 + _CONFIDENCE) / 2, len(values) - 1))
    return Estimate(mean, t * statistics.stdev(values) / math.sqrt(len(values)))


class Compared:
    """The lines of a file by policy and seed, of each seed's newest world."""

    def __init__(self, lines: Sequence[Line], worlds: Mapping[int, str]) -> None:
        self._by_policy: dict[str, dict[int, Mapping[str, Any]]] = {}
        for line in lines:
            if worlds.get(line["seed"]) == line["world"]:
                known = self._by_policy.setdefault(_name(line["policy"], line["parameters"]), {})
                known[line["seed"]] = line["measures"]

    def seeds(self, policy: Policy) -> list[int]:
        """List the seeds of which there is a run."""
        return sorted(self._by_policy.get(_name(policy.name, policy.parameters), {}))

    def values(self, policy: Policy, measure: str, seeds: Sequence[int] | None = None) -> list[float]:
        """Give a measure of every seed, in the seeds' order."""
        known = self._by_policy.get(_name(policy.name, policy.parameters), {})
        return [float(known[seed][measure]) for seed in (self.seeds(policy) if seeds is None else seeds)]

    def mean(self, policy: Policy, measure: str) -> Estimate:
        """Estimate a measure."""
        return estimate(self.values(policy, measure))

    def better_by(self, policy: Policy, than: Policy, measure: str) -> Estimate:
        """Estimate by which share of `than`'s mean a measure is lower, seed against the same seed."""
        seeds = [seed for seed in self.seeds(policy) if seed in self.seeds(than)]
        ours, theirs = self.values(policy, measure, seeds), self.values(than, measure, seeds)
        scale = statistics.fmean(theirs)
        return estimate([(b - a) / scale for a, b in zip(ours, theirs, strict=True)])


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing to reach, and what was reached."""

    text: str
    reached: str
    holds: bool


def marks(compared: Compared, ours: Policy, peer: Policy) -> list[Mark]:
    """Judge the operating point by the marks that were set: over all seeds, and the worst seed of the queue."""
    queue = max(compared.values(ours, "queue_max"))
    refused = compared.mean(ours, "refused_share")
    found = [
        Mark("gate queue never above 5 cars", f"{queue:.0f} at most", queue <= 5),
        Mark("refused on arrival, of the diverted: 2 % at most", f"{refused.text(1, 100)} %", refused.mean <= 0.02),
    ]
    for measure, text in (("extra_mean_s", "mean extra time"), ("extra_p95_s", "95th percentile of extra time")):
        gain = compared.better_by(ours, peer, measure)
        found.append(Mark(f"{text}: 10 % below `visible`, tuned", f"{gain.text(1, 100)} %", gain.mean >= 0.10))
    return found


def _name(policy: str, parameters: Mapping[str, Any]) -> str:
    return json.dumps([policy, parameters], sort_keys=True)
