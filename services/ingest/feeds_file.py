"""The feeds file: sources without a key of ours, each with where it is heard or fetched (docs/feeds/feeds-file.md).

It is read once, at start, strictly: what is wrong in it stops the start, with every field and its fix. Whether its
sources are registered is only said, since they may be registered while this runs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Generic, Self, TypeVar

from pydantic import BaseModel, Field, model_validator

from bowei.observability.environment import Environment
from bowei.observability.operator_files import STRICT, read_operator_file, read_secrets, unfit
from bowei.records.registering import SourceKind
from services.ingest.feed_fields import FeedFields
from services.ingest.fieldmaps.feed import PushFeed
from services.ingest.lorawan.feed import LorawanFeed
from services.ingest.mqtt.feed import MqttFeed
from services.ingest.pulling.feed import PullFeed

AnyFeed = Annotated[PushFeed | PullFeed | MqttFeed | LorawanFeed, Field(discriminator="way")]
"""A feed of any way."""
Said = TypeVar("Said", bound=FeedFields)


class _FeedsIn(BaseModel):
    """The whole file."""

    model_config = STRICT
    feeds: Annotated[list[AnyFeed], Field(max_length=2_000)]

    @model_validator(mode="after")
    def _check_apart(self) -> Self:
        seen: dict[str, int] = {}
        described: list[FeedFields] = [*self.feeds]
        for place, feed in enumerate(described):
            first = place if feed.heard_at is None else seen.setdefault(feed.heard_at, place)
            if first != place:
                raise unfit(f"feeds[{first}] and feeds[{place}] are heard at the same address. Give one another path.")
        return self


@dataclass(frozen=True, slots=True)
class Feed(Generic[Said]):
    """One feed as it is described, with its secret."""

    said: Said
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Feeds:
    """All that the file says; `folder` is where its relative paths start."""

    feeds: tuple[Feed[FeedFields], ...] = ()
    folder: Path = Path()

    def of(self, kind: type[Said]) -> list[Feed[Said]]:
        """Give the feeds of one way."""
        return [Feed(feed.said, feed.secret) for feed in self.feeds if isinstance(feed.said, kind)]


def read_feeds_file(file: Path, environment: Environment) -> Feeds:
    """Read the feeds file and the secrets that it names.

    Raises:
        FileWrong: it can't be read or used, or a secret can't be read.
    """
    said: list[FeedFields] = [*read_operator_file(file, _FeedsIn).feeds]
    secrets = read_secrets("feeds", said, file.parent, environment)
    return Feeds(tuple(map(Feed, said, secrets)), file.parent)


def unheard_sources(feeds: Feeds, known: Mapping[str, SourceKind]) -> Iterator[str]:
    """Name each source of the file from which nothing can be taken as the register now is, once."""
    named = dict.fromkeys(feed.said.source for feed in feeds.feeds)
    yield from (source for source in named if known.get(source, SourceKind.CITYBRAIN) is SourceKind.CITYBRAIN)
