"""Keys and tokens as they come: in an Authorization header."""

from bowei.domain.problems import Refused


def bearer(authorization: str | None, *, longest: int) -> str:
    """Give the key or token that an Authorization header bears, of at most `longest` characters.

    Raises:
        Refused: key_missing, or key_wrong where it is longer than any that we made.
    """
    scheme, _, key = (authorization or "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key:
        raise Refused("key_missing")
    if len(key) > longest:
        raise Refused("key_wrong")
    return key
