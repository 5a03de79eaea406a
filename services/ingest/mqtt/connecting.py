"""A connection to a broker that acknowledges when it is told to, and holds few messages.

    socket ──readable, and room──▶ paho ──▶ inbox ──received──▶ taken in ──committed──▶ acknowledge (PUBACK)

A broker of MQTT 5 sends at most `receive_maximum` messages that are not acknowledged, and keeps the rest. Not all keep
to that, and messages of QoS 0 are not acknowledged at all: so while the inbox is full nothing is read, and the pressure
goes back through the connection itself. Why on paho and not on an asyncio client: docs/adr/0013.
"""

import asyncio
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, cast

from paho.mqtt.client import (
    MQTT_CLEAN_START_FIRST_ONLY,
    Client,
    ConnectFlags,
    DisconnectFlags,
    MQTTMessage,
)
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions
from typing_extensions import override

from bowei.observability.background import stop
from services.ingest.mqtt.feed import MqttFeed

LARGEST_MESSAGE = 64 * 1024
"""Bytes of a packet; a broker of MQTT 5 sends us none that is larger."""
KEEPALIVE_S = 30
"""A broker that says nothing for twice as long, although it is asked, is lost."""
_OPEN_S = 5.0
_ANSWER_S = 10.0
_GOODBYE_S = 2.0
_TICK_S = 1.0


class ConnectionLost(Exception):
    """The broker can't be reached, refused us, or was lost; what was not acknowledged will be sent again."""


@dataclass(frozen=True, slots=True)
class Account:
    """How we show who we are."""

    client_id: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)


class ClosedIfRefused(ssl.SSLSocket):
    """A socket that closes itself where the handshake fails, because paho leaves that one open."""

    @override
    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


class Connection:
    """One connection, from `async with` to its end. Only the loop that opened it may use it."""

    def __init__(self, feed: MqttFeed, account: Account) -> None:
        self._feed = feed
        self._newer = feed.protocol == "5"
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._inbox: deque[MQTTMessage] = deque()
        self._room = feed.receive_maximum
        self._news = asyncio.Event()
        self._accepted = asyncio.Event()
        self._ended: str | None = None
        self._given_up = False
        self._reading = False
        self._socket: socket.socket | None = None
        self._ticking: asyncio.Task[None] | None = None
        self._followed: dict[int, tuple[Sequence[str], Callable[[], None]]] = {}
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            account.client_id,
            clean_session=None if self._newer else feed.session_expiry_s == 0,
            protocol=MQTTProtocolVersion.MQTTv5 if self._newer else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        self._client.connect_timeout = _OPEN_S
        if account.username is not None:
            self._client.username_pw_set(account.username, account.password)
        if account.tls is not None:
            account.tls.sslsocket_class = ClosedIfRefused
            self._client.tls_set_context(account.tls)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        self._client.on_subscribe = self._on_subscribe
        self._client.on_socket_open = self._on_socket_open
        self._client.on_socket_close = self._on_socket_close
        self._client.on_socket_register_write = self._on_write_wanted
        self._client.on_socket_unregister_write = self._on_write_done

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            ConnectionLost: it can't be.
        """
        try:
            # In a thread: names are looked up, and TLS shakes hands, in calls that block.
            await self._loop.run_in_executor(None, self._open)
            async with asyncio.timeout(_ANSWER_S):
                while not self._accepted.is_set() and not self.lost:
                    self._news.clear()
                    await self._news.wait()
        except (OSError, ValueError) as error:
            await self._close()
            raise ConnectionLost(str(error) or type(error).__name__) from error
        except BaseException:
            await self._close()
            raise
        if self._ended is not None:
            await self._close()
            raise ConnectionLost(self._ended)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say goodbye, and close."""
        try:
            if not self.lost:
                self._client.disconnect()
                async with asyncio.timeout(_GOODBYE_S):
                    while not self.lost:
                        self._news.clear()
                        await self._news.wait()
        except TimeoutError:
            pass
        finally:
            await self._close()

    @property
    def lost(self) -> bool:
        """Whether the connection has ended."""
        return self._ended is not None

    def follow(self, topics: Sequence[str], then: Callable[[], None]) -> None:
        """Subscribe with QoS 1; `then` is called once the broker granted it, and a refusal ends the connection.

        What the broker retained comes at once, unless the topic is shared. It does not wait for the answer, because
        messages may come before it, and have to be taken so that there is room for it.
        """
        if self._newer:
            options = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE)
            _, number = self._client.subscribe([(topic, options) for topic in topics])
        else:
            _, number = self._client.subscribe([(topic, 1) for topic in topics])
        if number is not None:
            self._followed[number] = (topics, then)

    def leave(self, topics: Sequence[str]) -> None:
        """Unsubscribe; without effect on a lost connection."""
        if not self.lost:
            self._client.unsubscribe(list(topics))

    async def received(self, most: int) -> list[MQTTMessage]:
        """Wait for a message, and give it with whatever else is there, `most` at most.

        Raises:
            ConnectionLost: there are none, and there will be none.
        """
        while not self._inbox:
            if self._ended is not None:
                raise ConnectionLost(self._ended)
            self._news.clear()
            await self._news.wait()
        return self.here(most)

    def here(self, most: int) -> list[MQTTMessage]:
        """Give the messages that are there, `most` at most."""
        messages = [self._inbox.popleft() for _ in range(min(most, len(self._inbox)))]
        if self._socket is not None and not self._reading and len(self._inbox) < self._room:
            self._read_on()
        return messages

    def acknowledge(self, message: MQTTMessage) -> None:
        """Tell the broker that a message is ours now; without effect on one of QoS 0, or on a lost connection."""
        if message.qos > 0 and not self.lost:
            self._client.ack(message.mid, message.qos)

    # What follows is called by paho or by the loop.

    def _open(self) -> None:
        fresh = self._feed.session_expiry_s == 0
        self._client.connect(
            self._feed.host,
            self._feed.port_used,
            KEEPALIVE_S,
            clean_start=fresh if self._newer else MQTT_CLEAN_START_FIRST_ONLY,
            properties=_wishes(self._feed) if self._newer else None,
        )

    async def _close(self) -> None:
        self._given_up = True
        self._end("closed")
        if self._ticking is not None:
            await stop(self._ticking)
        if self._socket is not None:
            self._detach(self._socket)
            self._socket.close()

    def _end(self, cause: str) -> None:
        if self._ended is None:
            self._ended = cause
        self._news.set()

    def _attach(self, opened: socket.socket) -> None:
        if self._given_up:
            opened.close()
            return
        # An acknowledgement is a few bytes, and what waits for it should not wait for more of them.
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = opened
        self._ticking = self._loop.create_task(self._tick())
        self._read_on()

    def _detach(self, closing: socket.socket) -> None:
        self._reading = False
        if closing.fileno() >= 0:
            self._loop.remove_reader(closing)
            self._loop.remove_writer(closing)

    def _read_on(self) -> None:
        if self._socket is not None and self._socket.fileno() >= 0:
            self._reading = True
            self._loop.add_reader(self._socket, self._on_readable)
            # TLS may have read further than was asked of it, which the loop can't see.
            self._loop.call_soon(self._on_readable)

    async def _tick(self) -> None:
        """Keep the connection alive, and notice when it is not."""
        while True:
            if self._client.loop_misc() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return
            await asyncio.sleep(_TICK_S)

    def _on_readable(self) -> None:
        while self._reading and self._socket is not None:
            if len(self._inbox) >= self._room:
                self._reading = False
                self._loop.remove_reader(self._socket)
                return
            try:
                failure = self._client.loop_read()
            except Exception as error:  # noqa: BLE001 (a broker may send what paho can't read)
                self._end(f"not MQTT: {type(error).__name__}")
                self._detach(self._socket)
                return
            if failure != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return
            if not isinstance(self._socket, ssl.SSLSocket) or not self._socket.pending():
                return

    def _on_writable(self) -> None:
        self._client.loop_write()

    def _on_socket_open(self, _: Client, __: object, opened: object) -> None:
        self._loop.call_soon_threadsafe(self._attach, cast("socket.socket", opened))

    def _on_socket_close(self, _: Client, __: object, closing: object) -> None:
        self._detach(cast("socket.socket", closing))
        self._socket = None

    def _on_write_wanted(self, _: Client, __: object, opened: object) -> None:
        writing = cast("socket.socket", opened)
        if threading.get_ident() == self._thread:
            self._loop.add_writer(writing, self._on_writable)
        else:
            self._loop.call_soon_threadsafe(self._loop.add_writer, writing, self._on_writable)

    def _on_write_done(self, _: Client, __: object, opened: object) -> None:
        written = cast("socket.socket", opened)
        if written.fileno() >= 0:
            self._loop.remove_writer(written)

    def _on_connect(
        self, _: Client, __: object, ___: ConnectFlags, reason: ReasonCode, ____: Properties | None
    ) -> None:
        if reason.is_failure:
            self._end(f"refused: {reason}")
            return
        self._accepted.set()
        self._news.set()

    def _on_disconnect(
        self, _: Client, __: object, ___: DisconnectFlags, reason: ReasonCode, ____: Properties | None
    ) -> None:
        self._end(f"lost: {reason}")

    def _on_message(self, _: Client, __: object, message: MQTTMessage) -> None:
        self._inbox.append(message)
        self._news.set()

    def _on_subscribe(
        self, _: Client, __: object, number: int, reasons: list[ReasonCode], ___: Properties | None
    ) -> None:
        topics, then = self._followed.pop(number, ((), _nothing))
        refused = [topic for topic, reason in zip(topics, reasons, strict=False) if reason.is_failure]
        if refused:
            self._end(f"the broker refuses to let us subscribe to {refused[0]}")
        else:
            then()


def _nothing() -> None:
    """Do nothing."""


def _wishes(feed: MqttFeed) -> Properties:
    wishes = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    wishes.SessionExpiryInterval = feed.session_expiry_s
    wishes.ReceiveMaximum = feed.receive_maximum
    wishes.MaximumPacketSize = LARGEST_MESSAGE
    return wishes
