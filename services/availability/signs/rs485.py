"""Count signs on a serial line. Several signs may hang on one line, each with its own code: they take turns.

pyserial blocks, so each frame is written in a thread. What a sign answers is not read: makers differ, some are mute.
"""

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING

from typing_extensions import override

from services.availability.signs.driving import SignAway, SignDriver
from services.availability.signs.faces import Face
from services.availability.signs.frames import ascii_frame, xunpeng_frame
from services.availability.signs.signs_file import SerialSign

if TYPE_CHECKING:
    import serial

_WRITE_S = 2.0
_QUIET_S = 0.02
"""The quiet after a frame by which signs know its end: twenty bytes' time at 9600 baud."""
_BITS_A_BYTE = 10


class SerialLine:
    """One wire, opened when it is first needed and after each failure."""

    def __init__(self, device: str, baud: int) -> None:
        self._device = device
        self._baud = baud
        self._turn = asyncio.Lock()
        self._open: serial.Serial | None = None

    async def write(self, frame: bytes) -> None:
        """Write one frame.

        Raises:
            SignAway: the line can't be opened or written.
        """
        async with self._turn:
            try:
                await asyncio.to_thread(self._write, frame)
            except OSError as error:  # as which pyserial reports all that fails
                self._close()
                raise SignAway(str(error)) from error
            except BaseException:  # cancelled half-way: what was sent of the frame is not known
                self._close()
                raise
            # The kernel has it; the wire takes its time.
            await asyncio.sleep(len(frame) * _BITS_A_BYTE / self._baud + _QUIET_S)

    async def close(self) -> None:
        """Close the line."""
        async with self._turn:
            self._close()

    def _write(self, frame: bytes) -> None:
        import serial  # noqa: PLC0415  (an extra: only those with such signs need it)

        if self._open is None:
            self._open = serial.Serial(self._device, self._baud, write_timeout=_WRITE_S)
        self._open.write(frame)

    def _close(self) -> None:
        if self._open is not None:
            self._open.close()
        self._open = None


class Rs485CountSign(SignDriver):
    """One count sign on a line."""

    def __init__(self, said: SerialSign, line: SerialLine) -> None:
        self._said = said
        self._line = line

    @override
    async def show(self, face: Face, as_of: datetime) -> None:
        await self._line.write(frame_of(self._said, face))

    @override
    async def close(self) -> None:
        await self._line.close()


def frame_of(said: SerialSign, face: Face) -> bytes:
    """Give the bytes that a sign of the signs file is sent."""
    if said.format == "xunpeng" and said.dark is not None:
        return xunpeng_frame(face, said.code, said.dark)
    return ascii_frame(face, said.code)
