"""Access tokens: short-lived, for one audience, with the scopes of a role; and who an outside provider says it is.

A token names a party and nothing else that matters: its role, what it speaks for and whether it is suspended are looked
up at each request, so that what the administrator changes holds at once.
"""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import httpx2
from joserfc import jws, jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from bowei.domain.parties import PartyId
from bowei.domain.problems import Refused
from services.registry.token_keys import ALGORITHM, TokenKeys

_log = logging.getLogger(__name__)

AUDIENCE = "bowei-registry"
LIFETIME = timedelta(minutes=10)
LONGEST_TOKEN = 4_096
_TYPE = "at+jwt"
"""RFC 9068: an access token says that it is one, so that no other token of the same keys is taken for it."""
_OUTSIDE_ALGORITHMS = ("Ed25519", "ES256", "ES384", "PS256", "RS256")
_SAID_TO_CLIENTS = frozenset({"nonce", "at_hash", "c_hash"})
"""Claims of an ID token: it tells a client who somebody is, and opens nothing."""
_LEEWAY_S = 10
_FETCH_AGAIN_S, _FETCHED_FOR_S = 30.0, 3_600.0
_FETCH_TIMEOUT_S = 5.0
_LARGEST_DOCUMENT = 256 * 1024


class Opens(Protocol):
    """Opens tokens of one issuer."""

    async def party_of(self, token: str) -> PartyId:
        """Give the party that a token names.

        Raises:
            Refused: key_wrong (forged, altered, over, of another audience), store_away (its keys can't be had).
        """
        ...


class Tokens(Opens):
    """Makes and opens our own tokens."""

    def __init__(self, keys: TokenKeys, issuer: str, now: Callable[[], datetime]) -> None:
        self._keys = keys
        self._issuer = issuer
        self._now = now

    def make(self, party_id: PartyId, scopes: frozenset[str]) -> str:
        """Make a token for a party."""
        at = self._now()
        key = self._keys.signing(at)
        claims = {
            "iss": self._issuer,
            "aud": AUDIENCE,
            "sub": party_id,
            "iat": int(at.timestamp()),
            "exp": int((at + LIFETIME).timestamp()),
            "scope": " ".join(sorted(scopes)),
        }
        return jwt.encode({"alg": ALGORITHM, "kid": key.kid, "typ": _TYPE}, claims, key, algorithms=[ALGORITHM])

    def signed(self, token: str) -> bool:
        """Say whether a token names a key of ours; nothing of it is believed yet."""
        try:
            named = jws.extract_compact(token.encode()).headers().get("kid")
        except (JoseError, ValueError):
            return False
        return any(key.kid == named for key in self._keys.public.keys)

    async def party_of(self, token: str) -> PartyId:
        """See Opens."""
        opened = _opened(token, self._keys.public, (ALGORITHM,))
        if opened.header.get("typ") != _TYPE:
            raise Refused("key_wrong")
        return PartyId(_checked(opened.claims, self._issuer, AUDIENCE, self._now())["sub"])

    def published(self) -> dict[str, Any]:
        """Give the keys by which anybody may check our tokens."""
        return self._keys.published()


@dataclass(frozen=True, slots=True)
class Provider:
    """An OpenID provider outside: its name for itself, and which claim of its tokens names a party."""

    issuer: str
    jwks_url: str
    audience: str = AUDIENCE
    party_claim: str = "bowei_party"
    token_type: str = _TYPE
    """What the heads of its access tokens say they are. RFC 9068's unless the provider can't."""


class OutsideTokens(Opens):
    """Opens tokens of a provider; its keys are fetched now and then, and when one is named that is not known."""

    def __init__(
        self,
        provider: Provider,
        fetch: Callable[[str], Awaitable[Mapping[str, Any]]],
        now: Callable[[], datetime],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`fetch` gets a JSON document; it raises OSError or ValueError where there is none to be had."""
        self._provider = provider
        self._fetch = fetch
        self._now = now
        self._monotonic = monotonic
        self._keys: KeySet | None = None
        self._fetched_at = self._tried_at = float("-inf")
        self._fetching = asyncio.Lock()

    async def party_of(self, token: str) -> PartyId:
        """See Opens."""
        opened = await self._opened(token)
        if _type_of(opened) != self._provider.token_type.lower() or not _SAID_TO_CLIENTS.isdisjoint(opened.claims):
            raise Refused("key_wrong")
        claims = _checked(opened.claims, self._provider.issuer, self._provider.audience, self._now())
        party_id = claims.get(self._provider.party_claim)
        if not isinstance(party_id, str):
            raise Refused("key_wrong")
        return PartyId(party_id)

    async def _opened(self, token: str) -> jwt.Token:
        keys = await self._known(_FETCHED_FOR_S)
        try:
            return jwt.decode(token, keys, algorithms=_OUTSIDE_ALGORITHMS)
        except InvalidKeyIdError:
            return _opened(token, await self._known(_FETCH_AGAIN_S), _OUTSIDE_ALGORITHMS)
        except (JoseError, ValueError) as error:
            raise Refused("key_wrong") from error

    async def _known(self, fresh_for_s: float) -> KeySet:
        async with self._fetching:
            now = self._monotonic()
            if now - self._fetched_at > fresh_for_s and now - self._tried_at > _FETCH_AGAIN_S:
                self._tried_at = now
                try:
                    document = await self._fetch(self._provider.jwks_url)
                    self._keys = KeySet.import_key_set(document)  # type: ignore[arg-type]
                    self._fetched_at = now
                except (OSError, ValueError, KeyError, JoseError) as error:
                    _log.warning("provider_keys_not_fetched", extra={"why": type(error).__name__})
        if self._keys is None:
            raise Refused("store_away")
        return self._keys


def _opened(token: str, keys: KeySet, algorithms: tuple[str, ...]) -> jwt.Token:
    try:
        return jwt.decode(token, keys, algorithms=list(algorithms))
    except (JoseError, ValueError) as error:
        raise Refused("key_wrong") from error


def _type_of(opened: jwt.Token) -> str:
    """Give the type in a token's head, without the prefix that it may have (RFC 7515, 4.1.9)."""
    return str(opened.header.get("typ", "")).lower().removeprefix("application/")


def _checked(claims: dict[str, Any], issuer: str, audience: str, now: datetime) -> dict[str, Any]:
    wanted = jwt.JWTClaimsRegistry(
        now=int(now.timestamp()),
        leeway=_LEEWAY_S,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": audience},
        sub={"essential": True},
        exp={"essential": True},
    )
    try:
        wanted.validate(claims)
    except (JoseError, ValueError) as error:
        raise Refused("key_wrong") from error
    return claims


async def fetched_json(url: str) -> Mapping[str, Any]:
    """Get a JSON object of at most 256 KiB within five seconds; no redirect is followed.

    Raises:
        OSError, ValueError: there is none to be had.
    """
    try:
        async with httpx2.AsyncClient(timeout=_FETCH_TIMEOUT_S) as client, client.stream("GET", url) as answer:
            answer.raise_for_status()
            body = b""
            async for some in answer.aiter_bytes():
                body += some
                if len(body) > _LARGEST_DOCUMENT:
                    raise ValueError("too large")
    except httpx2.HTTPError as error:
        raise OSError(type(error).__name__) from error
    document = json.loads(body)
    if not isinstance(document, dict):
        raise ValueError("no object")  # noqa: TRY004 (of what was sent)
    return document
