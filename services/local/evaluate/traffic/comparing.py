"""Runs of the same seeds compared: means with 95 % intervals, and ratios of paired means."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.local.evaluate.intervals import Interval, interval, ratio_interval
from services.local.evaluate.traffic.policies import Policy
from services.local.evaluate.traffic.results import Line


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

    def mean(self, policy: Policy, measure: str) -> Interval:
        """Give a measure's mean over the seeds."""
        return interval(self.values(policy, measure))

    def better_by(self, policy: Policy, than: Policy, measure: str) -> Interval:
        """Say by which share of `than`'s mean a measure is lower, on the seeds that both have."""
        seeds = [seed for seed in self.seeds(policy) if seed in self.seeds(than)]
        left = ratio_interval(self.values(policy, measure, seeds), self.values(than, measure, seeds))
        return Interval(1 - left.mean, left.half)


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
        Mark(
            "refused on arrival, of the diverted: 2 % at most", f"{refused.times(100).text()} %", refused.mean <= 0.02
        ),
    ]
    for measure, text in (("extra_mean_s", "mean extra time"), ("extra_p95_s", "95th percentile of extra time")):
        gain = compared.better_by(ours, peer, measure)
        found.append(Mark(f"{text}: 10 % below `visible`, tuned", f"{gain.times(100).text()} %", gain.mean >= 0.10))
    return found


def _name(policy: str, parameters: Mapping[str, Any]) -> str:
    return json.dumps([policy, parameters], sort_keys=True)
