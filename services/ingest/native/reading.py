"""Reading a batch: decoded in one go, and only if that fails item by item, so that a bad one never stops the others.

Lines of JSON (NDJSON) are a batch without a frame around it: each line an item.

JSON is as strict as everywhere (`bowei.observability.bodies`), but checked here, once there is room to read at all.
Codes are those of `bowei.domain.problems`. Nothing that was sent is repeated, but the ids of an item where those can
be read.
"""

import re
from typing import Generic, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from bowei.domain.problems import FieldError, Refused
from bowei.observability.bodies import check_json
from services.ingest.native.params import ITEMS_MAX, Batch, Identifier, Unread

Item = TypeVar("Item")


class BatchReader(Generic[Item]):
    """Reads batches of one kind of item."""

    def __init__(self, item_type: type[Item]) -> None:
        self._whole: msgspec.json.Decoder[Batch[Item]] = msgspec.json.Decoder(Batch[item_type])  # type: ignore[valid-type]
        self._one: msgspec.json.Decoder[Item] = msgspec.json.Decoder(item_type)
        self._outline: msgspec.json.Decoder[Batch[msgspec.Raw]] = msgspec.json.Decoder(Batch[msgspec.Raw])

    def read(self, body: bytes) -> list[Item | Unread]:
        """Read a body into its items, each read or `Unread`.

        Raises:
            Refused: `malformed_json`; `invalid_request` where `items` itself is wrong.
        """
        try:
            batch = self._whole.decode(body)
        except msgspec.ValidationError:
            check_json(body)
            return self._read_each(body)
        except (ValueError, RecursionError):  # msgspec's own error and that of UTF-8 are both ValueErrors
            raise Refused("malformed_json") from None
        # As many keys as are written out again: none was said twice. Where that can't be told so cheaply, look closely.
        if b"\\" in body or len(_KEY.findall(body)) != msgspec.json.encode(batch).count(b'":'):
            check_json(body)
        return list(batch.items)

    def read_lines(self, body: bytes) -> list[Item | Unread]:
        """Read lines of JSON into items, each read or `Unread`; empty lines are none.

        Raises:
            Refused: `invalid_request` where there is no line, or more than a batch may have.
        """
        lines = [line for line in body.splitlines() if line.strip()]
        if not 1 <= len(lines) <= ITEMS_MAX:
            raise Refused("invalid_request", errors=(FieldError("items", "wrong_length"),))
        return [self._read_line(line) for line in lines]

    def _read_line(self, line: bytes) -> Item | Unread:
        try:
            check_json(line)
            return self._read_one(msgspec.Raw(line))
        except (Refused, ValueError, RecursionError):
            return Unread("malformed_json")

    def _read_each(self, body: bytes) -> list[Item | Unread]:
        try:
            return [self._read_one(raw) for raw in self._outline.decode(body).items]
        except msgspec.ValidationError as error:
            code, field = explain(str(error))
            raise Refused("invalid_request", errors=(FieldError(field or "", code),)) from None
        except (ValueError, RecursionError):
            raise Refused("malformed_json") from None

    def _read_one(self, raw: msgspec.Raw) -> Item | Unread:
        try:
            return self._one.decode(raw)
        except msgspec.ValidationError as error:
            code, field = explain(str(error))
            return Unread(code, field, **_ids(raw))


def _ids(raw: msgspec.Raw) -> dict[str, str]:
    """Give the ids of an item that is otherwise wrong, where they are right."""
    found: dict[str, str] = {}
    for name in ("lot_id", "passage_id"):
        try:
            value = getattr(msgspec.json.decode(raw, type=_ONLY[name]), name)
        except msgspec.ValidationError:
            continue
        if isinstance(value, str):
            found[name] = value
    return found


_ONLY = {
    name: msgspec.defstruct(f"_Only_{name}", [(name, Identifier | UnsetType, UNSET)])
    for name in ("lot_id", "passage_id")
}

_KEY = re.compile(rb'"\s*:')
_AT = re.compile(r" (?:at|in) `\$\.?([a-z_]*)")
_NAMED_FIELD = re.compile(r"(missing required|unknown) field `([A-Za-z_][A-Za-z0-9_.-]{0,63})`")
_CODES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"^Object missing required"), "missing_field"),
    (re.compile(r"^Object contains unknown"), "unknown_field"),
    (re.compile(r"^Expected `(int|float)` [<>]|out of range"), "out_of_range"),
    (re.compile(r"^Expected `str` matching"), "bad_id"),
    (re.compile(r"^Expected `(str|array|object)` of length"), "wrong_length"),
    (re.compile(r"^Invalid RFC3339|^Expected `datetime`"), "bad_time"),
    (re.compile(r"^Invalid enum value"), "unknown_option"),
    (re.compile(r"^Expected `"), "wrong_type"),
)
"""How msgspec words its findings. Tests hold each to its code, so that a new release can't change them unnoticed."""


def explain(finding: str) -> tuple[str, str | None]:
    """Turn a finding of msgspec, which may quote what was sent, into our code and the name of a field."""
    code = next((code for pattern, code in _CODES if pattern.search(finding)), "bad_value")
    if named := _NAMED_FIELD.search(finding):
        return code, named.group(2)
    at = _AT.search(finding)
    return code, (at.group(1) or None) if at else None
