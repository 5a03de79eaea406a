"""Admitting: how much may be under way at once in this process, and how much of it of one source.

What is refused is refused before it is read, with 503 and a time to come back. A source may have as much under way as
is left free: one that storms alone gets half of the room, two get a third each, and there is always room for whoever
reports now and then.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from bowei.domain.lots import SourceId
from bowei.records.failures import Overloaded

MOST_BYTES = 8 * 1024 * 1024
"""Of bodies: some 40,000 items, more than one process records within the patience of those who wait (3 s). What they
become in memory is five to ten times as large."""


class Admission:
    """Counts what is under way."""

    def __init__(self, *, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._held = 0
        self._by_source: dict[SourceId, int] = {}

    @property
    def held_bytes(self) -> int:
        """How much is under way."""
        return self._held

    @contextmanager
    def admitted(self, source_id: SourceId, size: int) -> Iterator[None]:
        """Count so many bytes of a source for as long as the context lasts.

        Raises:
            Overloaded: that would be more than is left free for it.
        """
        own = self._by_source.get(source_id, 0)
        if own + size > self._most - self._held:
            raise Overloaded("too much is under way")
        self._held += size
        self._by_source[source_id] = own + size
        try:
            yield
        finally:
            self._held -= size
            left = self._by_source[source_id] - size
            if left:
                self._by_source[source_id] = left
            else:
                del self._by_source[source_id]
