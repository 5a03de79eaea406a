"""Plates: kept only as keyed hashes, the same wherever a plate comes in."""

import hashlib
import hmac
import unicodedata
from dataclasses import dataclass, field

HASH_BYTES = 12


@dataclass(frozen=True, slots=True)
class PlateKeys:
    """The key that plates are hashed with, and the one before it for as long as hashes by that are kept."""

    now: bytes = field(repr=False)
    before: bytes | None = field(default=None, repr=False)

    def hashes(self, plate: str) -> tuple[bytes, ...]:
        """Hash a plate with each key, the newest first.

        Raises:
            ValueError: there is no letter or digit in it.
        """
        return tuple(plate_hash(plate, key) for key in (self.now, self.before) if key is not None)


def plate_hash(plate: str, key: bytes) -> bytes:
    """Hash a plate with a secret key: HMAC-SHA256 cut to 12 bytes, which is enough to match and too little to invert.

    Full-width letters, small letters, spaces, dots and hyphens make no difference: 浙A·12345 is 浙a12345.

    Raises:
        ValueError: there is no letter or digit in it.
    """
    written = "".join(char for char in unicodedata.normalize("NFKC", plate).upper() if char.isalnum())
    if not written:
        raise ValueError("no letter or digit in the plate")
    return hmac.digest(key, written.encode(), hashlib.sha256)[:HASH_BYTES]


def hashes_if_read(plate: str | None, keys: PlateKeys | None) -> tuple[bytes, ...]:
    """Hash a plate as a camera gives it; nothing without one, without a key, or for a dash where nothing was read."""
    if plate is None or keys is None:
        return ()
    try:
        return keys.hashes(plate)
    except ValueError:
        return ()
