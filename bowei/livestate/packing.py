"""Packing: what is foreseen of a whole city as one text, some 60 bytes for each lot, and back.

One value and one piece of news every five minutes, in the place of ten thousand of each.
"""

import base64
import zlib
from collections.abc import Mapping
from datetime import datetime

import msgspec
import numpy as np

from bowei.domain.calibrating import BINS, TURNS
from bowei.domain.forecasting import COURSE_POINTS, Foreseen
from bowei.domain.foreseeing import CityForeseen
from bowei.domain.lots import LotId

_ROW = np.dtype([("volatility", "<f4"), ("course", "<f4", (COURSE_POINTS,)), ("rates", "<u2", (TURNS, BINS))])
_WHOLE = 65_535
"""A rate of 1: rates are whole numbers of this part."""


class _Document(msgspec.Struct):
    at: datetime
    lots: list[LotId]
    row_bytes: int
    rows: str


def pack(foreseen: CityForeseen) -> str:
    """Write what is foreseen."""
    rows = np.zeros(len(foreseen.lot_ids), dtype=_ROW)
    rows["volatility"], rows["course"] = foreseen.volatility, foreseen.course
    rows["rates"] = np.rint(foreseen.rates * _WHOLE)
    packed = base64.b64encode(zlib.compress(rows.tobytes(), level=1)).decode()
    return msgspec.json.encode(_Document(foreseen.at, list(foreseen.lot_ids), _ROW.itemsize, packed)).decode()


def unpack(text: str) -> Mapping[LotId, Foreseen]:
    """Read it; nothing where another release wrote it in another form: then there is no forecast."""
    try:
        document = msgspec.json.decode(text, type=_Document)
        packed = zlib.decompress(base64.b64decode(document.rows, validate=True))
    except (msgspec.MsgspecError, ValueError, zlib.error):
        return {}
    if document.row_bytes != _ROW.itemsize or len(packed) != _ROW.itemsize * len(document.lots):
        return {}
    rows = np.frombuffer(packed, dtype=_ROW)
    return CityForeseen(
        at=document.at,
        lot_ids=tuple(document.lots),
        volatility=rows["volatility"].astype(float),
        course=rows["course"].astype(float),
        rates=rows["rates"].astype(float) / _WHOLE,
    ).by_lot()
