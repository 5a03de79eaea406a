"""Listening to one broker: connect, take in, acknowledge, come back when lost.

take a few ──decode, Intake──▶ committed ──▶ PUBACK
   │  StoreFailure: wait and try again, together with whatever came meanwhile; nothing is acknowledged
   │  lost: leave all of it to the broker, which sends it again
   └─ anything else: each message by itself; the one that broke it is acknowledged and counted, so that the line goes on
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence

from paho.mqtt.client import MQTTMessage

from bowei.records.failures import StoreFailure
from services.ingest.mqtt.connecting import Account, Connection, ConnectionLost
from services.ingest.mqtt.decoding import Decodes, Said
from services.ingest.mqtt.feed import MqttFeed
from services.ingest.mqtt.measures import MqttMeasures, Result

AT_ONCE = 100
"""Messages that share a commit."""
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 30.0
"""Between attempts, however long the broker stays away."""
LONGEST_LEDGER_PAUSE_S = 2.0
STEADY_S = 60.0
"""A connection that lasted so long was a good one: the next attempt after it comes at once."""
ASK_RETAINED_S = 5.0
"""How long those who share a subscription subscribe by themselves too, because only so they get what is retained."""

_log = logging.getLogger(__name__)


class Listener:
    """Takes in what one feed's broker hands on, until it is cancelled."""

    def __init__(
        self,
        feed: MqttFeed,
        account: Callable[[], Account],
        decoding: Decodes,
        measures: MqttMeasures,
        *,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._feed = feed
        self._account = account
        self._decoding = decoding
        self._measures = measures
        self._jitter = jitter
        self._followed = False
        self._named = {"source_id": feed.source, "broker": f"{feed.host}:{feed.port_used}"}
        measures.connected.labels(feed.source).set(0)

    async def run(self) -> None:
        """Listen, for ever. A failure doubles the wait, up to `LONGEST_PAUSE_S`."""
        failures = 0
        while True:
            began = time.monotonic()
            try:
                await self._listen_once()
            except (ConnectionLost, OSError) as lost:
                if time.monotonic() - began > STEADY_S:
                    failures = 0
                failures += 1
                # One line when it begins to fail, and one whenever the wait is at its longest.
                _log.warning("broker_lost", extra=self._named | {"cause": str(lost), "failures": failures})
            await asyncio.sleep(self._pause(failures, LONGEST_PAUSE_S))

    def _pause(self, failures: int, longest_s: float) -> float:
        # Jitter, so that several processes that lost the same broker don't come back at once.
        longest_s = min(FIRST_PAUSE_S * 2.0 ** min(failures, 16), longest_s)
        return longest_s * (0.5 + self._jitter() / 2)

    async def _listen_once(self) -> None:
        source = self._feed.source
        self._followed = False
        try:
            async with Connection(self._feed, self._account()) as connection:
                self._follow(connection)
                while True:
                    await self._take_in(connection, await connection.received(AT_ONCE))
        finally:
            if not self._followed:
                self._measures.connects(source, worked=False)
            self._measures.connected.labels(source).set(0)
            self._measures.unacknowledged.labels(source).set(0)

    def _follow(self, connection: Connection) -> None:
        topics = self._feed.topics
        if self._feed.share is None:
            connection.follow(topics, self._now_following)
            return
        connection.follow([f"$share/{self._feed.share}/{topic}" for topic in topics], self._now_following)
        connection.follow(topics, lambda: None)
        asyncio.get_running_loop().call_later(ASK_RETAINED_S, connection.leave, topics)

    def _now_following(self) -> None:
        self._followed = True
        self._measures.connects(self._feed.source, worked=True)
        self._measures.connected.labels(self._feed.source).set(1)
        _log.info("broker_connected", extra=self._named)

    def _kept_waiting(self, messages: Sequence[MQTTMessage]) -> list[MQTTMessage]:
        """Drop what nobody will acknowledge: it may have no time of its own, and by now it is none of now."""
        kept = [message for message in messages if message.qos > 0]
        for _ in range(len(messages) - len(kept)):
            self._measures.counted(self._feed.source, Result.DROPPED)
        return kept

    async def _take_in(self, connection: Connection, messages: Sequence[MQTTMessage]) -> None:
        """Take messages in and acknowledge them, however often it has to be tried."""
        pending, failures = list(messages), 0
        waiting = self._measures.unacknowledged.labels(self._feed.source)
        while True:
            waiting.set(len(pending))
            try:
                results = await self._decoding.take([self._said(message) for message in pending])
                break
            except StoreFailure as failure:
                failures += 1
                if failures == 1:
                    _log.warning("messages_kept_waiting", extra=self._named | {"cause": type(failure).__name__})
                await asyncio.sleep(self._pause(failures, LONGEST_LEDGER_PAUSE_S))
                if connection.lost:
                    raise ConnectionLost("lost while the ledger was away") from failure
                pending = self._kept_waiting(pending)
                # What came meanwhile is shown, if not recorded, as long as there is room for it.
                pending += connection.here(self._feed.receive_maximum - len(pending))
                if not pending:
                    return
            except Exception as error:  # noqa: BLE001 (whatever a message breaks, it must not block the line)
                if len(pending) > 1:
                    for message in pending:
                        await self._take_in(connection, [message])
                    return
                _log.error("message_failed", extra=self._named, exc_info=error)
                results = [Result.FAILED]
                break
        for message, result in zip(pending, results, strict=True):
            self._measures.counted(self._feed.source, result)
            connection.acknowledge(message)
        waiting.set(0)

    def _said(self, message: MQTTMessage) -> Said:
        # Brokers keep a message of QoS 0 for nobody who is away.
        kept_for_us = message.qos > 0 and self._feed.session_expiry_s > 0
        return Said(message.topic, bytes(message.payload), waited=message.retain or kept_for_us)
