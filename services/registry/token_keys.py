"""The keys that sign access tokens: a JSON Web Key Set of Ed25519 keys, each with the instant from which it signs.

To change keys, add one that signs from some minutes hence, restart every registry, and take the old one out once its
last token is over: whoever reads the published set knows the new key before it is used (`bowei token-keys`).
"""

import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

SIGNS_FROM = "bowei_signs_from"
"""The member of a key that says from when it signs: seconds since 1970, UTC."""
ALGORITHM = "Ed25519"
"""The one algorithm there is (RFC 9864), whatever a token says of itself."""
_CURVE: Literal["Ed25519"] = "Ed25519"


class WrongKeys(ValueError):
    """These are no keys that can sign tokens; the text says why, and shows nothing of them."""


class TokenKeys:
    """Keys by the order in which they sign."""

    def __init__(self, keys: Sequence[tuple[float, OKPKey]]) -> None:
        if not keys:
            raise WrongKeys("it holds no key")
        self._keys = sorted(keys, key=lambda one: one[0])
        self.public = KeySet([OKPKey.import_key(key.as_dict(private=False)) for _, key in self._keys])
        """What tokens are checked with."""

    @classmethod
    def made(cls) -> "TokenKeys":
        """Make one key, for as long as this process lives."""
        return cls([(0.0, _made_key())])

    @classmethod
    def read(cls, text: str) -> "TokenKeys":
        """Read a private key set.

        Raises:
            WrongKeys: it is none, or a key of it can't sign.
        """
        return cls([(float(one.get(SIGNS_FROM, 0)), _read_key(one)) for one in _documents(text)])

    def signing(self, now: datetime) -> OKPKey:
        """Give the key that signs at an instant: the newest of those whose time has come, else the first."""
        ready = [key for signs_from, key in self._keys if signs_from <= now.timestamp()]
        return ready[-1] if ready else self._keys[0][1]

    def published(self) -> dict[str, Any]:
        """Give the public half of every key, as a JSON Web Key Set."""
        return {"keys": [dict(key.as_dict(private=False)) for key in self.public.keys]}


def with_new_key(text: str | None, signs_from: datetime) -> str:
    """Write a key set with one more key; None: there was none yet.

    Raises:
        WrongKeys: what was there is no key set.
    """
    kept = [] if text is None else _documents(text)
    made = dict(_made_key().as_dict(private=True)) | {SIGNS_FROM: int(signs_from.timestamp()) if kept else 0}
    return json.dumps({"keys": [*kept, made]}, indent=1)


def without_old_keys(text: str, now: datetime) -> str:
    """Write a key set without the keys that a newer one has taken over from.

    Raises:
        WrongKeys: it is no key set.
    """
    documents = sorted(_documents(text), key=lambda one: float(one.get(SIGNS_FROM, 0)))
    ready = [one for one in documents if float(one.get(SIGNS_FROM, 0)) <= now.astimezone(UTC).timestamp()]
    return json.dumps({"keys": documents[max(0, len(ready) - 1) :]}, indent=1)


def _made_key() -> OKPKey:
    return OKPKey.generate_key(_CURVE, parameters={"kid": secrets.token_hex(8), "use": "sig", "alg": ALGORITHM})


def _documents(text: str) -> list[dict[str, Any]]:
    try:
        documents = list(json.loads(text)["keys"])
    except (ValueError, KeyError, TypeError) as error:
        raise WrongKeys("it is no JSON Web Key Set") from error
    if not all(isinstance(one, dict) for one in documents):
        raise WrongKeys("it is no JSON Web Key Set")
    return documents


def _read_key(document: dict[str, Any]) -> OKPKey:
    try:
        key = OKPKey.import_key({name: value for name, value in document.items() if name != SIGNS_FROM})
    except (JoseError, ValueError, TypeError) as error:
        raise WrongKeys("a key of it can't be read") from error
    if key.curve_name != _CURVE or not key.is_private or not document.get("kid"):
        raise WrongKeys(f"a key of it is no private {_CURVE} key with a kid")
    return key
