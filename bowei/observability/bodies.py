"""Bodies: how large a body may be, of what type, and what counts as JSON.

A body is read before the endpoint sees it, up to the limit on the bytes that really came. JSON is UTF-8 without a
byte order mark, says no key twice, and has only finite numbers and storable texts.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from bowei.domain.problems import Refused

_JSON = "application/json"
_METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """What one request may cost. `strict_json` off leaves the reading of JSON wholly to the endpoint."""

    body_bytes: int = 256 * 1024
    total_s: float = 10.0
    content_types: tuple[str, ...] = (_JSON,)
    strict_json: bool = True


@dataclass(frozen=True, slots=True)
class RequestRules:
    """The limits of each path: the longest prefix in `by_prefix` that matches wins, else `usual`."""

    usual: RequestLimits = field(default_factory=RequestLimits)
    held_bytes: int = 64 * 1024 * 1024
    """How much of all bodies may be in memory at once, from their first byte to the end of their answer."""
    by_prefix: Mapping[str, RequestLimits] = field(default_factory=dict)

    def limits_for(self, path: str) -> RequestLimits:
        """Give the limits of a path."""
        fitting = [prefix for prefix in self.by_prefix if path.startswith(prefix)]
        return self.by_prefix[max(fitting, key=len)] if fitting else self.usual


class BodyRoom:
    """Counts the bytes of bodies that are in memory, over all requests of a process."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0

    @contextmanager
    def holding(self) -> Iterator[Callable[[int], None]]:
        """Give what counts the bytes of one request as they come; all of them are given back at the end.

        Raises:
            Refused: overloaded, by what is given.
        """
        own = 0

        def count(size: int) -> None:
            nonlocal own
            if self._held + size > self._most:
                raise Refused("overloaded")
            self._held += size
            own += size

        try:
            yield count
        finally:
            self._held -= own


async def checked_body(
    method: str,
    headers: Mapping[str, str],
    receive: Receive,
    limits: RequestLimits,
    count: Callable[[int], None] = lambda _: None,
) -> Receive:
    """Read a request's body, check it, and give a `receive` that hands it on; `count` is told of bytes as they come.

    Raises:
        Refused: body_too_large, wrong_content_type or malformed_json; and what `count` raises.
        ClientDisconnect: the caller left before the body was whole.
    """
    if method not in _METHODS_WITH_BODY:
        return receive
    body = await _read(headers.get("content-length"), receive, limits.body_bytes, count)
    if body:
        media_type = _media_type(headers, limits.content_types)
        if media_type == _JSON and limits.strict_json:
            check_json(body)
    return _handing_on(body, receive)


def check_json(body: bytes) -> None:
    """Check that a body is JSON as we want it.

    Raises:
        Refused: malformed_json.
    """
    try:
        text = body.decode("utf-8")  # refuses UTF-16 and lone surrogates; a BOM is refused by the parser
        value = json.loads(text, object_pairs_hook=_once_each, parse_constant=_no_constant)
        # Escapes are the only way to a lone surrogate or NUL in valid UTF-8, and most bodies have none.
        if "\\u" in text:
            _check_texts(value)
    except (ValueError, RecursionError) as error:
        raise Refused("malformed_json") from error


async def _read(declared: str | None, receive: Receive, most: int, count: Callable[[int], None]) -> bytes:
    if declared is not None and declared.isdecimal() and int(declared[:19]) > most:
        raise Refused("body_too_large")
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > most:
            raise Refused("body_too_large")
        count(len(chunks[-1]))
        more = message.get("more_body", False)
    return b"".join(chunks)


def _media_type(headers: Mapping[str, str], allowed: Sequence[str]) -> str:
    media_type, _, parameters = headers.get("content-type", "").lower().partition(";")
    charset = parameters.replace(" ", "").replace('"', "").partition("charset=")[2]
    plain = headers.get("content-encoding", "identity").lower() == "identity"
    if media_type.strip() not in allowed or charset not in {"", "utf-8", "utf8"} or not plain:
        raise Refused("wrong_content_type")
    return media_type.strip()


def _handing_on(body: bytes, receive: Receive) -> Receive:
    given = False

    async def handed_on() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return handed_on


def _once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key is said twice")
    return members


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _check_texts(value: object) -> None:
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
            raise ValueError("a text holds NUL or half a character")
    elif isinstance(value, dict):
        for key, member in value.items():
            _check_texts(key)
            _check_texts(member)
    elif isinstance(value, list):
        for member in value:
            _check_texts(member)
