"""The ceiling of reading: Starlette sends bytes from memory, compressed already, and 304 to whoever has them.

python -m loadtests.peers.bare_bytes FILE PORT
"""

import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

ETAG = '"the-bytes"'


def app_of(body: bytes) -> Starlette:
    """Serve one body."""
    headers = {"ETag": ETAG, "Content-Encoding": "gzip"}

    async def answer(request: Request) -> Response:
        if request.headers.get("if-none-match") == ETAG:
            return Response(status_code=304, headers={"ETag": ETAG})
        return Response(body, headers=headers, media_type="application/json")

    return Starlette(routes=[Route("/", answer)])


if __name__ == "__main__":
    content = Path(sys.argv[1]).read_bytes()
    uvicorn.run(app_of(content), port=int(sys.argv[2]), log_level="warning", loop="uvloop", http="httptools")
