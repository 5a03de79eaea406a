"""What signs are sent, byte by byte: golden bytes, the first of them from the maker's own page."""

import json
from datetime import UTC, datetime

import pytest

from bowei.domain.lots import LotId
from services.availability.boards.showing import UNKNOWN, Shown, Shows
from services.availability.lots import Level
from services.availability.signs.faces import Face
from services.availability.signs.frames import ascii_frame, xunpeng_frame

_DARK = 9999


def _face(shows: Shows, number: int | None = None, level: Level = Level.PLENTY) -> Face:
    return Face("gate", LotId("in77"), Shown(shows, number, level))


FULL = _face(Shows.FULL, None, Level.FULL)
CLOSED = _face(Shows.CLOSED, None, Level.CLOSED)
NOTHING = Face("gate", LotId("in77"))


@pytest.mark.parametrize(
    ("face", "code", "golden"),
    [
        (_face(Shows.COUNT, 888), 1, "3A 00 78 03 01 B6 0A"),
        (_face(Shows.COUNT, 7, Level.FEW), 1, "3A 01 07 00 01 43 0A"),
        (_face(Shows.AT_LEAST, 30), 2, "3A 00 1E 00 02 5A 0A"),
        (FULL, 1, "3A 02 00 00 01 3D 0A"),
        (CLOSED, 1, "3A 02 0F 27 01 73 0A"),
        (NOTHING, 255, "3A 01 0F 27 FF 70 0A"),
        (_face(Shows.SOME), 1, "3A 00 0F 27 01 71 0A"),
        (_face(Shows.COUNT, 70_000), 1, "3A 00 FF FF 01 39 0A"),
    ],
)
def test_a_xunpeng_sign_is_sent_its_makers_bytes(face: Face, code: int, golden: str) -> None:
    """888 in green is the maker's own example. What is no number is dark, and dark is never 0, which is full."""
    assert xunpeng_frame(face, code, _DARK) == bytes.fromhex(golden)


@pytest.mark.parametrize(
    ("face", "address", "golden"),
    [
        (_face(Shows.COUNT, 118), 1, b"#01,G, 118*5E\r\n"),
        (_face(Shows.COUNT, 0, Level.ALMOST_FULL), 12, b"#12,Y,   0*4A\r\n"),
        (_face(Shows.AT_LEAST, 30), 1, b"#01,G, 30+*4E\r\n"),
        (_face(Shows.AT_MOST, 4, Level.FEW), 1, b"#01,Y,  <5*51\r\n"),
        (FULL, 1, b"#01,R,FULL*40\r\n"),
        (CLOSED, 1, b"#01,R,CLSD*4B\r\n"),
        (NOTHING, 1, b"#01,Y,  --*58\r\n"),
        (_face(Shows.COUNT, 12_345), 1, b"#01,G,9999*46\r\n"),
    ],
)
def test_an_ascii_sign_is_sent_a_line(face: Face, address: int, golden: bytes) -> None:
    """Right in four places, with the exclusive or of what is between # and *."""
    assert ascii_frame(face, address) == golden


def test_a_json_sign_is_told_all_there_is_and_for_how_long_it_holds() -> None:
    """A number only where there is one; the same bytes for the same face."""
    at = datetime(2026, 3, 2, 0, 30, 5, tzinfo=UTC)
    assert _face(Shows.COUNT, 118).as_json(at, 60) == (
        b'{"as_of":"2026-03-02T00:30:05.000Z","colour":"green","lot_id":"in77","number":118,"shows":"count",'
        b'"sign_id":"gate","text":"118","valid_s":60}'
    )
    nothing = json.loads(Face("gate", LotId("in77"), UNKNOWN).as_json(at, 60))
    assert (nothing["text"], nothing["shows"], "number" in nothing) == ("--", "unknown", False)
