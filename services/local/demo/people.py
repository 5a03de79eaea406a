"""Who comes when, and how long they stay: everything random about people, drawn from one seed. No I/O, no clock.

The hospital's figures are those published for Hangzhou's First Hospital: 127 spaces, a peak of some 110 cars an hour
from 07:00 to 10:00, stays of 2 to 2.7 h on average, at most 388 cars diverted in a day. The day's tail and everything
about the lots around it is invented to fit.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from zoneinfo import ZoneInfo

from bowei.domain.lots import LotKind

HOSPITAL_SPACES = 127
"""The hospital whose demand is published; others are scaled by their spaces."""

# Cars an hour, by hour of the day from 00:00.
_HOSPITAL_CARS = (4, 3, 2, 2, 4, 12, 45, 114, 114, 112, 100, 74, 60, 90, 92, 80, 62, 36, 26, 22, 16, 12, 8, 6)

HOSPITAL_STAY_MEAN = timedelta(hours=2.5)
_HOSPITAL_STAY_SIGMA = 0.6
_STAY_MIN = timedelta(minutes=15)

HOSPITAL_FULL_SHARE_AT_7 = 0.9
"""How full the hospital is when the demo begins: the first patients come before seven."""

_ASKS_EARLY = 0.4
_GIVES_UP = 0.05
_NEVER_COMES = 0.03
_ASKS_TWICE = 0.1

# The share of a lot's spaces taken by its own customers, at (hour, share); straight lines between.
_OWN_CUSTOMERS: dict[LotKind, Sequence[tuple[float, float]]] = {
    LotKind.MALL: (
        (0, 0.05), (7, 0.08), (9.5, 0.14), (10, 0.2), (11, 0.42), (12, 0.68), (13, 0.76), (15, 0.66), (17, 0.68),
        (19, 0.8), (21, 0.6), (22.5, 0.15), (24, 0.05),
    ),
    LotKind.OFFICE: (
        (0, 0.06), (7, 0.1), (8, 0.3), (9, 0.62), (10, 0.72), (12, 0.64), (14, 0.72), (17, 0.66), (18.5, 0.3),
        (20, 0.12), (24, 0.06),
    ),
    LotKind.PUBLIC: (
        (0, 0.45), (7, 0.5), (9, 0.68), (11, 0.74), (13, 0.78), (16, 0.74), (19, 0.72), (22, 0.5), (24, 0.45),
    ),
}  # fmt: skip
_KERBSIDE_PLUS = 0.38
"""A lot without a barrier fills before all others and stays nearly full: nobody at its gate says no."""

_CUSTOMER_STAY_MEAN = {
    LotKind.MALL: timedelta(hours=2),
    LotKind.OFFICE: timedelta(hours=6),
    LotKind.PUBLIC: timedelta(hours=1.5),
}
_STEP = timedelta(minutes=15)


class Temper(StrEnum):
    """What a diverted driver does with the space that was promised."""

    COMES = "comes"
    GIVES_UP = "gives_up"
    NEVER_COMES = "never_comes"


@dataclass(frozen=True, slots=True)
class Visit:
    """One car that wants to park at the hospital."""

    number: int
    came_at: datetime
    """When it is at the gate, or 1.5 km before it if it asks early."""
    stay: timedelta
    asks_early: bool
    temper: Temper
    asks_twice: bool
    """Repeats the request once more though it was answered: the answer must be the same."""
    bearing_deg: float
    """From the hospital, where it comes from."""


def visits(seed: str, spaces: int, starts_at: datetime, zone: ZoneInfo) -> Iterator[Visit]:
    """Draw the cars that come to a hospital of `spaces` spaces, without end; the same seed draws the same cars."""
    rng = random.Random(f"{seed}/visits")  # noqa: S311  (a simulation, not a secret)
    scale = spaces / HOSPITAL_SPACES
    most_an_hour = max(_HOSPITAL_CARS) * scale
    at, number = starts_at, 0
    while True:
        at += timedelta(hours=rng.expovariate(most_an_hour))
        if rng.random() * most_an_hour >= _HOSPITAL_CARS[at.astimezone(zone).hour] * scale:
            continue
        number += 1
        yield Visit(
            number=number,
            came_at=at,
            stay=hospital_stay(rng),
            asks_early=rng.random() < _ASKS_EARLY,
            temper=_temper(rng.random()),
            asks_twice=rng.random() < _ASKS_TWICE,
            bearing_deg=rng.uniform(0, 360),
        )


def hospital_stay(rng: random.Random) -> timedelta:
    """Draw how long a patient's car stays: lognormal, 2.5 h on average."""
    mean_log = math.log(HOSPITAL_STAY_MEAN / timedelta(hours=1)) - _HOSPITAL_STAY_SIGMA**2 / 2
    return max(_STAY_MIN, timedelta(hours=rng.lognormvariate(mean_log, _HOSPITAL_STAY_SIGMA)))


def _temper(drawn: float) -> Temper:
    if drawn < _GIVES_UP:
        return Temper.GIVES_UP
    return Temper.NEVER_COMES if drawn < _GIVES_UP + _NEVER_COMES else Temper.COMES


def parked_at_start(seed: str, spaces: int, share: float = HOSPITAL_FULL_SHARE_AT_7) -> list[timedelta]:
    """Draw how much longer each car stays that is in the hospital's lot when the demo begins."""
    rng = random.Random(f"{seed}/parked")  # noqa: S311
    # Most of them came within the last hour and a half: little of their stay is over.
    return [hospital_stay(rng) * rng.uniform(0.4, 1.0) for _ in range(round(spaces * share))]


def customer_share(kind: LotKind, local: datetime, *, barrier: bool) -> float:
    """Give the share of a lot's spaces that its own customers take at a local time, between 0 and 1."""
    points = _OWN_CUSTOMERS.get(kind, _OWN_CUSTOMERS[LotKind.PUBLIC])
    hour = local.hour + local.minute / 60 + local.second / 3600
    share = points[-1][1]
    for (from_hour, low), (to_hour, high) in pairwise(points):
        if from_hour <= hour < to_hour:
            share = low + (high - low) * (hour - from_hour) / (to_hour - from_hour)
            break
    return share if barrier else min(0.97, share + _KERBSIDE_PLUS)


@dataclass(frozen=True, slots=True)
class Customer:
    """One car that wants to park at a lot, having never heard of Bowei."""

    came_at: datetime
    stay: timedelta


def customers(
    seed: str, kind: LotKind, spaces: int, starts_at: datetime, zone: ZoneInfo, *, barrier: bool
) -> Iterator[Customer]:
    """Draw a lot's own customers, without end: as many as keep it as full as `customer_share` says."""
    rng = random.Random(f"{seed}/customers")  # noqa: S311
    mean_stay = _CUSTOMER_STAY_MEAN.get(kind, timedelta(hours=2))
    step_at = starts_at
    while True:
        share_now = customer_share(kind, step_at.astimezone(zone), barrier=barrier)
        share_next = customer_share(kind, (step_at + _STEP).astimezone(zone), barrier=barrier)
        expected = spaces * (share_next - share_now + share_now * (_STEP / mean_stay))
        for came_after in sorted(rng.random() for _ in range(_poisson(rng, max(0.0, expected)))):
            yield Customer(step_at + _STEP * came_after, _customer_stay(rng, mean_stay))
        step_at += _STEP


def customers_at_start(
    seed: str, kind: LotKind, spaces: int, starts_at: datetime, zone: ZoneInfo, *, barrier: bool
) -> list[timedelta]:
    """Draw how much longer each of the customers stays that are in a lot when the demo begins."""
    rng = random.Random(f"{seed}/there")  # noqa: S311
    share = customer_share(kind, starts_at.astimezone(zone), barrier=barrier)
    mean_stay = _CUSTOMER_STAY_MEAN.get(kind, timedelta(hours=2))
    return [_customer_stay(rng, mean_stay) for _ in range(round(spaces * share))]


def _customer_stay(rng: random.Random, mean: timedelta) -> timedelta:
    # Exponential: what is left of a stay is then drawn like a whole one.
    return max(timedelta(minutes=5), mean * rng.expovariate(1.0))


def _poisson(rng: random.Random, expected: float) -> int:
    count, reached = 0, rng.expovariate(1.0)
    while reached < expected:
        count += 1
        reached += rng.expovariate(1.0)
    return count
