"""The line to an MQTT broker, on paho: it runs in a thread of its own, and is spoken to from the loop.

What a barrier answers is acknowledged by paho as it comes; an answer that is lost then is asked for again, because its
command stays open.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from typing_extensions import override

from services.routing.telling import BrokerAway, Line, OpensLines

_ANSWER_S = 10.0
_KEEPALIVE_S = 30
_MOST_WAITING = 1_000
"""Answers that wait to be taken; the ones after that are dropped, and asked for again by their commands."""
SCHEMES = frozenset({"mqtt", "mqtts"})


@dataclass(frozen=True, slots=True)
class Broker(OpensLines):
    """A broker by its address: mqtt(s)://user:password@host:port/prefix."""

    url: str = field(repr=False)

    @property
    @override
    def prefix(self) -> str:
        return urlsplit(self.url).path.strip("/") or "bowei"

    @override
    async def connect(self, answers: str) -> "PahoLine":
        line = PahoLine(self.url)
        await line.open(answers)
        return line


class PahoLine(Line):
    """One connection."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or "localhost"
        self._port = parts.port or (8883 if parts.scheme == "mqtts" else 1883)
        self._loop = asyncio.get_running_loop()
        self._inbox: deque[tuple[str, bytes]] = deque(maxlen=_MOST_WAITING)
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._lost: str | None = None
        self._answers = ""
        self._client = Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
        if parts.username is not None:
            self._client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        if parts.scheme == "mqtts":
            self._client.tls_set()
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message

    async def open(self, answers: str) -> None:
        """Connect, and subscribe. Raises BrokerAway."""
        self._answers = answers
        try:
            await asyncio.to_thread(self._client.connect, self._host, self._port, _KEEPALIVE_S)
            self._client.loop_start()
            async with asyncio.timeout(_ANSWER_S):
                await self._opened
        except (OSError, ValueError) as error:
            await self.close()
            raise BrokerAway(str(error) or type(error).__name__) from error
        except BaseException:
            await self.close()
            raise

    @override
    async def publish(self, topic: str, body: bytes) -> None:
        sent = self._client.publish(topic, body, qos=1)
        if self._lost is not None or sent.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise BrokerAway(self._lost or "not sent")

    @override
    def received(self) -> Iterable[tuple[str, bytes]]:
        while self._inbox:
            yield self._inbox.popleft()
        if self._lost is not None:
            raise BrokerAway(self._lost)

    @override
    async def close(self) -> None:
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)

    # What follows is called by paho, in its thread.

    def _on_connect(
        self, client: Client, _: object, __: ConnectFlags, reason: ReasonCode, ___: Properties | None
    ) -> None:
        if not reason.is_failure:
            client.subscribe(self._answers, qos=1)
        self._loop.call_soon_threadsafe(self._connected, f"refused: {reason}" if reason.is_failure else None)

    def _on_disconnect(
        self, _: Client, __: object, ___: DisconnectFlags, reason: ReasonCode, ____: Properties | None
    ) -> None:
        self._lost = f"lost: {reason}"
        self._loop.call_soon_threadsafe(self._connected, self._lost)

    def _on_message(self, _: Client, __: object, message: MQTTMessage) -> None:
        self._inbox.append((message.topic, bytes(message.payload)))

    def _connected(self, failure: str | None) -> None:
        if self._opened.done():
            return
        if failure is None:
            self._opened.set_result(None)
        else:
            self._opened.set_exception(BrokerAway(failure))
