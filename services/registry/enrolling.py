"""Enrolling sources: their keys, of which only a hash is kept, and the lots that they may report for.

A native source's key is `<source_id>.<43 random characters>`; its SHA-256, over the whole key in ASCII, is kept. The
key is answered once, when it is made. The key of a hospital's gate is made, and kept, in the same way.
"""

import secrets
from collections.abc import Iterator, Mapping

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from bowei.domain.lots import Lot, LotId, SourceId
from bowei.domain.problems import FieldError
from bowei.records.registering import Source, SourceKind, key_sha256_of
from services.registry.params import SourceIn

_KEY_BITS_LEAST = 1_024
"""What the field has: City Brain's own examples are of this size."""
_KEY_BITS_MOST = 4_096


def faults_of_source(sent: SourceIn, lots: Mapping[LotId, Lot]) -> Iterator[FieldError]:
    """Yield what is wrong with a source, given the lots there are."""
    if (sent.kind is SourceKind.CITYBRAIN) is (sent.public_key is None):
        yield FieldError("public_key", "key_needed")
    elif sent.public_key is not None and not _usable(sent.public_key):
        yield FieldError("public_key", "bad_public_key")
    if sent.new_key and sent.kind is not SourceKind.NATIVE:
        yield FieldError("new_key", "key_needed")
    for index, lot_id in enumerate(sent.lots.values()):
        if LotId(lot_id) not in lots:
            yield FieldError(f"lots[{index}]", "unknown_lot")


def made_key(owner_id: str) -> str:
    """Make a key: who has it can be told from it, and nobody guesses the rest."""
    return f"{owner_id}.{secrets.token_urlsafe(32)}"


def enrolled(source_id: str, sent: SourceIn, known: Source | None) -> tuple[Source, str | None]:
    """Give the source to register, and its key if one was made now."""
    key: str | None = None
    key_sha256 = known.key_sha256 if known is not None and sent.kind is SourceKind.NATIVE else None
    if sent.kind is SourceKind.NATIVE and (key_sha256 is None or sent.new_key):
        key = made_key(source_id)
        key_sha256 = key_sha256_of(key)
    suspended_now = known is not None and known.suspended
    source = Source(
        source_id=SourceId(source_id),
        kind=sent.kind,
        key_sha256=key_sha256,
        public_key=sent.public_key,
        suspended=suspended_now if sent.suspended is None else sent.suspended,
        trusted=sent.trusted,
        lots=tuple((code, LotId(lot_id)) for code, lot_id in sorted(sent.lots.items())),
    )
    return source, key


def _usable(pem: str) -> bool:
    try:
        key = load_pem_public_key(pem.strip().encode("ascii"))
    except (ValueError, UnsupportedAlgorithm):
        return False
    return isinstance(key, RSAPublicKey) and _KEY_BITS_LEAST <= key.key_size <= _KEY_BITS_MOST
