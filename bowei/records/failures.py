"""How a store fails, in words that a service can answer with.

StoreFailure
├── StoreAway        nothing was changed; ask again
├── OutcomeUnknown   the write may or may not have happened; repeat the same id
└── Overloaded       too many were waiting; nothing was done
"""

from collections.abc import Mapping
from types import MappingProxyType


class StoreFailure(Exception):
    """The store could not do what was asked."""


class StoreAway(StoreFailure):
    """The store can't be reached, and nothing was changed."""


class OutcomeUnknown(StoreFailure):
    """The connection was lost or the time ran out in the middle of a write: it may have happened."""


class Overloaded(StoreFailure):
    """Too many requests were waiting, or this one waited too long; nothing was done for it."""


PROBLEM_CODES: Mapping[type[Exception], str] = MappingProxyType(
    {StoreAway: "store_away", OutcomeUnknown: "outcome_unknown", Overloaded: "overloaded"}
)
"""With which code of `bowei.domain.problems` a service answers each."""
