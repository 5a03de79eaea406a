"""Tokens that must open nothing: each is a good one of which one thing was changed."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from services.registry.token_keys import TokenKeys
from tests.service.registry_app import ISSUER


def _b64(value: bytes | Mapping[str, Any]) -> str:
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def claims(at: datetime, **changes: Any) -> dict[str, Any]:
    """Write what a good token says, changed; None leaves it out."""
    seconds = int(at.timestamp())
    known = {"iss": ISSUER, "aud": "bowei-registry", "sub": "gonglian", "iat": seconds, "exp": seconds + 600}
    return {name: value for name, value in (known | changes).items() if value is not None}


def signed(key: Any, header: Mapping[str, Any], said: Mapping[str, Any]) -> str:
    """Sign what is said, with whatever key and header."""
    return jwt.encode(dict(header), dict(said), key, algorithms=[header["alg"]])


@dataclass(frozen=True)
class Good:
    """A token that opens, and what it is made of: each forgery changes one thing of it."""

    key: OKPKey
    at: datetime
    header: Mapping[str, Any]
    token: str

    @classmethod
    def made(cls, keys: TokenKeys, at: datetime) -> "Good":
        """Make one."""
        key = keys.signing(at)
        header = {"alg": "Ed25519", "kid": key.kid, "typ": "at+jwt"}
        return cls(key, at, header, signed(key, header, claims(at)))

    @property
    def parts(self) -> list[str]:
        """Give header, body and signature."""
        return self.token.split(".")


_Forgeries = Iterator[tuple[str, str]]


def _of_claims(good: Good) -> _Forgeries:
    at, hour = int(good.at.timestamp()), 3_600
    changed: dict[str, dict[str, Any]] = {
        "over": {"exp": at - 11},
        "without an end": {"exp": None},
        "an end that is no number": {"exp": "never"},
        "of another issuer": {"iss": "https://evil.example"},
        "of no issuer": {"iss": None},
        "for another audience": {"aud": "bowei-routing"},
        "for no audience": {"aud": None},
        "for several others": {"aud": ["a", "b"]},
        "of nobody": {"sub": None},
        "of a party that there is not": {"sub": "nobody"},
        "not yet valid": {"nbf": at + hour},
        "made in the future": {"iat": at + hour},
        "a number for a name": {"sub": 7},
    }
    for name, changes in changed.items():
        yield name, signed(good.key, good.header, claims(good.at, **changes))
    yield "an id token", signed(good.key, {**good.header, "typ": "JWT"}, claims(good.at))
    yield "of no type", signed(good.key, {"alg": "Ed25519", "kid": good.key.kid}, claims(good.at))


def _of_bytes(good: Good) -> _Forgeries:
    for part in range(3):
        text = good.parts[part]
        # Not the last letter: of a signature's its last bits say nothing.
        for place in range(0, len(text) - 1, 7):
            changed = good.parts
            changed[part] = f"{text[:place]}{'A' if text[place] != 'A' else 'B'}{text[place + 1 :]}"
            yield f"part {part} changed at {place}", ".".join(changed)
    head, _, signature = good.parts
    yield "another's body", f"{head}.{_b64(claims(good.at, sub='administrator'))}.{signature}"


def _of_algorithms(good: Good) -> _Forgeries:
    _, body, signature = good.parts
    for alg in ("none", "None", "NONE", "nOnE", ""):
        for tail in ("", signature):
            yield f"alg {alg!r}{' signed' if tail else ''}", f"{_b64({**good.header, 'alg': alg})}.{body}.{tail}"
    yield "no alg", f"{_b64({'kid': good.key.kid, 'typ': 'at+jwt'})}.{body}.{signature}"
    document = good.key.as_dict(private=False)
    jwk, raw = json.dumps(document).encode(), base64.urlsafe_b64decode(f"{document['x']}=")
    for alg, digest in (("HS256", hashlib.sha256), ("HS384", hashlib.sha384), ("HS512", hashlib.sha512)):
        for secret in (good.key.as_pem(private=False), jwk, raw, b""):
            begun = f"{_b64({**good.header, 'alg': alg})}.{body}"
            yield f"{alg} with the public key", f"{begun}.{_b64(hmac.digest(secret, begun.encode(), digest))}"
    yield "HS256", signed(OctKey.generate_key(256), {**good.header, "alg": "HS256"}, claims(good.at))
    yield "RS256", signed(RSAKey.import_key(rsa_pem()), {**good.header, "alg": "RS256"}, claims(good.at))
    yield "ES256", signed(ECKey.generate_key("P-256"), {**good.header, "alg": "ES256"}, claims(good.at))


def _of_keys(good: Good) -> _Forgeries:
    head, body, signature = good.parts
    own = OKPKey.generate_key("Ed25519", parameters={"kid": str(good.key.kid)})
    yield "another Ed25519 key of the same name", signed(own, good.header, claims(good.at))
    for named in (
        {"jwk": own.as_dict(private=False)},
        {"jku": "https://evil.example"},
        {"x5u": "https://evil.example"},
    ):
        yield f"a key of its own in {next(iter(named))}", signed(own, {**good.header, **named}, claims(good.at))
    for kid in ("", "../../etc/passwd", "' OR 1=1 --", "unknown", "\x00", f"{good.key.kid}x"):
        yield f"kid {kid!r}", signed(own, {**good.header, "kid": kid}, claims(good.at))
    yield "no kid", f"{_b64({'alg': 'Ed25519', 'typ': 'at+jwt'})}.{body}.{signature}"
    yield "a critical member", f"{_b64({**good.header, 'crit': ['exp2'], 'exp2': 1})}.{body}.{signature}"
    yield "no signature", f"{head}.{body}."


def _of_forms(good: Good) -> _Forgeries:
    head, body, signature = good.parts
    yield from {
        "too long": good.token + "A" * 4_096,
        "one part": head,
        "two parts": f"{head}.{body}",
        "four parts": f"{good.token}.{signature}",
        "empty parts": "..",
        "no base64": "é.é.é",
        "no JSON": f"{_b64(b'[')}.{_b64(b'[')}.{signature}",
        "a list": f"{head}.{_b64(b'[1]')}.{signature}",
        "deep": f"{_b64(b'[' * 900)}.{body}.{signature}",
        "an encrypted token's five parts": "a.b.c.d.e",
    }.items()


FORGERIES: tuple[Callable[[Good], _Forgeries], ...] = (_of_claims, _of_bytes, _of_algorithms, _of_keys, _of_forms)


def rsa_pem() -> bytes:
    """Make a private RSA key."""
    key = generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
