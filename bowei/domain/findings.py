"""Findings: every rule that looks at a series, in one place."""

from datetime import datetime

from bowei.domain.assessing import (
    Finding,
    Series,
    find_binary,
    find_capacity,
    find_frozen_clock,
    find_gap,
    find_spill,
)
from bowei.domain.dirt import Dirt
from bowei.domain.drifting import find_drift
from bowei.domain.stillness import find_stuck


def find_all(series: Series, now: datetime) -> tuple[Finding, ...]:
    """Give all that is wrong with a lot at `now`, at most one finding of a kind: the surest."""
    found = (
        *find_stuck(series, now),
        *find_binary(series),
        *find_frozen_clock(series),
        *find_capacity(series),
        *find_spill(series, now),
        *find_drift(series),
        *find_gap(series, now),
    )
    surest: dict[Dirt, Finding] = {}
    for finding in found:
        other = surest.get(finding.dirt)
        if other is None or finding.confidence > other.confidence:
            surest[finding.dirt] = finding
    return tuple(surest.values())
