"""The feeds file: sources without a key of ours, each with where it is heard or fetched (docs/feeds/feeds-file.md).

It is read once, at start, strictly: what is wrong in it stops the start, with every field and its fix. Whether its
sources are registered is only said, since they may be registered while this runs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated, Generic, Self, TypeVar

from pydantic import BaseModel, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from bowei.domain.problems import FIELD_KINDS, Refused
from bowei.observability.environment import Environment, WrongEnvironment
from bowei.observability.yaml_text import LARGEST_BYTES, read_yaml
from bowei.records.registering import SourceKind
from services.ingest.feed_fields import STRICT, FeedFields, line_of, unfit
from services.ingest.fieldmaps.feed import PushFeed
from services.ingest.lorawan.feed import LorawanFeed
from services.ingest.mqtt.feed import MqttFeed
from services.ingest.pulling.feed import PullFeed

_ERRORS_SHOWN = 20

AnyFeed = Annotated[PushFeed | PullFeed | MqttFeed | LorawanFeed, Field(discriminator="way")]
"""A feed of any way."""
Said = TypeVar("Said", bound=FeedFields)


class FeedsFileWrong(Exception):
    """The file can't be used; the text has one line for each fault: the field, and what to do."""


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
        FeedsFileWrong: it can't be read or used, or a secret can't be read.
    """
    try:
        with file.open("rb") as opened:
            body = opened.read(LARGEST_BYTES + 1)
        said = _FeedsIn.model_validate(read_yaml(body)).feeds
    except OSError as error:
        raise FeedsFileWrong("The file can't be read. Check its path and mode.") from error
    except Refused as refused:
        raise FeedsFileWrong("\n".join(_lines_of(refused))) from refused
    except ValidationError as error:
        findings = error.errors(include_url=False, include_input=False)
        raise FeedsFileWrong("\n".join(line_of(_placed(finding)) for finding in findings[:_ERRORS_SHOWN])) from None
    feeds: list[Feed[FeedFields]] = []
    faults: list[str] = []
    for place, feed in enumerate(said):
        try:
            feeds.append(Feed(feed, feed.read_secret(file.parent, environment)))
        except WrongEnvironment as wrong:
            faults.append(f"feeds[{place}]: {wrong}")
    if faults:
        raise FeedsFileWrong("\n".join(faults[:_ERRORS_SHOWN]))
    return Feeds(tuple(feeds), file.parent)


def _placed(finding: ErrorDetails) -> Mapping[str, object]:
    """Give a finding the place that the file's author knows: without the way, which pydantic puts before a field."""
    place = finding["loc"]
    if finding["type"] == "union_tag_not_found":
        return {"type": "missing", "loc": (*place, "way")}
    if finding["type"] == "union_tag_invalid":
        return {**finding, "loc": (*place, "way")}
    return {**finding, "loc": place[:2] + place[3:]}


def unheard_sources(feeds: Feeds, known: Mapping[str, SourceKind]) -> Iterator[str]:
    """Name each source of the file from which nothing can be taken as the register now is, once."""
    named = dict.fromkeys(feed.said.source for feed in feeds.feeds)
    yield from (source for source in named if known.get(source, SourceKind.CITYBRAIN) is SourceKind.CITYBRAIN)


def _lines_of(refused: Refused) -> Sequence[str]:
    said = [f"{error.field or 'the file'}: {FIELD_KINDS[error.code].en}" for error in refused.errors]
    return list(islice(said, _ERRORS_SHOWN)) or [f"The file is larger than {LARGEST_BYTES // 1024} KiB. Split it."]
