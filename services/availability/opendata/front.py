"""Whole lists that are ready are answered in front of everything: they are read most, and nothing is left to decide.

The endpoints stay FastAPI's too, for OpenAPI, and for whoever asks when nothing is ready.
"""

import secrets
import time
from collections.abc import Callable, Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from bowei.domain.problems import Refused
from bowei.observability.asgi import SECURITY_HEADERS
from bowei.observability.metrics import Metrics
from services.availability.opendata.editions import Editions, Rendition, Shape

_Headers = list[tuple[bytes, bytes]]
_FOR_EVERYBODY = (
    *((name, value) for name, value in SECURITY_HEADERS if name != b"cache-control"),
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"ETag"),
    (b"vary", b"Accept-Encoding"),
)


class Front:
    """Answers GET of `paths` (name and shape by path) from what is ready, and hands everything else on.

    `editions` gives None before the process has started.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        paths: Mapping[str, tuple[str, Shape]],
        cached: str,
        editions: Callable[[], Editions | None],
        metrics: Metrics,
    ) -> None:
        self._app = app
        self._paths = paths
        self._cached = cached.encode()
        self._editions = editions
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        found = self._ready(scope)
        if found is None:
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        asked: dict[bytes, bytes] = dict(scope["headers"])
        status, headers, body = self._answer(found, asked)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        self._metrics.answered(
            method="GET", route=scope["path"], status=status, problem=None, seconds=time.perf_counter() - began
        )

    def _ready(self, scope: Scope) -> Rendition | None:
        if scope["type"] != "http" or scope["method"] != "GET" or scope["query_string"]:
            return None
        asked = self._paths.get(scope["path"])
        editions = None if asked is None else self._editions()
        if asked is None or editions is None:
            return None
        try:
            return editions.ready(*asked)
        except Refused:
            return None

    def _answer(self, found: Rendition, asked: Mapping[bytes, bytes]) -> tuple[int, _Headers, bytes]:
        etag = found.etag.encode()
        headers = [
            (b"etag", etag),
            (b"last-modified", found.last_modified.encode()),
            (b"cache-control", self._cached),
            (b"x-request-id", secrets.token_hex(8).encode()),
            *_FOR_EVERYBODY,
        ]
        if etag in asked.get(b"if-none-match", b""):
            return 304, headers, b""
        body = found.body
        if b"gzip" in asked.get(b"accept-encoding", b""):
            body = found.compressed
            headers.append((b"content-encoding", b"gzip"))
        headers += [(b"content-type", found.media_type.encode()), (b"content-length", str(len(body)).encode())]
        return 200, headers, body
