"""CSV (RFC 4180) with a header: one line for each lot. What is not known is empty, never 0."""

import csv
import io
from collections.abc import Sequence

from bowei.observability.instants import rfc3339
from services.availability.opendata.editions import Edition, OneLot

_COLUMNS = (
    "id", "name_zh", "name_en", "kind", "lat", "lon", "state", "level", "capacity", "free", "free_bound",
    "free_at_most", "held", "offered", "observed_at", "freshness", "faults",
)  # fmt: skip
_LINE_END = "\r\n"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class CsvText:
    """A table."""

    media_type = "text/csv; charset=utf-8; header=present"
    foresees = False

    def piece(self, lot: OneLot) -> bytes:
        """Write a line."""
        status, one = lot.status, lot.status.lot
        return _line(
            [
                one.lot_id,
                one.name.zh,
                one.name.en,
                one.kind,
                one.location.lat,
                one.location.lon,
                status.state,
                status.level,
                status.capacity,
                status.free,
                status.bound,
                status.free_at_most,
                status.held,
                status.offered,
                None if status.observed_at is None else rfc3339(status.observed_at),
                status.freshness,
                " ".join(str(fault) for fault in status.faults),
            ]
        )

    def whole(self, pieces: Sequence[bytes], edition: Edition) -> bytes:  # noqa: ARG002 (a table says nothing else)
        """Put the table together."""
        return _line(_COLUMNS) + b"".join(pieces)


def _line(cells: Sequence[object]) -> bytes:
    written = io.StringIO()
    csv.writer(written, lineterminator=_LINE_END).writerow([_cell(cell) for cell in cells])
    return written.getvalue().encode()


def _cell(cell: object) -> object:
    # A name that begins like a formula would be run by whoever opens the file in a spreadsheet.
    if isinstance(cell, str) and cell.startswith(_FORMULA):
        return f"'{cell}"
    return cell
