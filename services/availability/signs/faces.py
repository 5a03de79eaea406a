"""What a sign is told: one lot in one number or word, by a driver's needs also in JSON or in four characters."""

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bowei.domain.lots import LotId
from bowei.observability.instants import rfc3339
from services.availability.boards.showing import UNKNOWN, Shown, Shows
from services.availability.lots import Level


class Colour(StrEnum):
    """The colours that count signs have."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


_COLOURS = {
    Level.PLENTY: Colour.GREEN,
    Level.FEW: Colour.YELLOW,
    Level.ALMOST_FULL: Colour.YELLOW,
    Level.FULL: Colour.RED,
    Level.CLOSED: Colour.RED,
    Level.UNKNOWN: Colour.YELLOW,
}
_WORDS = {Shows.SOME: "OPEN", Shows.FULL: "FULL", Shows.CLOSED: "CLSD", Shows.UNKNOWN: "--"}


@dataclass(frozen=True, slots=True)
class Face:
    """What a sign shows."""

    sign_id: str
    lot_id: LotId
    shown: Shown = UNKNOWN

    @property
    def colour(self) -> Colour:
        """The colour for those signs that have three; the word or number says the same."""
        return _COLOURS[self.shown.level]

    @property
    def text(self) -> str:
        """Four characters or few more: 118, 30+, <5, FULL, CLSD, OPEN, --."""
        number = self.shown.number
        if number is None:
            return _WORDS[self.shown.shows]
        return {Shows.AT_LEAST: f"{number}+", Shows.AT_MOST: f"<{number + 1}"}.get(self.shown.shows, str(number))

    def as_json(self, as_of: datetime, valid_s: int) -> bytes:
        """Give the face as a JSON object; a sign that hears nothing for `valid_s` must go dark."""
        said: dict[str, object] = {
            "sign_id": self.sign_id,
            "lot_id": self.lot_id,
            "shows": self.shown.shows,
            "text": self.text,
            "colour": self.colour,
            "as_of": rfc3339(as_of),
            "valid_s": valid_s,
        }
        if self.shown.number is not None:
            said["number"] = self.shown.number
        return json.dumps(said, separators=(",", ":"), sort_keys=True).encode()
