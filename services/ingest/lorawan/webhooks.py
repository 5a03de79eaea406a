"""Webhooks: who may post uplinks, and where they go."""

import hmac
from dataclasses import dataclass, field

from bowei.domain.lots import SourceId
from bowei.domain.problems import Refused
from bowei.records.sensing import SpaceBook
from services.ingest.feeds_file import Feeds
from services.ingest.intake import Intake
from services.ingest.lorawan.feed import LorawanFeed
from services.ingest.lorawan.sensing import Sensing
from services.ingest.sources import Sources

_LONGEST_SECRET = 1_024


@dataclass(frozen=True, slots=True)
class Webhook:
    """What a network server posts to: how it shows that it may, and where its uplinks go."""

    header: str
    secret: str = field(repr=False)
    sensing: Sensing

    def check(self, sent: str | None) -> None:
        """Check the header that carries the secret.

        Raises:
            Refused: `key_missing`, `key_wrong`.
        """
        if not sent:
            raise Refused("key_missing")
        scheme, _, rest = sent.partition(" ")
        key = rest.strip() if self.header.lower() == "authorization" and scheme.lower() == "bearer" else sent.strip()
        if len(key) > _LONGEST_SECRET or not hmac.compare_digest(key.encode(), self.secret.encode()):
            raise Refused("key_wrong")


def webhooks(feeds: Feeds, book: SpaceBook, intake: Intake, sources: Sources) -> dict[str, Webhook]:
    """Make a webhook for every network server of the feeds file, by its source."""
    made: dict[str, Webhook] = {}
    for feed in feeds.of(LorawanFeed):
        sensing = Sensing(SourceId(feed.said.source), feed.said, book, intake, sources)
        made[feed.said.source] = Webhook(feed.said.header, feed.secret or "", sensing)
    return made
