"""Ask a Redis about itself, in its own protocol and with nothing but the standard library."""

import asyncio
import ssl
from urllib.parse import SplitResult, unquote, urlsplit

_REPLY_BYTES_MAX = 1024 * 1024


class RedisUnusable(Exception):
    """The server did not answer as a Redis does; the message says how, without the address's secrets."""


async def ask_about_itself(url: str, *, within_s: float = 3.0) -> dict[str, str]:
    """Return the fields of `INFO` (`redis_version`, `maxmemory_policy` and others) of the server at `url`.

    Raises:
        RedisUnusable: wrong address, no answer in time, refused, or not a Redis.
    """
    try:
        async with asyncio.timeout(within_s):
            reader, writer = await _connect(urlsplit(url))
            try:
                if command := _sign_in(urlsplit(url)):
                    await _call(reader, writer, *command)
                info = await _call(reader, writer, "INFO")
            finally:
                writer.close()
    except OSError as error:  # A timeout is one too.
        raise RedisUnusable(error.strerror or type(error).__name__) from error
    except (EOFError, ValueError, OverflowError) as error:
        # Without its text, which may repeat a part of the address, and so of the password.
        raise RedisUnusable("the address or the answer cannot be read") from error
    pairs = (line.partition(":") for line in info.splitlines())
    return {name: value for name, colon, value in pairs if colon}


async def _connect(url: SplitResult) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if url.scheme == "unix":
        return await asyncio.open_unix_connection(unquote(url.path))
    if url.scheme not in {"redis", "rediss"}:
        raise RedisUnusable("the address must begin with redis://, rediss:// or unix://")
    secure = ssl.create_default_context() if url.scheme == "rediss" else None
    return await asyncio.open_connection(url.hostname or "localhost", url.port or 6379, ssl=secure)


def _sign_in(url: SplitResult) -> list[str]:
    if not url.password:
        return []
    return ["AUTH", *([unquote(url.username)] if url.username else []), unquote(url.password)]


async def _call(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *words: str) -> str:
    """Send one command and return its reply, a simple or a bulk string."""
    encoded = [word.encode() for word in words]
    writer.write(b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded))
    head = (await reader.readline()).decode("utf-8", "replace").rstrip("\r\n")
    kind, rest = head[:1], head[1:]
    if kind == "+":
        return rest
    if kind == "-":
        raise RedisUnusable(f"it answered: {rest}")
    if kind != "$" or not 0 <= int(rest) <= _REPLY_BYTES_MAX:
        raise RedisUnusable("it does not answer as a Redis does")
    return (await reader.readexactly(int(rest) + 2))[:-2].decode("utf-8", "replace")
