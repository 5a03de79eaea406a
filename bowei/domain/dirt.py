"""Dirt: what feeds get wrong, each kind with one name.

A name stands in the record beside what was said, in metrics and on the data-quality page, and never changes its
meaning. Whether a report with dirt is believed is judged in `believing`.
"""

from enum import StrEnum


class Dirt(StrEnum):
    """A kind of dirt."""

    # of time
    FUTURE_TIME = "future_time"
    NAIVE_TIME = "naive_time"
    """No zone was written; the feed's declared one was used."""
    NO_TIME = "no_time"
    """No time was said, or none that can be read; the time of receipt is used."""
    FROZEN_CLOCK = "frozen_clock"
    """The source's time stands still while its counts move; the time of receipt is used."""

    # of a count
    SENTINEL = "sentinel"
    """A number or word that stands for "no count": -1, -9, 开放中."""
    NOT_A_NUMBER = "not_a_number"
    NEGATIVE_COUNT = "negative_count"
    FRACTION = "fraction"
    NO_DATA_AS_ZERO = "no_data_as_zero"
    """The source says that it has no data, and 0 free."""
    AT_LEAST = "at_least"
    """A cap: "30 or more"."""
    AT_MOST = "at_most"
    """A floor: "fewer than 10"."""
    BINARY_COUNT = "binary_count"
    """A yes or no that looks like a count."""
    FREE_ABOVE_CAPACITY = "free_above_capacity"
    OPEN_ABOVE_CAPACITY = "open_above_capacity"
    CAPACITY_ZERO = "capacity_zero"
    CAPACITY_MOVED = "capacity_moved"
    OVERFLOW = "overflow"
    """More cars than spaces for a while: a spike, not a wrong register."""
    COUNTS_DISAGREE = "counts_disagree"
    """Free and occupied do not add up to the capacity."""

    # of a series of counts
    STUCK = "stuck"
    DRIFT = "drift"

    # of names and places
    UNKNOWN_LOT = "unknown_lot"
    RENAMED_LOT = "renamed_lot"
    JUNK_ID = "junk_id"
    SWAPPED_AXES = "swapped_axes"
    METRES_AS_DEGREES = "metres_as_degrees"
    DATUMS_DISAGREE = "datums_disagree"

    # of the link
    COMMS_LOST = "comms_lost"
    GAP = "gap"


class Doubt(StrEnum):
    """Why a lot's newest report, however recent, is not believed: it offers nothing, and its count is not shown.

    Found by looking at many reports, or set by hand; it stands until it is taken back.
    """

    STUCK = "stuck"
    DRIFT = "drift"
    REGISTRY_WRONG = "registry_wrong"
    """It counts more spaces than are registered, again and again: the register is wrong, or the counter is."""
    COMMS_LOST = "comms_lost"
    PROBATION = "probation"
    """The lot or its source has not yet shown that it can be believed."""
    SUSPENDED = "suspended"


ENDED_BY_COUNTING = frozenset({Doubt.STUCK, Doubt.DRIFT})
"""What a count by hand puts right."""
