"""A listener for every broker of the feeds file."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bowei.domain.clock import Clock
from bowei.domain.lots import SourceId
from bowei.records.sensing import SpaceBook
from services.ingest.feeds_file import Feed, Feeds
from services.ingest.intake import Intake
from services.ingest.lorawan.sensing import Sensing
from services.ingest.mqtt.connecting import Account
from services.ingest.mqtt.decoding import Decodes, NativeDecoding, UplinkDecoding
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


def listeners(feeds: Feeds, parts: ListenerParts) -> Sequence[Listener]:
    """Make a listener for every broker."""
    return [_listener(feed, feeds.folder, parts) for feed in feeds.of(MqttFeed)]


def _listener(feed: Feed[MqttFeed], folder: Path, parts: ListenerParts) -> Listener:
    return Listener(
        feed.said, lambda: account(feed, folder, parts.replica), _decoding(feed.said, parts), parts.measures
    )


def _decoding(feed: MqttFeed, parts: ListenerParts) -> Decodes:
    if feed.decoder == "native":
        return NativeDecoding(feed, parts.intake, parts.clock)
    sensing = Sensing(SourceId(feed.source), feed, parts.spaces, parts.intake, parts.sources)
    return UplinkDecoding(sensing)


def account(feed: Feed[MqttFeed], folder: Path, replica: str) -> Account:
    """Say who we are to a broker. Certificates are read each time, so that renewed ones are used.

    Raises:
        OSError: a certificate can't be read or used.
    """
    said = feed.said
    tls = None
    if said.encrypted:
        tls = ssl.create_default_context(cafile=None if said.ca_file is None else folder / said.ca_file)
        if said.cert_file is not None and said.key_file is not None:
            tls.load_cert_chain(folder / said.cert_file, folder / said.key_file)
    return Account(said.client_id_of(replica), said.username, feed.secret, tls)
