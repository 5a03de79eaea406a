"""Decoding: which decoder a feed has, and what it makes of messages; all of it ends in Intake.

A topic names the source in Bowei's own convention, and a feed speaks only for the sources that the feeds file gives
it: a broker's account that may publish everywhere still can't speak for a stranger's lot.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bowei.domain.clock import Clock
from bowei.domain.lots import SourceId
from bowei.domain.observations import RAW_MOST, Outcome, Verdict
from services.ingest.intake import Intake
from services.ingest.lorawan.sensing import Sensing
from services.ingest.lorawan.uplinks import Uplink, read_uplink
from services.ingest.measures import Way
from services.ingest.mqtt.connecting import LARGEST_MESSAGE
from services.ingest.mqtt.feed import MqttFeed
from services.ingest.mqtt.measures import Result
from services.ingest.mqtt.native import read_message
from services.ingest.mqtt.topics import read_topic
from services.ingest.readings import Reading, Unmeant


@dataclass(frozen=True, slots=True)
class Said:
    """One message: where it was published, and what it says."""

    topic: str
    payload: bytes
    waited: bool = False
    """Whether it may have waited at the broker, as retained or while we were away: then it is of no known age."""


class Decodes(Protocol):
    """Reads messages of one feed, and has them taken in."""

    async def take(self, messages: Sequence[Said]) -> list[Result]:
        """Take messages in; one result each. Repeating a call is harmless.

        Raises:
            StoreFailure: nothing was acknowledged.
        """
        ...


class NativeDecoding(Decodes):
    """Bowei's own messages, of the sources that the feed may speak for."""

    def __init__(self, feed: MqttFeed, intake: Intake, clock: Clock) -> None:
        self._feed = feed
        self._intake = intake
        self._clock = clock

    async def take(self, messages: Sequence[Said]) -> list[Result]:  # noqa: D102 (the port says it)
        results = [Result.TAKEN] * len(messages)
        by_source: dict[str, list[tuple[int, Reading]]] = {}
        for place, message in enumerate(messages):
            source, readings = self._read(message)
            by_source.setdefault(source, []).extend((place, reading) for reading in readings)
        for source, said in by_source.items():
            verdicts = await self._intake.take(SourceId(source), [reading for _, reading in said], way=Way.MQTT)
            for (place, _), verdict in zip(said, verdicts, strict=True):
                if verdict.outcome is Outcome.REJECTED:
                    results[place] = Result.REFUSED
        return results

    def _read(self, message: Said) -> tuple[str, list[Reading]]:
        topic = read_topic(message.topic, self._feed.prefix)
        if topic is None:
            return self._feed.source, [Unmeant("bad_value", "topic", raw=message.topic[:RAW_MOST])]
        if len(message.payload) > LARGEST_MESSAGE:
            return self._feed.source, [Unmeant("body_too_large", raw=message.topic[:RAW_MOST])]
        if topic.source not in self._feed.speaks_for:
            return self._feed.source, [Unmeant("not_allowed", "topic", raw=message.topic[:RAW_MOST])]
        readings = read_message(
            topic.kind, topic.lot_code, message.payload, waited=message.waited, now=self._clock.now()
        )
        return topic.source, readings


class UplinkDecoding(Decodes):
    """Uplinks of sensors, as a network server publishes them."""

    def __init__(self, sensing: Sensing) -> None:
        self._sensing = sensing

    async def take(self, messages: Sequence[Said]) -> list[Result]:  # noqa: D102 (the port says it)
        verdicts = await self._sensing.take([_uplink(message) for message in messages])
        return [_result(verdict) for verdict in verdicts]


def _uplink(message: Said) -> Uplink | Unmeant:
    if len(message.payload) > LARGEST_MESSAGE:
        return Unmeant("body_too_large", raw=message.topic[:RAW_MOST])
    return read_uplink(message.payload)


def _result(verdict: Verdict) -> Result:
    return Result.REFUSED if verdict.outcome is Outcome.REJECTED else Result.TAKEN
