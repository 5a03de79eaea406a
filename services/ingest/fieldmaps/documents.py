"""From bytes to a document: JSON, CSV with named columns, or a form; bounded in depth and number of rows."""

import base64
import binascii
import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal
from urllib.parse import parse_qsl

from pydantic import BaseModel, Field

from bowei.domain.problems import Refused
from bowei.observability.operator_files import STRICT

ITEMS_MOST = 5_000
"""A whole city in one answer; more is refused."""
_DEEPEST = 32
_FIELDS_MOST = 200
_CELL_MOST = 10_000

Encoding = Literal["utf-8", "gb18030", "big5", "latin-1"]


class UnwrapIn(BaseModel):
    """A member that is itself a document, written as text."""

    model_config = STRICT
    member: Annotated[str, Field(min_length=1, max_length=100)]
    holds: Literal["json", "base64_json"]


class DocumentIn(BaseModel):
    """How the bytes are to be read."""

    model_config = STRICT
    format: Literal["json", "csv", "form"] = "json"
    encoding: Encoding = "utf-8"
    delimiter: Literal[",", ";", "\t", "|"] = ","
    """Of CSV."""
    skip_lines: Annotated[int, Field(ge=0, le=100)] = 0
    """Lines above the CSV's header."""
    unwrap: Annotated[list[UnwrapIn], Field(max_length=5)] = Field(default_factory=list)

    def read(self, body: bytes) -> object:
        """Read the document: for CSV a list with a mapping for each row, for a form a mapping.

        Raises:
            Refused: malformed_body.
        """
        try:
            text = body.decode(self.encoding).removeprefix("\ufeff")
            document = self._read(text)
            for unwrap in self.unwrap:
                document = _unwrapped(document, unwrap)
            _check_depth(document)
        except (ValueError, RecursionError, csv.Error) as error:
            raise Refused("malformed_body") from error
        return document

    def _read(self, text: str) -> object:
        if self.format == "csv":
            return _rows(text, self.delimiter, self.skip_lines)
        if self.format == "form":
            pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True, max_num_fields=_FIELDS_MOST)
            return _once_each(pairs)
        return _json(text)


def _json(text: str) -> object:
    # NaN and the infinities, which some senders write, are no numbers: they are read as nothing.
    return json.loads(text, object_pairs_hook=_once_each, parse_constant=lambda _: None)


def _once_each(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key is said twice")
    return members


def _rows(text: str, delimiter: str, skip_lines: int) -> list[dict[str, object]]:
    lines = io.StringIO(text)
    for _ in range(skip_lines):
        lines.readline()
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    header = [name.strip() for name in next(reader, [])]
    if not header or len(set(header)) != len(header) or len(header) > _FIELDS_MOST:
        raise ValueError("the header is missing, too long, or names a column twice")
    rows: list[dict[str, object]] = []
    for row in reader:
        if len(rows) >= ITEMS_MOST:
            raise ValueError("too many rows")
        if row and any(cell.strip() for cell in row):
            rows.append(dict(zip(header, (cell.strip()[:_CELL_MOST] for cell in row), strict=False)))
    return rows


def _unwrapped(document: object, unwrap: UnwrapIn) -> object:
    held = document.get(unwrap.member) if isinstance(document, Mapping) else None
    if not isinstance(document, Mapping) or not isinstance(held, str):
        return document  # some senders wrap in some calls only
    try:
        text = base64.b64decode(held, validate=True).decode("utf-8") if unwrap.holds == "base64_json" else held
    except binascii.Error as error:
        raise ValueError("no base64") from error
    return {**document, unwrap.member: _json(text)}


def _check_depth(document: object) -> None:
    level = [document]
    for _ in range(_DEEPEST):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ())
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise ValueError("nested too deep")
