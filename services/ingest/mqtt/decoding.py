"""Decoding: which decoder a feed has, and what it makes of messages; all of it ends in Intake.

A topic names the source in Bowei's own convention, and a feed speaks only for the sources that the feeds file gives
it: a broker's account that may publish everywhere still can't speak for a stranger's lot.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bowei.domain.clock import Clock
from bowei.domain.heartbeats import Sign
from bowei.domain.lots import SourceId
from bowei.domain.observations import RAW_MOST, Outcome, Verdict
from bowei.domain.problems import Refused
from services.ingest.fieldmaps.field_map import FieldMap
from services.ingest.intake import Intake
from services.ingest.lorawan.sensing import Sensing
from services.ingest.lorawan.uplinks import Uplink, read_uplink
from services.ingest.measures import Way
from services.ingest.mqtt.connecting import LARGEST_MESSAGE
from services.ingest.mqtt.feed import MqttFeed
from services.ingest.mqtt.measures import Result
from services.ingest.mqtt.native import read_message
from services.ingest.mqtt.topics import read_topic
from services.ingest.readings import CountReading, LifeReading, Reading, Unmeant


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


class MappedDecoding(Decodes):
    """Messages in the sender's own shape, read by a field map."""

    def __init__(self, feed: MqttFeed, field_map: FieldMap, intake: Intake, clock: Clock) -> None:
        self._feed = feed
        self._map = field_map
        self._intake = intake
        self._clock = clock

    async def take(self, messages: Sequence[Said]) -> list[Result]:  # noqa: D102 (the port says it)
        read = [(place, reading) for place, message in enumerate(messages) for reading in self._read(message)]
        results = [Result.TAKEN] * len(messages)
        verdicts = await self._intake.take(SourceId(self._feed.source), [reading for _, reading in read], way=Way.MQTT)
        for (place, _), verdict in zip(read, verdicts, strict=True):
            if verdict.outcome is Outcome.REJECTED:
                results[place] = Result.REFUSED
        return results

    def _read(self, message: Said) -> list[Reading]:
        if not message.payload:  # a retained message is taken back
            return []
        if len(message.payload) > LARGEST_MESSAGE:
            return [Unmeant("body_too_large", raw=message.topic[:RAW_MOST])]
        try:
            readings = self._map.read(
                message.payload, received_at=self._clock.now(), lot_code=self._lot_code(message.topic)
            )
        except Refused as refused:
            return [Unmeant(refused.code, raw=message.topic[:RAW_MOST])]
        return [meant for reading in readings if (meant := _of_known_age(reading, waited=message.waited)) is not None]

    def _lot_code(self, topic: str) -> str | None:
        if self._feed.lot_level is None:
            return self._feed.lot
        levels = topic.split("/")
        return levels[self._feed.lot_level - 1] if self._feed.lot_level <= len(levels) else None


def _of_known_age(reading: Reading, *, waited: bool) -> Reading | None:
    """Refuse a count that may have waited and says no time; a sign of life without one is none any more."""
    if not waited:
        return reading
    if isinstance(reading, CountReading) and reading.observed_at is None:
        return Unmeant("waited_without_time", "observed_at", reading.lot_code, reading.raw)
    if isinstance(reading, LifeReading) and reading.at is None and reading.sign is Sign.HEARTBEAT:
        return None
    return reading


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
