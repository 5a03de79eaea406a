"""What was asked and what was answered, and when: the memory that the ledger is compared with afterwards."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bowei.records.clock import ScaledClock

NO_ANSWER = 0
"""The status of an attempt that was not answered: a time-out, or a broken connection."""
OWNER, THIEF, CHANGED = "owner", "thief", "changed_body"


@dataclass(slots=True)
class Attempt:
    """One request and its answer. Instants are this machine's seconds since 1970."""

    what: str
    key: str
    """The diversion's id; of a report the lot's."""
    driver: str
    process: str
    who: str
    began_s: float
    ended_s: float = 0.0
    status: int = NO_ANSWER
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def hold(self) -> Mapping[str, Any] | None:
        """The hold that the answer shows."""
        found: Mapping[str, Any] | None = self.body.get("hold") if 200 <= self.status < 300 else None
        return found

    @property
    def code(self) -> str:
        """The code of a refusal."""
        return str(self.body.get("code", ""))

    @property
    def guided(self) -> bool:
        """Say whether the answer named a lot and held nothing, because the ledger was away."""
        return self.body.get("outcome") == "guided"

    @property
    def answered(self) -> bool:
        """Say whether there is nothing to repeat."""
        return self.status not in (NO_ANSWER, 429, 503) and not self.guided


@dataclass(frozen=True, slots=True)
class Reported:
    """One acknowledged report of a lot."""

    lot_id: str
    observed_at: datetime
    seq: int
    passage: str | None
    """The passage's id and direction; None: an observation."""
    result: str
    ended_s: float


@dataclass(frozen=True, slots=True)
class Visit:
    """A car that was let in by a hold: from entering to leaving."""

    lot_id: str
    diversion_id: str
    entered_s: float
    left_s: float


@dataclass(slots=True)
class Fault:
    """One fault: what, to whom, and from when to when the dependency was away."""

    kind: str
    target: str
    began_s: float
    returned_s: float = float("inf")
    skipped: str = ""


class History:
    """All of it."""

    def __init__(self, clock: ScaledClock) -> None:
        self.clock = clock
        self.attempts: list[Attempt] = []
        self.reported: list[Reported] = []
        self.visits: list[Visit] = []
        self.faults: list[Fault] = []
        self.first_tries: list[tuple[float, bool]] = []
        """Of each operation: when it was first asked for, and whether that was answered."""
        self.unanswered: list[str] = []
        self.refusals_said: dict[str, int] = {}
        """By diversion: how many different holds were refused on arrival."""
        self.whole_at_s: list[float] = []
        """When the copy was seen to be whole."""
        self.measured_clocks = 0
        """How often a process whose clock was wrong was asked how wrong, and could know."""
        self.violations: list[tuple[str, str]] = []

    def shown(self, real_s: float) -> datetime:
        """Give the ledger's instant at an instant of this machine."""
        return self.clock.origin_shown + timedelta(
            seconds=(real_s - self.clock.origin_real.timestamp()) * self.clock.speed
        )

    def real_s(self, shown: datetime) -> float:
        """Give this machine's instant at an instant of the ledger."""
        return self.clock.origin_real.timestamp() + (shown - self.clock.origin_shown).total_seconds() / self.clock.speed

    def now(self) -> datetime:
        """Give the ledger's instant now."""
        return self.shown(time.time())

    @property
    def operations(self) -> int:
        """How many operations ended."""
        return len(self.first_tries)

    def done(self, what: str, began_s: float, tries: int, *, answered: bool) -> None:
        """Count one operation, which took so many attempts."""
        self.first_tries.append((began_s, answered and tries == 1))
        if not answered:
            self.unanswered.append(what)

    def violated(self, kind: str, details: str) -> None:
        """Keep a violation that was seen at once."""
        self.violations.append((kind, details))
