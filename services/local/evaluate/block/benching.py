"""All policies in all cases on all days, kept and resumed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from services.local.evaluate.block.driving import drive_morning
from services.local.evaluate.block.hindsight import least_extra_s
from services.local.evaluate.block.policies import NearestByAir, NearestShownFree, Policy, QueueAndWait
from services.local.evaluate.block.product import Ours
from services.local.evaluate.block.scene import CASES, Case, Morning, make_morning
from services.local.evaluate.keeping import Key, run_missing

HINDSIGHT = "optimum in hindsight"

POLICIES: dict[str, Callable[[], Policy]] = {
    policy().name: policy
    for policy in (
        QueueAndWait,
        NearestByAir,
        NearestShownFree,
        Ours,
        lambda: Ours(name="ours, with displacement prices", priced=True, fill_factor=0.5),
        lambda: Ours(name="ours, and staff ask for the rest", staff_ask=True),
    )
}


def bench(
    seeds: Sequence[int], cases: Sequence[Case], file: Path | None, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Run what is missing, and give every line.

    Raises:
        ValueError: the file is another's.
    """
    lines = []
    for line in run_missing(_keys(seeds, cases), _run, file):
        lines.append(line)
        say(f"{line['case']}, seed {line['seed']}: {line['policy']}")
    return lines


def _keys(seeds: Sequence[int], cases: Sequence[Case]) -> Iterator[Key]:
    for case in cases:
        for seed in seeds:
            for policy in (*POLICIES, HINDSIGHT):
                yield {"case": case.name, "seed": seed, "policy": policy}


def _run(key: Key) -> dict[str, Any]:
    case = next(case for case in CASES if case.name == key["case"])
    morning = _morning(key["seed"], case)
    if key["policy"] == HINDSIGHT:
        return {"extra_s": least_extra_s(morning)}
    return asdict(drive_morning(morning, POLICIES[key["policy"]](), case))


@lru_cache(maxsize=4)
def _morning(seed: int, case: Case) -> Morning:
    return make_morning(seed, case)
