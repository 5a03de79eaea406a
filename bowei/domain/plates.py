"""Plates: kept only as keyed hashes, the same wherever a plate comes in."""

import hashlib
import hmac
import unicodedata

HASH_BYTES = 12


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


def hash_if_read(plate: str | None, key: bytes | None) -> bytes | None:
    """Hash a plate as a camera gives it; None without one, without a key, or for a dash where nothing was read."""
    if plate is None or key is None:
        return None
    try:
        return plate_hash(plate, key)
    except ValueError:
        return None
