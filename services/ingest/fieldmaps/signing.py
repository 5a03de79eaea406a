"""Signing: how a sender shows that a push is its own. It is checked before the rest of the push is read.

    bearer   Authorization: Bearer …     our key of a native source, or the feed's own secret
    basic    HTTP Basic                  user: the source's id; password: the same
    token    the feed's secret, in a header or a member
    md5, hmac-sha1, hmac-sha256          a digest over parts that the map lists, with the feed's secret
    rsa-sha256                           the secret is the sender's public key

Where a part or the signature stands is written as `sign` (a member at the top of the document) or `header:X-Sign`.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal, Self
from urllib.parse import parse_qsl

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from pydantic import BaseModel, Field, model_validator

from bowei.domain.problems import Refused
from bowei.observability.operator_files import STRICT, unfit
from services.ingest.citybrain.keys import read_public_key
from services.ingest.fieldmaps.fields import Said
from services.ingest.fieldmaps.timing import TimeIn

Place = Annotated[str, Field(min_length=1, max_length=100)]
_HEADER = "header:"
_MEMBERS_MOST = 200
_KEYS = frozenset({"bearer", "basic"})


class SortedIn(BaseModel):
    """All members at the top, sorted by name, as name=value joined by &."""

    model_config = STRICT
    leave_out: list[Place] = Field(default_factory=list, max_length=20)
    empty: bool = False
    """Whether members that hold nothing are in it."""


class PartIn(BaseModel):
    """One part of the text that is signed: exactly one of these."""

    model_config = STRICT
    secret: Literal[True] | None = None
    text: Annotated[str, Field(max_length=200)] | None = None
    body: Literal[True] | None = None
    """The whole body, as sent."""
    value: Place | None = None
    """The value that stands there, as sent."""
    pairs: Annotated[list[Place], Field(min_length=1, max_length=30)] | None = None
    """These, in this order, as name=value joined by &."""
    sorted: SortedIn | None = None

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if sum(getattr(self, name) is not None for name in type(self).model_fields) != 1:
            raise unfit("Say exactly one of secret, text, body, value, pairs and sorted.")
        return self


class SignedTimeIn(TimeIn):
    """When the push was signed; one that is too old or too new is refused, and one that was seen is not taken again."""

    window_s: Annotated[int, Field(ge=10, le=3_600)] = 600


class SigningIn(BaseModel):
    """How a push is signed."""

    model_config = STRICT
    scheme: Literal["bearer", "basic", "token", "md5", "hmac-sha1", "hmac-sha256", "rsa-sha256"]
    sign: Place | None = None
    """Where the signature (or the token) stands."""
    prefix: Annotated[str, Field(max_length=20)] = ""
    """What stands before it, such as sha256=."""
    encoding: Literal["hex", "base64"] = "hex"
    over: Annotated[list[PartIn], Field(max_length=20)] = Field(default_factory=list)
    digest_of: Place | None = None
    """A member that stands in the signed text as the MD5 of its own members, sorted, as name=value, in lower case."""
    lower: bool = False
    """The text is signed, and the signature written, in lower case."""
    time: SignedTimeIn | None = None
    nonce: Place | None = None
    """What is different in each push."""

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        if self.scheme in _KEYS and (self.sign or self.over):
            raise unfit(f"{self.scheme} has no sign and no over: it is sent as Authorization. Remove them.")
        if self.scheme not in _KEYS and self.sign is None:
            raise unfit("Say where the signature stands: sign: sign, or sign: header:X-Sign.")
        digest = self.scheme not in _KEYS | {"token"}
        if digest is not bool(self.over):
            raise unfit("over lists what is signed: a digest needs it, and nothing else has it.")
        if self.scheme == "md5" and not any(part.secret for part in self.over):
            raise unfit("Without {secret: true} in over, anybody could make this md5.")
        if self.nonce is not None and self.time is None:
            raise unfit("nonce needs time: it is remembered for as long as the time allows.")
        proofs = [] if self.time is None else [path.text for path in self.time.path]
        if digest and any(not self._covers(place) for place in (*proofs, self.nonce) if place is not None):
            raise unfit("time and nonce must be part of what is signed, or anybody can change them. Add them to over.")
        return self

    def _covers(self, place: str) -> bool:
        return any(
            part.value == place
            or place in (part.pairs or ())
            or (part.body and not place.startswith(_HEADER))
            or (part.sorted is not None and place not in part.sorted.leave_out and not place.startswith(_HEADER))
            for part in self.over
        )

    @property
    def by_key_of_ours(self) -> bool:
        """Say whether a key that the registry made may be what is sent."""
        return self.scheme in _KEYS


def places_of(body: bytes, headers: Mapping[str, str], *, form: bool) -> dict[str, str]:
    """Give what stands at the top of a body, each member as the text that was sent, and in its headers.

    Raises:
        Refused: malformed_body.
    """
    places = {f"{_HEADER}{name.lower()}": value for name, value in headers.items()}
    try:
        if form:
            return places | dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MEMBERS_MOST))
        return places | _members(body.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError, msgspec.DecodeError) as error:
        raise Refused("malformed_body") from error


def _members(body: bytes) -> dict[str, str]:
    if body.lstrip()[:1] != b"{":
        return {}
    raw = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    if len(raw) > _MEMBERS_MOST:
        raise ValueError("too many members")
    return {name: _text(bytes(value)) for name, value in raw.items()}


def _text(raw: bytes) -> str:
    if raw == b"null":
        return ""
    return msgspec.json.decode(raw, type=str) if raw[:1] == b'"' else raw.decode()


def at(places: Mapping[str, str], place: str) -> str:
    """Give what stands at a place; nothing where there is none."""
    return places.get(place.lower() if place.startswith(_HEADER) else place, "")


def signed_text(signing: SigningIn, places: Mapping[str, str], body: bytes, secret: str) -> bytes:
    """Give the text that was signed.

    Raises:
        Refused: malformed_body, where the member that is digested is no object.
    """
    if signing.digest_of is not None:
        places = {**places, signing.digest_of: _digest(at(places, signing.digest_of))}
    written = b"".join(_part(part, places, body, secret) for part in signing.over)
    return (
        written.decode("utf-8", "surrogateescape").lower().encode("utf-8", "surrogateescape")
        if signing.lower
        else written
    )


def _part(part: PartIn, places: Mapping[str, str], body: bytes, secret: str) -> bytes:
    if part.body:
        return body
    if part.secret:
        return secret.encode()
    if part.text is not None:
        return part.text.encode()
    if part.value is not None:
        return at(places, part.value).encode()
    if part.pairs is not None:
        return _joined([(name, at(places, name)) for name in part.pairs])
    chosen = part.sorted or SortedIn()
    members = sorted(
        (name, value)
        for name, value in places.items()
        if not name.startswith(_HEADER) and name not in chosen.leave_out and (value or chosen.empty)
    )
    return _joined(members)


def _joined(pairs: Sequence[tuple[str, str]]) -> bytes:
    return "&".join(f"{name}={value}" for name, value in pairs).encode()


def _digest(raw: str) -> str:
    try:
        members = _members(raw.encode())
    except (ValueError, RecursionError, msgspec.DecodeError) as error:
        raise Refused("malformed_body") from error
    empty = {"[]": "", "{}": ""}
    text = _joined(sorted((name, empty.get(value, value)) for name, value in members.items())).decode().lower()
    return hashlib.md5(text.encode()).hexdigest()  # noqa: S324 (the senders' own choice; the HMAC around it protects)


def is_in_time(time: SignedTimeIn, places: Mapping[str, str], timezone: str | None, now: datetime) -> bool:
    """Say whether a push was signed a moment ago, by a clock that goes right; one without a time was not."""
    signed_at = time.read(Said({path.text: at(places, path.text) for path in time.path}, None), timezone).at
    return signed_at is not None and abs(now - signed_at) <= timedelta(seconds=time.window_s)


def fits(signing: SigningIn, given: str, text: bytes, secret: str) -> bool:
    """Say whether a signature is the one of this text, in a time that says nothing of how far it fits."""
    if not given.startswith(signing.prefix):
        return False
    given = given.removeprefix(signing.prefix)
    if signing.scheme == "token":
        return hmac.compare_digest(given.encode(), secret.encode())
    if signing.scheme == "rsa-sha256":
        return _fits_rsa(given, text, secret)
    if signing.scheme == "md5":
        digest = hashlib.md5(text).digest()  # noqa: S324 (the senders' own choice; see docs/feeds/field-maps.md)
    else:
        digest = hmac.new(secret.encode(), text, signing.scheme.removeprefix("hmac-")).digest()
    if signing.encoding == "hex":
        return hmac.compare_digest(given.lower().encode(), digest.hex().encode())
    expected = base64.b64encode(digest).decode()
    return hmac.compare_digest(given.encode(), (expected.lower() if signing.lower else expected).encode())


def _fits_rsa(given: str, text: bytes, public_key: str) -> bool:
    try:
        read_public_key(public_key).verify(base64.b64decode(given, validate=True), text, PKCS1v15(), SHA256())
    except (ValueError, InvalidSignature):
        return False
    return True
