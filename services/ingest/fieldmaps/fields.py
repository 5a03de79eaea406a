"""One field of a map: where its value stands, and what it is as text.

A field may be written as its path alone, or a list of them: `free: surplus` says the same as `free: {path: surplus}`.
"""

import math
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from bowei.observability.operator_files import STRICT, unfit
from services.ingest.fieldmaps.paths import AnyPath, SinglePath

LONGEST_TEXT = 200
"""No code, word or time of a lot is longer."""

_SCALARS = (str, int, float, bool)


@dataclass(frozen=True, slots=True)
class Said:
    """One item of what was sent, and the whole document around it."""

    item: object
    document: object


def _as_list(said: object) -> object:
    return [said] if isinstance(said, str) else said


SinglePaths = Annotated[list[SinglePath], BeforeValidator(_as_list), Field(min_length=1, max_length=10)]
AnyPaths = Annotated[list[AnyPath], BeforeValidator(_as_list), Field(min_length=1, max_length=10)]


class FieldIn(BaseModel):
    """Where a value stands: at the first of `path` that holds something, in the item or in the document."""

    model_config = STRICT
    path: SinglePaths
    of: Literal["item", "document"] = "item"

    @model_validator(mode="before")
    @classmethod
    def _read_shorthand(cls, said: object) -> object:
        return {"path": said} if isinstance(said, str | list) else said

    def find(self, said: Said) -> object:
        """Give the value; None where there is none, or nothing in it."""
        return next(_found(self, said), None)


class ManyIn(FieldIn):
    """A field of which there may be several values."""

    path: AnyPaths

    def find_all(self, said: Said) -> Iterator[object]:
        """Give each value that holds something."""
        return _found(self, said)


def _found(field: FieldIn, said: Said) -> Iterator[object]:
    root = said.item if field.of == "item" else said.document
    for path in field.path:
        found = [value for value in path.values(root) if not (value is None or value == "")]
        if found:
            yield from found
            return


def as_text(value: object) -> str | None:
    """Give a scalar as the text that it is written as, trimmed; None for what is no scalar, or holds nothing.

    Yes and no become true and false; a whole number loses the .0 that some senders give it.
    """
    if not isinstance(value, _SCALARS):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if math.isfinite(value) and value.is_integer() and abs(value) < 1e15 else repr(value)
    # A number of many digits has a text that Python refuses to write.
    if isinstance(value, int):
        return str(value) if abs(value) < 10**LONGEST_TEXT else None
    return value.strip() or None if len(value) <= 10 * LONGEST_TEXT else None


def plain(text: str) -> str:
    """Give a text with its full-width letters and digits as plain ones, and runs of white space as one space."""
    if text.isascii() and text.isalnum():  # as most values are
        return text
    return " ".join(unicodedata.normalize("NFKC", text).split())


_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\ud800-\udfff]")


class TextIn(FieldIn):
    """A text, such as a code; `unknown` lists texts that stand for none."""

    unknown: list[str] = Field(default_factory=list, max_length=50)

    def read(self, said: Said) -> str | None:
        """Give the text, or None where it is absent or stands for none.

        Raises:
            ValueError: it is no text that can be kept.
        """
        value = self.find(said)
        if value is None:
            return None
        text = as_text(value)
        if text is None or len(text) > LONGEST_TEXT or _UNPRINTABLE.search(text):
            raise ValueError("unfit text")
        return None if text in self.unknown else text


class WordIn(ManyIn):
    """A word out of a known set, and what each means."""

    means: dict[str, str] = Field(min_length=1, max_length=100)

    def words(self, said: Said) -> list[str | None]:
        """Give what each value found means; None for a word that is not known."""
        texts = (as_text(value) for value in self.find_all(said))
        return [None if text is None else self.means.get(text, self.means.get(plain(text))) for text in texts]


def check_means(means: dict[str, str], options: frozenset[str]) -> None:
    """Check that each meaning is one of the options.

    Raises:
        PydanticCustomError: one is not.
    """
    if strays := sorted(set(means.values()) - options):
        raise unfit(f"{', '.join(strays)[:60]}: no such meaning. There are: {', '.join(sorted(options))}.")
