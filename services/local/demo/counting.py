"""The figures of a run, counted by the world, and what counts as a broken promise.

Nothing here is read from a service's own counters. A promise is broken when an acknowledged hold is denied before its
`expires_at`, when one id gets two different answers, when more acknowledged holds live on a lot than it lends, and
when a barrier that keeps held spaces had none for a driver who came in time (counted apart: refused on arrival).
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

from bowei.domain.agreements import Agreement
from bowei.domain.calendars import Calendar, LocalTime
from bowei.domain.lots import CalendarId, Lot, LotId

_NOTED_MOST = 20


@dataclass(slots=True)
class Tally:
    """What happened so far."""

    cars: int = 0
    """That came to a hospital."""
    parked_at_hospital: int = 0
    diverted: int = 0
    """Sent to another lot: held, or guided without a hold."""
    held: int = 0
    """Of them with a space held."""
    guided: int = 0
    arrived: int = 0
    """Entered a lot on a hold."""
    refused_on_arrival: int = 0
    """Came in time, and a lot that keeps held spaces had none."""
    refused_unfenced: int = 0
    """The same at a lot without a barrier link, to which drivers are guided, not guaranteed."""
    replaced: int = 0
    moved: int = 0
    """Sent elsewhere on the way, before the space was lost."""
    moved_unheard: int = 0
    """Was moved, and entered the old lot before hearing of it."""
    no_lot: int = 0
    """Answered that no lot had room."""
    gave_up: int = 0
    no_shows: int = 0
    late: int = 0
    """Came after the hold's end."""
    turned_away: int = 0
    """Drove off: the queue was too long, or nothing was found."""
    unanswered: int = 0
    """Asked, repeated the same id, and got no answer within the budget."""
    repeats: int = 0
    """Repeated a request: after a failure, or on purpose."""
    broken_promises: int = 0

    def as_json(self) -> dict[str, int]:
        """Give the figures by name."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A hold as a service told a driver."""

    diversion_id: str
    ordinal: int
    lot_id: LotId
    placed_at: datetime
    expires_at: datetime

    @property
    def identity(self) -> tuple[int, LotId, datetime]:
        """What must be the same in every answer to the same id."""
        return self.ordinal, self.lot_id, self.placed_at


@dataclass(frozen=True, slots=True)
class Diverted:
    """One diversion, for people to read."""

    at: datetime
    hospital_id: str
    car: str
    lot_id: LotId | None
    why: str


@dataclass(slots=True)
class PromiseWatch:
    """Holds what services say against what they said before, and against what the lots lend."""

    tally: Tally
    lots: dict[LotId, Lot]
    agreements: Sequence[Agreement]
    calendars: Mapping[CalendarId, Calendar]
    broken: list[str] = field(default_factory=list)
    _by_id: dict[str, Acknowledged] = field(default_factory=dict)
    _live: dict[LotId, dict[str, Acknowledged]] = field(default_factory=dict)

    def acknowledged(self, hold: Acknowledged) -> None:
        """Take note of an answer with a live hold."""
        known = self._by_id.get(hold.diversion_id)
        if known is not None and hold.ordinal <= known.ordinal:
            if known.identity != hold.identity:
                self.break_promise(f"{hold.diversion_id}: two answers, {known.lot_id} and {hold.lot_id}")
            return
        if known is not None:
            self.ended(known)
        self._by_id[hold.diversion_id] = hold
        on_lot = self._live.setdefault(hold.lot_id, {})
        on_lot[hold.diversion_id] = hold
        self._check_room(hold, on_lot)

    def extended(self, hold: Acknowledged) -> None:
        """Take note of a hold's later end."""
        self._by_id[hold.diversion_id] = hold
        self._live.setdefault(hold.lot_id, {})[hold.diversion_id] = hold

    def denied(self, hold: Acknowledged, now: datetime, answer: str) -> None:
        """Take note that a service denied a hold at `now`: broken if it had not run out by then."""
        if now < hold.expires_at:
            self.break_promise(f"{hold.diversion_id}: {answer} before {hold.expires_at:%H:%M:%S}")

    def ended(self, hold: Acknowledged) -> None:
        """Take note that the driver no longer needs the promise: entered, given up, refused or run out."""
        self._live.get(hold.lot_id, {}).pop(hold.diversion_id, None)

    def break_promise(self, what: str) -> None:
        """Count a broken promise, and say which, for the first few."""
        self.tally.broken_promises += 1
        if len(self.broken) < _NOTED_MOST:
            self.broken.append(what)

    def _check_room(self, new: Acknowledged, on_lot: dict[str, Acknowledged]) -> None:
        """Count the holds that lived when the new one was placed: no more than was lent then, or than there is."""
        lot = self.lots[new.lot_id]
        local = LocalTime.of(lot, self.calendars)
        living = sum(one.placed_at <= new.placed_at < one.expires_at for one in on_lot.values())
        lent = sum(
            sum(agreement.lent_at(new.placed_at, local).values())
            for agreement in self.agreements
            if agreement.lot_id == lot.lot_id
        )
        if living > min(lent, lot.capacity):
            self.break_promise(f"{lot.lot_id}: {living} holds live, {lent} spaces lent")


@dataclass(slots=True)
class Figures:
    """All that a run counts."""

    tally: Tally
    watch: PromiseWatch
    recent: deque[Diverted] = field(default_factory=lambda: deque(maxlen=12))
