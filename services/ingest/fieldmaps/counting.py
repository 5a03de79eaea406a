"""Counts: what a value says as a number of spaces, whatever it is written as.

    118  "118"  "１１８"  118.0      the number
    "1.234" with thousands: "."      the number
    "30+" "≥30" ">30" "30以上"        at least so many        "<10" "≤10" "10以下"   at most so many
    what `means` lists               a number, a state, or unknown
    everything else                  unknown, and the dirt it is

What is unknown is None, never 0. Of ">30" the 30 is taken and of "<10" the 9: the smaller number that is still true.
"""

import math
import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, Field, model_validator

from bowei.domain.dirt import Dirt
from bowei.domain.lots import LARGEST_COUNT
from bowei.domain.observations import Bound, LotState
from bowei.observability.operator_files import STRICT, unfit
from services.ingest.fieldmaps.fields import FieldIn, Said, as_text, plain

UNKNOWN = "unknown"
_LONGEST = 60
_NUMBER = re.compile(r"[+-]?[0-9]{1,12}(\.[0-9]{1,12})?")
_AT_LEAST = (
    re.compile(r"(?P<count>[0-9]{1,6}) ?(?:\+|以上|or more)", re.IGNORECASE),
    re.compile(r"(?:≥|>=|>|=>) ?(?P<count>[0-9]{1,6})"),
)
_AT_MOST = (
    re.compile(r"(?:≤|<=|=<) ?(?P<count>[0-9]{1,6})"),
    re.compile(r"(?P<count>[0-9]{1,6}) ?以下"),
)
_LESS = re.compile(r"< ?(?P<count>[0-9]{1,6})")

Meaning = Annotated[int, Field(ge=0, le=LARGEST_COUNT)] | Literal["unknown", "open", "closed", "out_of_order"]
Meanings = Annotated[dict[str, Meaning], Field(max_length=100)]


@dataclass(frozen=True, slots=True)
class Counted:
    """What a field says: a number, or None; a state, where a word stood for one; and the dirt met."""

    count: int | None = None
    bound: Bound = Bound.EXACT
    state: LotState | None = None
    dirt: frozenset[Dirt] = frozenset()


NOT_SAID = Counted()


class WrittenIn(BaseModel):
    """How numbers are written, and what some values mean; said for a whole map, or for one field."""

    model_config = STRICT
    decimal: Literal[".", ","] = "."
    thousands: Literal[",", ".", " ", "'", "’"] | None = None
    means: Meanings = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_marks_differ(self) -> "WrittenIn":
        if self.decimal == self.thousands:
            raise unfit("decimal and thousands are the same mark. Say another for one of them.")
        return self


class CountIn(FieldIn):
    """A number of spaces."""

    unit: Literal["spaces", "percent", "share"] = "spaces"
    """Percent (0 to 100) and share (0 to 1) are of the item's capacity, and rounded down."""
    binary: bool = False
    """The value is a yes (1) or no (0): at least one, or none."""
    means: Meanings = Field(default_factory=dict)
    minus: "CountIn | None" = None
    """What is taken away from it, such as the occupied spaces from all."""

    def read(self, said: Said, written: WrittenIn, capacity: int | None = None) -> Counted:
        """Read the count; it never raises. `capacity` is what percent and share are of."""
        counted = self._read_own(said, written, capacity)
        if self.minus is None or counted.count is None:
            return counted
        other = self.minus.read(said, written, capacity)
        return difference(counted, other)

    def _read_own(self, said: Said, written: WrittenIn, capacity: int | None) -> Counted:
        value = self.find(said)
        if value is None:
            return NOT_SAID
        text = as_text(value)
        if text is None or len(text) > _LONGEST:
            return Counted(dirt=frozenset({Dirt.NOT_A_NUMBER}))
        for spelled in (text, plain(text)):
            for means in (self.means, written.means):
                if spelled in means:
                    return _meant(means[spelled])
        return self._counted("" if isinstance(value, bool) else plain(text), written, capacity)

    def _counted(self, text: str, written: WrittenIn, capacity: int | None) -> Counted:
        if self.binary:
            return _binary(text)
        if self.unit == "spaces":
            return (None if text.isalnum() and text.isascii() else _bounded(text)) or _whole(_number(text, written))
        return _part(_number(text, written), capacity, 100.0 if self.unit == "percent" else 1.0)


class ConstantCount(BaseModel):
    """A number that the sender never says, such as the one space of a sensor."""

    model_config = STRICT
    constant: Annotated[int, Field(ge=0, le=LARGEST_COUNT)]

    def read(self, said: Said, written: WrittenIn, capacity: int | None = None) -> Counted:  # noqa: ARG002
        """Give the number."""
        return Counted(self.constant)


def difference(whole: Counted, part: Counted) -> Counted:
    """Give what is left of a whole without a part: unknown where either is, or where less than nothing is left."""
    dirt = whole.dirt | part.dirt
    state = whole.state or part.state
    if whole.count is None or part.count is None:
        return Counted(state=state, dirt=dirt)
    left = whole.count - part.count
    if left < 0:
        return Counted(state=state, dirt=dirt | {Dirt.NEGATIVE_COUNT})
    turned = {Bound.EXACT: Bound.EXACT, Bound.AT_LEAST: Bound.AT_MOST, Bound.AT_MOST: Bound.AT_LEAST}
    return Counted(left, turned[part.bound], state, dirt)


def _meant(meaning: int | str) -> Counted:
    if isinstance(meaning, int):
        return Counted(meaning)
    state = None if meaning == UNKNOWN else LotState(meaning)
    return Counted(state=state, dirt=frozenset({Dirt.SENTINEL}))


def _binary(text: str) -> Counted:
    if text == "0":
        return Counted(0, dirt=frozenset({Dirt.BINARY_COUNT}))
    if text == "1":
        return Counted(1, Bound.AT_LEAST, dirt=frozenset({Dirt.BINARY_COUNT}))
    return Counted(dirt=frozenset({Dirt.NOT_A_NUMBER}))


def _bounded(text: str) -> Counted | None:
    for pattern in _AT_LEAST:
        if match := pattern.fullmatch(text):
            return _within(int(match["count"]), Bound.AT_LEAST, Dirt.AT_LEAST)
    for pattern in _AT_MOST:
        if match := pattern.fullmatch(text):
            return _within(int(match["count"]), Bound.AT_MOST, Dirt.AT_MOST)
    if match := _LESS.fullmatch(text):
        return _within(max(0, int(match["count"]) - 1), Bound.AT_MOST, Dirt.AT_MOST)
    return None


def _within(count: int, bound: Bound, dirt: Dirt) -> Counted:
    if count > LARGEST_COUNT:
        return Counted(dirt=frozenset({Dirt.NOT_A_NUMBER}))
    return Counted(count, bound, dirt=frozenset({dirt}))


def _number(text: str, written: WrittenIn) -> float | None:
    """Read a number as the map says that it is written; None: it is none."""
    if written.thousands is not None and written.thousands in text:
        whole, mark, rest = text.partition(written.decimal)
        if not re.fullmatch(rf"[+-]?[0-9]{{1,3}}({re.escape(written.thousands)}[0-9]{{3}}){{1,4}}", whole):
            return None
        text = whole.replace(written.thousands, "") + mark + rest
    if written.decimal == ",":
        text = text.translate({ord(","): ".", ord("."): "_"})
    return float(text) if _NUMBER.fullmatch(text) else None


def _whole(number: float | None) -> Counted:
    if number is None or number > LARGEST_COUNT:
        return Counted(dirt=frozenset({Dirt.NOT_A_NUMBER}))
    if number < 0:
        return Counted(dirt=frozenset({Dirt.NEGATIVE_COUNT}))
    if not number.is_integer():
        return Counted(dirt=frozenset({Dirt.FRACTION}))
    return Counted(int(number))


def _part(number: float | None, capacity: int | None, whole: float) -> Counted:
    if number is None or number > whole:
        return Counted(dirt=frozenset({Dirt.NOT_A_NUMBER}))
    if number < 0:
        return Counted(dirt=frozenset({Dirt.NEGATIVE_COUNT}))
    if capacity is None:
        return NOT_SAID
    return Counted(math.floor(capacity * number / whole + 1e-9), dirt=frozenset({Dirt.FRACTION}))
