"""Signs that listen to a broker.

What is published is retained, so that a sign that wakes up knows at once. The last will of the connection says that
nothing is known: the broker publishes it where this process dies.
"""

import asyncio
import ssl
from datetime import UTC, datetime
from pathlib import Path

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from typing_extensions import override

from services.availability.signs.driving import SignAway, SignDriver
from services.availability.signs.faces import Face
from services.availability.signs.signs_file import MqttSign

_OPEN_S = 5.0
_TAKEN_S = 5.0
_KEEP_ALIVE_S = 20


class MqttJsonSign(SignDriver):
    """One sign's topic at a broker; a failure ends the connection, and the next face opens another."""

    def __init__(self, said: MqttSign, password: str | None, folder: Path, client_id: str) -> None:
        self._said = said
        self._password = password
        self._folder = folder
        self._client_id = client_id
        self._session: _Session | None = None

    @override
    async def show(self, face: Face, as_of: datetime) -> None:
        try:
            if self._session is None:
                self._session = _Session(self._client_for(face))
                await self._session.open(self._said.host, self._said.port_used)
            body = face.as_json(as_of, self._said.valid_s)
            await self._session.publish(self._said.topic, body, qos=self._said.qos)
        except (OSError, ValueError) as error:  # a TimeoutError is an OSError
            await self.close()
            raise SignAway(str(error) or type(error).__name__) from error
        except BaseException:
            await self.close()
            raise

    @override
    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _client_for(self, face: Face) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            self._client_id,
            protocol=MQTTProtocolVersion.MQTTv5 if self._said.protocol == "5" else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        client.connect_timeout = _OPEN_S
        if self._said.username is not None:
            client.username_pw_set(self._said.username, self._password)
        if self._said.encrypted:
            authority = None if self._said.ca_file is None else self._folder / self._said.ca_file
            client.tls_set_context(ssl.create_default_context(cafile=authority))
        nothing = Face(face.sign_id, face.lot_id).as_json(datetime.now(UTC), self._said.valid_s)
        client.will_set(self._said.topic, nothing, qos=self._said.qos, retain=True)
        return client


class _Session:
    """One connection, with paho's own thread; its callbacks hand over to the loop."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._let_in: asyncio.Future[None] = self._loop.create_future()
        self._taken: asyncio.Future[None] | None = None
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish

    async def open(self, host: str, port: int) -> None:
        """Connect; raises OSError or ValueError where that fails."""
        await asyncio.to_thread(self._client.connect, host, port, _KEEP_ALIVE_S)
        self._client.loop_start()
        async with asyncio.timeout(_OPEN_S):
            await self._let_in

    async def publish(self, topic: str, body: bytes, *, qos: int) -> None:
        """Publish, retained, and wait until the broker took it; raises OSError where it did not."""
        self._taken = self._loop.create_future()
        sent = self._client.publish(topic, body, qos=qos, retain=True)
        if sent.rc is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise ConnectionError(sent.rc.name)
        async with asyncio.timeout(_TAKEN_S):
            await self._taken

    async def close(self) -> None:
        """Say goodbye, and end the thread."""
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)

    # What follows is called by paho's thread.

    def _on_connect(
        self, _client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        self._loop.call_soon_threadsafe(_settle, self._let_in, str(reason) if reason.is_failure else None)

    def _on_disconnect(
        self, _client: Client, _data: object, _flags: DisconnectFlags, reason: ReasonCode, _more: Properties | None
    ) -> None:
        for awaited in (self._let_in, self._taken):
            self._loop.call_soon_threadsafe(_settle, awaited, str(reason))

    def _on_publish(
        self, _client: Client, _data: object, _mid: int, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        self._loop.call_soon_threadsafe(_settle, self._taken, str(reason) if reason.is_failure else None)


def _settle(awaited: "asyncio.Future[None] | None", failure: str | None) -> None:
    if awaited is None or awaited.done():
        return
    if failure is None:
        awaited.set_result(None)
    else:
        awaited.set_exception(ConnectionError(failure))
