"""Slips: what the staff at a gate hands to a driver without an app. One SVG, with nothing to be fetched from elsewhere.

The QR opens the driver's page with the token in the address's fragment, which a browser sends to nobody.
"""

import io
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from urllib.parse import quote
from xml.sax.saxutils import escape

import segno

from bowei.domain.holds import Hold
from bowei.domain.lots import Lot

_WIDTH, _HEIGHT = 580, 800
"""Of an 80 mm receipt: 580 dots, as most thermal printers have."""
_QR_SIZE = 300
_EDGE = 12
_LATIN_EM = 0.6
"""How wide a Latin letter is at most, on the average; a Chinese one is 1."""


@dataclass(frozen=True, slots=True)
class Slip:
    """What stands on a slip; `page` None: no page is served, and there is no QR."""

    hold: Hold
    lot: Lot
    walk_s: int | None
    page: str | None


def page_of(pages_url: str | None, diversion_id: str, token: str) -> str | None:
    """Give the address of a driver's page; None where none is served."""
    return None if pages_url is None else f"{pages_url}/go#d={quote(diversion_id)}&token={quote(token)}"


def drawn(slip: Slip) -> str:
    """Draw a slip: where to go, until when, the code in big type, and the QR."""
    until = _hour(slip.hold.expires_at, slip.lot)
    code = slip.hold.code or ""
    lines = [
        _line(60, 34, "泊位 Bowei · 车位保留单", weight="bold"),
        _line(130, 52, slip.lot.name.zh, weight="bold"),
        _line(172, 28, slip.lot.name.en),
        _line(232, 34, f"请于 {until} 前到达 · until {until}"),
        _line(310, 76, f"{code[:4]} {code[4:]}", weight="bold", family="monospace"),
        _line(352, 26, "入场时出示此号码 · show this code at the entrance"),
    ]
    if slip.walk_s is not None:
        minutes = max(1, ceil(slip.walk_s / 60))  # as boards say it
        lines.append(_line(396, 26, f"步行至医院约 {minutes} 分钟 · {minutes} min walk to the hospital"))
    if slip.page is not None:
        lines += [_qr(slip.page), _line(_HEIGHT - 36, 24, "扫码导航与延时 · scan to navigate")]
    body = "\n".join(lines)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
        f' lang="zh">\n<rect width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n'
    )


def _line(y: int, largest: int, text: str, *, weight: str = "normal", family: str = "sans-serif") -> str:
    ems = sum(_LATIN_EM if char.isascii() else 1.0 for char in text)
    size = min(largest, int((_WIDTH - 2 * _EDGE) / max(ems, 1.0)))
    return (
        f'<text x="{_WIDTH // 2}" y="{y}" font-size="{size}" font-weight="{weight}" font-family="{family}"'
        f' text-anchor="middle" fill="#000">{escape(text)}</text>'
    )


def _qr(page: str) -> str:
    drawing = io.BytesIO()
    segno.make(page, error="m", micro=False).save(
        drawing, kind="svg", xmldecl=False, svgns=False, omitsize=True, border=4, svgclass=None, lineclass=None
    )
    x = (_WIDTH - _QR_SIZE) // 2
    inner = drawing.getvalue().decode().strip()
    return inner.replace("<svg ", f'<svg x="{x}" y="420" width="{_QR_SIZE}" height="{_QR_SIZE}" ', 1)


def _hour(at: datetime, lot: Lot) -> str:
    return at.astimezone(lot.zone).strftime("%H:%M")
