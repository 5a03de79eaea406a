"""Places for those who wait: a stream or a long poll takes one for as long as it is open."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from bowei.domain.problems import Refused

_BUSY_RETRY_S = 5.0


class Places:
    """So many places in this process, and so many of them for one caller."""

    def __init__(self, *, most: int, most_of_one: int) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._taken: Counter[str] = Counter()

    @property
    def taken(self) -> int:
        """How many are taken."""
        return self._taken.total()

    @contextmanager
    def one_for(self, caller: str) -> Iterator[None]:
        """Take a place.

        Raises:
            Refused: overloaded (all are taken), too_many_requests (all of this caller are).
        """
        if self.taken >= self._most:
            raise Refused("overloaded", retry_after_s=_BUSY_RETRY_S)
        if self._taken[caller] >= self._most_of_one:
            raise Refused("too_many_requests", retry_after_s=_BUSY_RETRY_S)
        self._taken[caller] += 1
        try:
            yield
        finally:
            self._taken[caller] -= 1
            if not self._taken[caller]:
                del self._taken[caller]
