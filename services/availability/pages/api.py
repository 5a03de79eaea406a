"""HTTP in, HTTP out, of pages and of what they load."""

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response

from bowei.domain.problems import Refused
from services.availability.pages.files import File, Pages

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = {"Cache-Control": "no-cache", "Content-Security-Policy": CONTENT_POLICY}
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_ASK_AGAIN = {"Cache-Control": "no-cache"}
_READ = ["GET", "HEAD"]


def pages_router(pages: Pages, streets: File) -> APIRouter:
    """Give the addresses of `pages`; `streets` is what the map draws below its lots."""
    router = APIRouter(include_in_schema=False)

    @router.api_route("/board/{board_id}", methods=_READ)
    async def show_board(request: Request, board_id: str) -> Response:  # noqa: ARG001 (its script reads the address)
        """Show the board of a hospital, a lot or a block."""
        return _answer(request, pages.pages["board"], _PAGE)

    @router.api_route("/map", methods=_READ)
    async def show_map(request: Request) -> Response:
        """Show the city's hospitals and lots."""
        return _answer(request, pages.pages["map"], _PAGE)

    @router.api_route("/map/streets.geojson", methods=_READ)
    async def show_streets(request: Request) -> Response:
        """Give the streets, if the road file is drawn ones."""
        return _answer(request, streets, _ASK_AGAIN)

    @router.api_route("/pages/{version}/{path:path}", methods=_READ)
    async def show_loaded(request: Request, version: str, path: str) -> Response:
        """Give what a page loads. Another version is answered with ours: a page of the release before goes on."""
        file = pages.loaded.get(path)
        if file is None:
            raise Refused("not_found")
        return _answer(request, file, _FOR_EVER if version == pages.version else _ASK_AGAIN)

    return router


def _answer(request: Request, file: File, headers: Mapping[str, str]) -> Response:
    sent = {**headers, "ETag": file.etag, "Vary": "Accept-Encoding"}
    if file.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=sent)
    compressed = "gzip" in request.headers.get("accept-encoding", "")
    if compressed:
        sent["Content-Encoding"] = "gzip"
    body = file.compressed if compressed else file.body
    return Response(body, headers=sent, media_type=file.media_type)
