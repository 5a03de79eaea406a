"""What a panel and a dashboard are, whoever draws them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bowei.domain.lots import Name


class Unit(StrEnum):
    """Of a panel's numbers, as Grafana spells them."""

    COUNT = "short"
    PER_SECOND = "reqps"
    SECONDS = "s"
    SHARE = "percentunit"
    BYTES = "bytes"


class Look(StrEnum):
    """How a panel shows its numbers."""

    LINES = "timeseries"
    NUMBER = "stat"


@dataclass(frozen=True, slots=True)
class Query:
    """One query of Prometheus, and how its series are called; `{{label}}` stands for a label's value."""

    expression: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One question and what answers it. `red_from`: at and above this somebody should look."""

    title: Name
    queries: Sequence[Query]
    unit: Unit = Unit.COUNT
    look: Look = Look.LINES
    red_from: float | None = None


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Some panels for somebody."""

    dashboard_id: str
    title: Name
    panels: Sequence[Panel]
