"""Keys of City Brain clients: which are read, which are refused, and that none is ever shown."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from services.ingest.citybrain.keys import (
    Client,
    Keys,
    KeyUnusable,
    Sealing,
    read_private_key,
    read_public_key,
)

CLIENT_KEY = rsa.generate_private_key(65537, 1024)  # noqa: S505  the size of the field's own keys


def public_text(key: rsa.RSAPublicKey, encoding: Encoding) -> str:
    """Write a public key as a vendor would: PEM, or base64 with line breaks."""
    raw = key.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
    return raw.decode() if encoding is Encoding.PEM else base64.encodebytes(raw).decode()


def private_text(key: rsa.RSAPrivateKey, encoding: Encoding, form: PrivateFormat) -> str:
    """Write a private key as a vendor would: PEM, or base64 in one line."""
    raw = key.private_bytes(encoding, form, NoEncryption())
    return raw.decode() if encoding is Encoding.PEM else base64.b64encode(raw).decode()


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_keys_are_read_as_the_protocol_hands_them_around(encoding: Encoding) -> None:
    """PEM or bare base64, wrapped or not, PKCS#8 or PKCS#1."""
    public = CLIENT_KEY.public_key()
    assert read_public_key(f"\n{public_text(public, encoding)} ") == public
    for form in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL):
        read = read_private_key(private_text(CLIENT_KEY, encoding, form))
        assert read.private_numbers() == CLIENT_KEY.private_numbers()


@pytest.mark.parametrize("text", ["", "junk!", "云", "QUJD", "A" * 9000, "-----BEGIN PUBLIC KEY-----\nQUJD"])
def test_what_is_not_a_key_is_refused(text: str) -> None:
    """Junk in the place of either half."""
    with pytest.raises(KeyUnusable):
        read_public_key(text)
    with pytest.raises(KeyUnusable):
        read_private_key(text)


def test_keys_of_another_kind_or_under_a_password_are_refused() -> None:
    """Only plain RSA keys can do what the protocol needs."""
    curve = ec.generate_private_key(ec.SECP256R1())
    public = curve.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    private = curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    locked = CLIENT_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")).decode()
    with pytest.raises(KeyUnusable, match="not an RSA key"):
        read_public_key(public)
    for text in (private, locked):
        with pytest.raises(KeyUnusable) as caught:
            read_private_key(text)
        assert text[40:60] not in str(caught.value)


@pytest.mark.parametrize(
    ("exponent", "modulus", "allowed"),
    [
        (65537, (1 << 1023) + 9, True),
        (65537, (1 << 1022) + 9, False),
        (65537, (1 << 4095) + 9, True),
        (65537, (1 << 4096) + 9, False),
        ((1 << 40) + 1, (1 << 1023) + 9, False),
    ],
    ids=["1024 bits", "1023 bits", "4096 bits", "4097 bits", "steep exponent"],
)
def test_the_size_of_a_key_is_bounded(exponent: int, modulus: int, allowed: bool) -> None:
    """Too short is no seal at all; too long, or a steep exponent, is work that a stranger could ask for."""
    key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
    text = public_text(key, Encoding.PEM)
    if allowed:
        assert read_public_key(text) == key
    else:
        with pytest.raises(KeyUnusable, match=r"bits|exponent"):
            read_public_key(text)


def test_a_client_that_needs_the_servers_key_can_not_be_set_up_without_it() -> None:
    """A wrong set-up fails at the start, not at the first message."""
    clone = Client("clone", CLIENT_KEY.public_key(), Sealing.SERVER_PUBLIC_KEY)
    with pytest.raises(KeyUnusable, match="no server key"):
        Keys({"clone": clone})
    with pytest.raises(KeyUnusable, match="filed under"):
        Keys({"other": clone}, CLIENT_KEY)


def test_keys_do_not_show_when_printed() -> None:
    """Neither the set of keys nor a client brings a key into a log."""
    keys = Keys({"lots": Client("lots", CLIENT_KEY.public_key())}, CLIENT_KEY)
    assert "RSA" not in repr(keys)
    assert "lots" in repr(keys)
