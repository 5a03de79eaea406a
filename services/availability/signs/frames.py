"""The bytes of count signs on a serial line. No I/O.

`xunpeng`, as Shenzhen Xunpeng publishes it for its count signs, 9600 8N1:

    3A | colour: 00 green, 01 yellow, 02 red | count, low byte first | code | sum of the bytes before | 0A
    888 in green for code 1: 3A 00 78 03 01 B6 0A

It has a number and no word, so the operator says which count the sign shows as dark or dashes (`dark`).

`ascii`, for controllers that read a line of text; ours, and as simple as such a thing can be:

    #AA,C,TTTT*SS CR LF    AA address in two digits, C one of G Y R, TTTT the text to the right in four places,
                           SS the exclusive or of the bytes between # and *, in two digits of hex
"""

from functools import reduce
from operator import xor

from services.availability.boards.showing import Shows
from services.availability.signs.faces import Colour, Face

LARGEST_COUNT = 0xFFFF
_PLACES = 4
_XUNPENG_COLOURS = {Colour.GREEN: 0, Colour.YELLOW: 1, Colour.RED: 2}
_ASCII_COLOURS = {Colour.GREEN: "G", Colour.YELLOW: "Y", Colour.RED: "R"}


def xunpeng_frame(face: Face, code: int, dark: int) -> bytes:
    """Give the frame for the sign of `code`; full is 0 in red, and what is no number is `dark`."""
    number = face.shown.number if face.shown.number is not None else dark
    if face.shown.shows is Shows.FULL:
        number = 0
    body = bytes([0x3A, _XUNPENG_COLOURS[face.colour], *min(number, LARGEST_COUNT).to_bytes(2, "little"), code])
    return body + bytes([sum(body) & 0xFF, 0x0A])


def ascii_frame(face: Face, address: int) -> bytes:
    """Give the line for the sign at `address`; a number with more than four places is said as 9999."""
    text = face.text if len(face.text) <= _PLACES else "9999"
    body = f"{address:02d},{_ASCII_COLOURS[face.colour]},{text:>{_PLACES}}".encode("ascii")
    return b"#%b*%02X\r\n" % (body, reduce(xor, body))
