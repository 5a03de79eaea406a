"""Assembling: what the feeds file says of pulls becomes what runs, and what can't run is said at start."""

import asyncio
import base64
import ssl
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

from bowei.domain.clock import Clock
from bowei.domain.lots import SourceId
from services.ingest.feeds_file import Feed, Feeds
from services.ingest.fieldmaps.field_map import FieldMap, FieldMapWrong
from services.ingest.intake import Intake
from services.ingest.pulling.by_url import UrlPull
from services.ingest.pulling.feed import PullFeed
from services.ingest.pulling.feed_pulling import FeedPulling, Pulls
from services.ingest.pulling.fetching import Ask, Bounds, Fetcher
from services.ingest.pulling.formats import Reads, by_datex2, by_map
from services.ingest.pulling.measures import PullMeasures
from services.ingest.pulling.pacing import Budget, Pace
from services.ingest.pulling.parkapi_sources import (
    ConverterPull,
    ConverterUnusable,
    Requests,
    load_converter,
    takes_bodies,
)
from services.ingest.sources import Sources


def faults_of(feeds: Feeds) -> Iterator[str]:
    """Say of each pull that can't run why, and what to do: a line each."""
    for place, feed in enumerate(feeds.feeds):
        if isinstance(feed.said, PullFeed):
            for field, fault in _faults(feed.said, feed.secret, feeds.folder):
                yield f"feeds[{place}].{field}: {fault}"


def _faults(said: PullFeed, secret: str | None, folder: Path) -> Iterator[tuple[str, str]]:
    try:
        _tls(said, folder)
    except (OSError, ValueError):  # an SSLError is an OSError
        field = "cert_file" if said.ca_file is None else "ca_file"
        yield field, "This, or what belongs to it, can't be read as certificates and keys in PEM. Check path and mode."
    if said.map is not None:
        try:
            needs_lot = FieldMap.named(said.map, folder).needs_lot_code
        except FieldMapWrong as wrong:
            yield "map", str(wrong)
            return
        if needs_lot and said.lot is None:
            yield "lot", "Say which lot it is about: the map finds none in it."
    if said.converter is not None:
        try:
            converter = load_converter(said.converter, _converter_settings(said, secret), None)
        except ConverterUnusable as unusable:
            yield "converter", str(unusable)
            return
        if takes_bodies(converter) != (said.url is not None):
            yield "url", "Say it with a converter that does not ask by itself, and only with such a one."


def pullings_of(
    feeds: Feeds,
    *,
    intake: Intake,
    sources: Sources,
    clock: Clock,
    measures: PullMeasures,
    fetcher: Fetcher | None = None,
) -> list[FeedPulling]:
    """Give what pulls each feed; `faults_of` said nothing of them."""
    fetcher = fetcher or Fetcher()
    names: Counter[str] = Counter()
    pullings: list[FeedPulling] = []
    for feed in feeds.of(PullFeed):
        said = feed.said
        names[said.source] += 1
        count = names[said.source]
        pullings.append(
            FeedPulling(
                said.source if count == 1 else f"{said.source}/{count}",
                SourceId(said.source),
                _pulls(feed, feeds.folder, fetcher, clock),
                Pace(said.every_s),
                intake,
                clock,
                measures,
                lot_prefix=said.lot_prefix,
                only_of=sources if said.only_registered else None,
            )
        )
    return pullings


def _pulls(feed: Feed[PullFeed], folder: Path, fetcher: Fetcher, clock: Clock) -> Pulls:
    said = feed.said
    bounds = bounds_of(said, folder)
    if said.converter is not None:
        requests = Requests(fetcher, bounds, asyncio.get_running_loop())
        converter = load_converter(said.converter, _converter_settings(said, feed.secret), requests)
        return ConverterPull(converter, requests, url=said.url, zone=_zone(said))
    return UrlPull(ask_of(feed), bounds, _reads(said, folder), fetcher, clock)


def _reads(said: PullFeed, folder: Path) -> Reads:
    if said.map is not None:
        return by_map(FieldMap.named(said.map, folder), said.lot)
    return by_datex2(_zone(said))


def _zone(said: PullFeed) -> ZoneInfo | None:
    return None if said.timezone is None else ZoneInfo(said.timezone)


def ask_of(feed: Feed[PullFeed]) -> Ask:
    """Give the request that a feed of one URL is fetched by, with its secret in its place."""
    said, secret = feed.said, feed.secret or ""
    headers = dict(said.headers)
    secret_headers: frozenset[str] = frozenset()
    if said.auth == "bearer":
        headers["Authorization"] = f"Bearer {secret}"
    elif said.auth == "basic":
        headers["Authorization"] = "Basic " + base64.b64encode(f"{said.user}:{secret}".encode()).decode()
    elif said.auth == "header" and said.secret_name is not None:
        headers[said.secret_name] = secret
        secret_headers = frozenset({said.secret_name.lower()})
    return Ask(said.url or "", headers=headers, secret_headers=secret_headers)


def bounds_of(said: PullFeed, folder: Path) -> Bounds:
    """Give what a feed's requests may cost, and where they may lead."""
    return Bounds(
        budget=Budget(said.requests_per_minute),
        timeout_s=said.timeout_s,
        largest_body=said.largest_body,
        content_types=None if said.converter is not None else frozenset(said.content_types),
        redirect_hosts=frozenset(said.redirect_hosts),
        insecure=said.insecure,
        allow_private=said.allow_private,
        tls=_tls(said, folder),
    )


def _tls(said: PullFeed, folder: Path) -> ssl.SSLContext | None:
    if said.ca_file is None and said.cert_file is None:
        return None
    tls = ssl.create_default_context(cafile=None if said.ca_file is None else str(folder / said.ca_file))
    if said.cert_file is not None:
        # A key with a password would be asked for at the terminal: it has none to be asked at.
        key = None if said.key_file is None else folder / said.key_file
        tls.load_cert_chain(folder / said.cert_file, key, password=lambda: "")
    return tls


def _converter_settings(said: PullFeed, secret: str | None) -> dict[str, str]:
    own = {said.secret_name: secret} if said.secret_name is not None and secret is not None else {}
    return {**said.converter_settings, **own}
