"""A listener for every broker of the feeds file."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bowei.domain.clock import Clock
from bowei.domain.lots import SourceId
from bowei.observability.operator_files import FileWrong
from bowei.records.sensing import SpaceBook
from services.ingest.feeds_file import Feed, Feeds
from services.ingest.fieldmaps.field_map import FieldMap, FieldMapWrong
from services.ingest.intake import Intake
from services.ingest.lorawan.sensing import Sensing
from services.ingest.mqtt.connecting import Account
from services.ingest.mqtt.decoding import Decodes, MappedDecoding, NativeDecoding, UplinkDecoding
from services.ingest.mqtt.feed import MqttFeed
from services.ingest.mqtt.listening import Listener
from services.ingest.mqtt.measures import MqttMeasures
from services.ingest.sources import Sources


@dataclass(frozen=True, slots=True)
class ListenerParts:
    """What listeners are made with."""

    intake: Intake
    sources: Sources
    spaces: SpaceBook
    clock: Clock
    measures: MqttMeasures
    replica: str
    """Names this process among those of its kind."""


@dataclass(frozen=True, slots=True)
class BrokerFeed:
    """A broker of the feeds file, ready to be listened to."""

    feed: Feed[MqttFeed]
    folder: Path
    """Where the feeds file lies."""
    field_map: FieldMap | None = None


def brokers_of(feeds: Feeds) -> tuple[BrokerFeed, ...]:
    """Make ready the brokers that the feeds file describes: read their maps.

    Raises:
        FileWrong: a map can't be used, or does not fit its feed.
    """
    faults: list[str] = []
    brokers: list[BrokerFeed] = []
    for feed in feeds.of(MqttFeed):
        try:
            brokers.append(BrokerFeed(feed, feeds.folder, _map_of(feed.said, feeds.folder)))
        except FieldMapWrong as wrong:
            faults += [f"the map of {feed.said.source}: {line}" for line in str(wrong).splitlines()]
    if faults:
        raise FileWrong("\n".join(faults))
    return tuple(brokers)


def _map_of(feed: MqttFeed, folder: Path) -> FieldMap | None:
    if feed.map is None:
        return None
    field_map = FieldMap.named(feed.map, folder)
    if field_map.needs_lot_code and feed.lot is None and feed.lot_level is None:
        raise FieldMapWrong("It names no lot. Say lot, or with lot_level which level of the topic names it.")
    return field_map


def listeners(brokers: Sequence[BrokerFeed], parts: ListenerParts) -> Sequence[Listener]:
    """Make a listener for every broker."""
    return [
        Listener(broker.feed.said, partial(account, broker, parts.replica), _decoding(broker, parts), parts.measures)
        for broker in brokers
    ]


def _decoding(broker: BrokerFeed, parts: ListenerParts) -> Decodes:
    feed = broker.feed.said
    if broker.field_map is not None:
        return MappedDecoding(feed, broker.field_map, parts.intake, parts.clock)
    if feed.decoder == "native":
        return NativeDecoding(feed, parts.intake, parts.clock)
    sensing = Sensing(SourceId(feed.source), feed, parts.spaces, parts.intake, parts.sources)
    return UplinkDecoding(sensing)


def account(broker: BrokerFeed, replica: str) -> Account:
    """Say who we are to a broker. Certificates are read each time, so that renewed ones are used.

    Raises:
        OSError: a certificate can't be read or used.
    """
    said, folder = broker.feed.said, broker.folder
    tls = None
    if said.encrypted:
        tls = ssl.create_default_context(cafile=None if said.ca_file is None else folder / said.ca_file)
        if said.cert_file is not None and said.key_file is not None:
            tls.load_cert_chain(folder / said.cert_file, folder / said.key_file)
    return Account(said.client_id_of(replica), said.username, broker.feed.secret, tls)
