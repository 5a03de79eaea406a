"""Replays: pushes that were taken once and come again. They are answered as the first time, and not taken."""

import hashlib
from collections import OrderedDict
from datetime import datetime, timedelta
from enum import Enum, auto

_REMEMBERED_MOST = 10_000
"""Of one feed: at 20 pushes a second, more than eight minutes."""


class Met(Enum):
    """Whether a push was met before."""

    NEW = auto()
    SAME = auto()
    """Word for word: the sender did not hear our answer, or somebody repeats it."""
    OTHER = auto()
    """Another push had the same number."""


class Replays:
    """What one feed pushed lately. Each process remembers for itself."""

    def __init__(self, remember_for: timedelta) -> None:
        self._remember_for = remember_for
        self._taken: OrderedDict[str, tuple[bytes, datetime]] = OrderedDict()

    def met(self, nonce: str, body: bytes, now: datetime) -> Met:
        """Say whether this push was taken before; one without a number is known by its words."""
        digest = hashlib.sha256(body).digest()
        while self._taken and next(iter(self._taken.values()))[1] <= now:
            self._taken.popitem(last=False)
        known = self._taken.get(nonce or digest.hex())
        if known is None:
            return Met.NEW
        return Met.SAME if known[0] == digest else Met.OTHER

    def taken(self, nonce: str, body: bytes, now: datetime) -> None:
        """Remember a push that was acknowledged."""
        digest = hashlib.sha256(body).digest()
        self._taken[nonce or digest.hex()] = (digest, now + self._remember_for)
        while len(self._taken) > _REMEMBERED_MOST:
            self._taken.popitem(last=False)
