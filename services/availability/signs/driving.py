"""The port of signs: a driver sends one face to one sign. It decides nothing, and keeps nothing."""

from datetime import datetime
from typing import Protocol

from services.availability.signs.faces import Face


class SignAway(Exception):
    """The sign can't be reached; the text says why."""


class SignDriver(Protocol):
    """Reaches one sign."""

    async def show(self, face: Face, as_of: datetime) -> None:
        """Send a face; returns when it has left this machine.

        Raises:
            SignAway: it could not be sent; the next try opens everything anew.
        """

    async def close(self) -> None:
        """Let go of the wire; never fails."""
