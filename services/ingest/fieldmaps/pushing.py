"""Pushing: one push from its bytes to what became of each item: whose it is, then what it says, then taken in."""

import asyncio
import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from bowei.domain.lots import SourceId
from bowei.domain.observations import Verdict
from bowei.domain.problems import Refused
from bowei.observability.operator_files import FileWrong
from bowei.observability.rate_limits import RateLimit
from bowei.records.registering import SourceKind
from services.ingest.citybrain.keys import KeyUnusable, read_public_key
from services.ingest.feeds_file import Feed, Feeds
from services.ingest.fieldmaps.feed import PushFeed
from services.ingest.fieldmaps.field_map import FieldMap, FieldMapWrong
from services.ingest.fieldmaps.replays import Met, Replays
from services.ingest.fieldmaps.signing import SigningIn, at, fits, is_in_time, places_of, signed_text
from services.ingest.measures import Way
from services.ingest.readings import Reading
from services.ingest.sources import basic_pair
from services.ingest.wiring import Wiring

ITEMS_AT_ONCE = 500
"""As many as one batch of the native protocol has."""
_READ_ASIDE_BYTES = 64 * 1024
"""A larger body is read in another thread, so that nobody waits for it."""
_BEARER = SigningIn(scheme="bearer")


@dataclass(frozen=True, slots=True)
class Taken:
    """What a push said, and what became of it; of one that came before, nothing."""

    readings: Sequence[Reading] = ()
    verdicts: Sequence[Verdict] = ()


@dataclass(frozen=True, slots=True)
class Push:
    """One feed that posts to us."""

    said: PushFeed
    field_map: FieldMap
    secret: str | None = field(repr=False)
    replays: Replays
    limit: RateLimit

    @property
    def signing(self) -> SigningIn | None:
        """How it must be signed; None: the feeds file says that it is not."""
        if self.said.unsigned:
            return None
        return self.field_map.said.signing or _BEARER

    @property
    def source_id(self) -> SourceId:
        """Who sends."""
        return SourceId(self.said.source)

    async def take(self, body: bytes, headers: Mapping[str, str], wired: Wiring) -> Taken:
        """Take in a push; one that is repeated word for word is known, and not taken again.

        Raises:
            Refused: key_missing, key_wrong, not_allowed, signature_wrong, signature_old, replayed, malformed_body,
                too_many_items, too_many_requests.
            StoreFailure: nothing was acknowledged; it may be sent again.
        """
        now = wired.clock.now()
        nonce = await self._check(body, headers, wired)
        self.limit.take(self.source_id)  # after the check: a stranger must not use up what the sender may send
        met = Met.NEW if nonce is None else self.replays.met(nonce, body, now)
        if met is Met.OTHER:
            raise Refused("replayed")
        if met is Met.SAME:
            return Taken()
        verdicts: list[Verdict] = []
        with wired.admission.admitted(self.source_id, len(body)):
            readings = await self._read(body, wired)
            for start in range(0, len(readings), ITEMS_AT_ONCE):
                batch = readings[start : start + ITEMS_AT_ONCE]
                verdicts += await wired.intake.take(self.source_id, batch, way=Way.PUSH)
        if nonce is not None:
            self.replays.taken(nonce, body, now)
        return Taken(readings, verdicts)

    async def _read(self, body: bytes, wired: Wiring) -> list[Reading]:
        received_at, lot = wired.clock.now(), self.said.lot
        if len(body) <= _READ_ASIDE_BYTES:
            return self.field_map.read(body, received_at=received_at, lot_code=lot)
        return await asyncio.to_thread(self.field_map.read, body, received_at=received_at, lot_code=lot)

    async def _check(self, body: bytes, headers: Mapping[str, str], wired: Wiring) -> str | None:
        """Check whose a push is; give its number where repeats are to be known, else None."""
        signing = self.signing
        if signing is None:
            return None
        if signing.by_key_of_ours:
            await self._check_key(headers.get("authorization"), signing, wired)
            return None
        places = places_of(body, headers, form=self.field_map.said.document.format == "form")
        secret = self.secret or ""
        given = at(places, signing.sign or "")
        if not given or not fits(signing, given, signed_text(signing, places, body, secret), secret):
            raise Refused("signature_wrong")
        if signing.time is None:
            return None
        if not is_in_time(signing.time, places, self.field_map.said.timezone, wired.clock.now()):
            raise Refused("signature_old")
        return "" if signing.nonce is None else at(places, signing.nonce)

    async def _check_key(self, authorization: str | None, signing: SigningIn, wired: Wiring) -> None:
        key = authorization or ""
        if signing.scheme == "basic":
            user, password = basic_pair(authorization)
            if user != self.said.source:
                raise Refused("key_wrong")
            key = f"Bearer {password}"
        if self.secret is not None:
            if not key:
                raise Refused("key_missing")
            if not hmac.compare_digest(key.encode(), f"Bearer {self.secret}".encode()):
                raise Refused("key_wrong")
            return
        _, reporter = await wired.sources.reporter_of(key)
        if reporter.source.source_id != self.source_id:
            raise Refused("key_wrong")


@dataclass(frozen=True, slots=True)
class Pushes:
    """Every feed that posts to us, by its address."""

    by_address: Mapping[str, Push] = field(default_factory=dict)


def pushes_of(feeds: Feeds) -> Pushes:
    """Make ready what the feeds file describes: read the maps, and check that each push can be told to be its own.

    Raises:
        FileWrong: a map can't be used, or a feed does not fit its map.
    """
    faults: list[str] = []
    by_address: dict[str, Push] = {}
    for feed in feeds.of(PushFeed):
        try:
            by_address[feed.said.heard_at] = _push(feed, feeds)
        except FieldMapWrong as wrong:
            faults += [f"the map of {feed.said.source}: {line}" for line in str(wrong).splitlines()]
        except ValueError as wrong:
            faults.append(f"the feed of {feed.said.source}: {wrong}")
    if faults:
        raise FileWrong("\n".join(faults))
    return Pushes(by_address)


def keyless_sources(pushes: Pushes, known: Mapping[str, SourceKind]) -> Iterator[str]:
    """Name each source whose push must bring a key that nobody can have: it has no secret, and no key of ours."""
    for push in pushes.by_address.values():
        by_our_key = push.secret is None and push.signing is not None and push.signing.by_key_of_ours
        if by_our_key and known.get(push.source_id) is SourceKind.FEED:
            yield push.source_id


def _push(feed: Feed[PushFeed], feeds: Feeds) -> Push:
    said, field_map = feed.said, FieldMap.named(feed.said.map, feeds.folder)
    signing = field_map.said.signing
    if field_map.needs_lot_code and said.lot is None:
        raise ValueError("its map names no lot. Say lot: the source's own code of the lot.")
    if said.unsigned and (signing is not None or feed.secret is not None):
        raise ValueError("it is signed, or has a secret. Remove unsigned.")
    if signing is not None and not signing.by_key_of_ours:
        if feed.secret is None:
            raise ValueError("its map says that it is signed. Say secret_file or secret_env.")
        if signing.scheme == "rsa-sha256":
            _check_public_key(feed.secret)
    window_s = 0 if signing is None or signing.time is None else 2 * signing.time.window_s
    return Push(
        said,
        field_map,
        feed.secret,
        Replays(timedelta(seconds=window_s)),
        RateLimit(per_minute=said.per_minute, most_callers=1),
    )


def _check_public_key(text: str) -> None:
    try:
        read_public_key(text)
    except KeyUnusable as unusable:
        raise ValueError(f"its secret is to be the sender's public key, and is none: {unusable}.") from unusable
