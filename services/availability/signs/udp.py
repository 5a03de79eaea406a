"""Signs that take a JSON object in a datagram. Nobody answers, so it is repeated, and says for how long it holds."""

import asyncio
from datetime import datetime

from typing_extensions import override

from services.availability.signs.driving import SignAway, SignDriver
from services.availability.signs.faces import Face
from services.availability.signs.signs_file import UdpSign


class UdpJsonSign(SignDriver):
    """One sign at a host and port."""

    def __init__(self, said: UdpSign) -> None:
        self._said = said
        self._socket: asyncio.DatagramTransport | None = None

    @override
    async def show(self, face: Face, as_of: datetime) -> None:
        try:
            if self._socket is None or self._socket.is_closing():
                # The name is looked up anew whenever sending failed.
                self._socket, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                    lambda: _Listener(self), remote_addr=(self._said.host, self._said.port)
                )
            self._socket.sendto(face.as_json(as_of, self._said.valid_s))
        except OSError as error:
            await self.close()
            raise SignAway(str(error)) from error

    @override
    async def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def lost(self) -> None:
        """Nobody listens there, the other machine says: look its name up again."""
        if self._socket is not None:
            self._socket.close()


class _Listener(asyncio.DatagramProtocol):
    def __init__(self, sign: UdpJsonSign) -> None:
        self._sign = sign

    @override
    def error_received(self, exc: Exception) -> None:
        self._sign.lost()
