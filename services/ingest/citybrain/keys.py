"""Keys: whose signature counts, and how each client seals its messages.

The protocol hands keys around as PEM or as the bare base64 of the DER inside it; both are read. 1024-bit keys are what
the field has, so they are the lower bound; the upper one bounds the work that one message may ask for.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)

KEY_BITS_MIN = 1024
KEY_BITS_MAX = 4096
_EXPONENT_BITS_MAX = 33
_KEY_TEXT_MAX = 8192


class KeyUnusable(ValueError):
    """The key can't be used; the reason follows, the key never does."""


class Sealing(StrEnum):
    """How a client encrypts. Both are in use, and a message does not say which: it is set per client."""

    CLIENT_PRIVATE_KEY = "client-private-key"
    """v1 and v2 in Hangzhou: block type 1. Anyone who has the client's public key can read it: a seal, no secret."""

    SERVER_PUBLIC_KEY = "server-public-key"
    """A clone of 2024: block type 2, opened by the server's own private key."""


@dataclass(frozen=True, slots=True)
class Client:
    """One operator of lots who may upload."""

    access_id: str
    public_key: RSAPublicKey = field(repr=False)
    sealing: Sealing = Sealing.CLIENT_PRIVATE_KEY


@dataclass(frozen=True, slots=True)
class Keys:
    """All clients by access id, and the server's own key, needed only if a client seals with its public half.

    Raises:
        KeyUnusable: a client needs the server's key and there is none, or is filed under another id.
    """

    clients: Mapping[str, Client]
    server_key: RSAPrivateKey | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for access_id, client in self.clients.items():
            if access_id != client.access_id:
                raise KeyUnusable(f"client {client.access_id} is filed under {access_id}")
            if client.sealing is Sealing.SERVER_PUBLIC_KEY and self.server_key is None:
                raise KeyUnusable(f"client {access_id} seals with the server's key, and no server key is set")


def read_public_key(text: str) -> RSAPublicKey:
    """Read an RSA public key from PEM or from the bare base64 of its DER.

    Raises:
        KeyUnusable: not a key, not RSA, or of a size or exponent out of bounds.
    """
    raw = _key_bytes(text)
    try:
        key = load_pem_public_key(raw) if _is_pem(raw) else load_der_public_key(raw)
    except (ValueError, UnsupportedAlgorithm) as cause:
        raise KeyUnusable("not a public key in PEM or base64 DER") from cause
    if not isinstance(key, RSAPublicKey):
        raise KeyUnusable("not an RSA key")
    _check_bounds(key)
    return key


def read_private_key(text: str) -> RSAPrivateKey:
    """Read an unencrypted RSA private key from PEM or from the bare base64 of its DER (PKCS#8 or PKCS#1).

    Raises:
        KeyUnusable: not a key, encrypted, not RSA, or of a size or exponent out of bounds.
    """
    raw = _key_bytes(text)
    try:
        key = load_pem_private_key(raw, None) if _is_pem(raw) else load_der_private_key(raw, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyUnusable("not an unencrypted private key in PEM or base64 DER") from None
    if not isinstance(key, RSAPrivateKey):
        raise KeyUnusable("not an RSA key")
    _check_bounds(key.public_key())
    return key


def _is_pem(raw: bytes) -> bool:
    return raw.startswith(b"-----BEGIN ")


def _key_bytes(text: str) -> bytes:
    if len(text) > _KEY_TEXT_MAX:
        raise KeyUnusable("longer than any key")
    try:
        raw = text.strip().encode("ascii")
        return raw if _is_pem(raw) else base64.b64decode(b"".join(raw.split()), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise KeyUnusable("neither PEM nor base64") from None


def _check_bounds(key: RSAPublicKey) -> None:
    if not KEY_BITS_MIN <= key.key_size <= KEY_BITS_MAX:
        raise KeyUnusable(f"{key.key_size} bits; {KEY_BITS_MIN} to {KEY_BITS_MAX} are allowed")
    if key.public_numbers().e.bit_length() > _EXPONENT_BITS_MAX:
        raise KeyUnusable("the public exponent is too large")
