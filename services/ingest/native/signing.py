r"""Signing: how a source shows that a report is its own without sending its key.

    Authorization: Bowei-HMAC-SHA256 source=mall-a,at=1772411403,signature=6b1f…

The signature is HMAC-SHA256, in hexadecimal, by the SHA-256 of the source's key, which is all that the register has of
it, over the instant, the method, the path and the body: `<at>\n<METHOD> <path>\n<body>`. What was signed is taken for
five minutes: within them a repeat is answered `duplicate`, as every repeat is, and changes nothing.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bowei.domain.lots import SourceId
from bowei.domain.problems import Refused

SCHEME = "bowei-hmac-sha256"
WINDOW = timedelta(minutes=5)
"""How far the sender's clock may be from ours, and how long a report may be on its way."""

_SAID = re.compile(
    r"source=(?P<source>[A-Za-z0-9._-]{1,64}), ?at=(?P<at>[0-9]{1,12}), ?signature=(?P<signature>[0-9a-fA-F]{64})"
)


@dataclass(frozen=True, slots=True)
class Signed:
    """Who says to have signed, when, and the signature."""

    source_id: SourceId
    at_s: int
    signature: bytes


def read_signed(authorization: str | None) -> Signed | None:
    """Read a header of this scheme; None where it is of another.

    Raises:
        Refused: signature_wrong, where it can't be read.
    """
    scheme, _, said = (authorization or "").partition(" ")
    if scheme.lower() != SCHEME:
        return None
    found = _SAID.fullmatch(said.strip())
    if found is None:
        raise Refused("signature_wrong")
    return Signed(SourceId(found["source"]), int(found["at"]), bytes.fromhex(found["signature"]))


def sign(key_sha256: bytes, at_s: int, method: str, path: str, body: bytes) -> bytes:
    """Sign one report."""
    return hmac.digest(key_sha256, f"{at_s}\n{method} {path}\n".encode() + body, hashlib.sha256)


def check(signed: Signed, key_sha256: bytes | None, method: str, path: str, body: bytes, now: datetime) -> None:
    """Check a signature, then its age. A source that is not known has no key.

    Raises:
        Refused: signature_wrong, signature_old.
    """
    expected = sign(key_sha256 or b"", signed.at_s, method, path, body)
    if not hmac.compare_digest(expected, signed.signature) or key_sha256 is None:
        raise Refused("signature_wrong")
    if abs(now - datetime.fromtimestamp(signed.at_s, UTC)) > WINDOW:
        raise Refused("signature_old")
