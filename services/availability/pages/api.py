"""HTTP in, HTTP out, of pages and of what they load."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response

from bowei.domain.problems import Refused
from services.availability.pages.files import NO_ADDRESSES, File, Pages

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'{drawn}; connect-src 'self'{asked}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = {"Cache-Control": "no-cache", "Content-Security-Policy": CONTENT_POLICY.format(drawn="", asked="")}
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_ASK_AGAIN = {"Cache-Control": "no-cache"}
_READ = ["GET", "HEAD"]


def pages_router(pages: Pages, streets: File, addresses: Mapping[str, str] = NO_ADDRESSES) -> APIRouter:
    """Give the addresses of `pages`; `streets` is what the map draws below its lots.

    `addresses` says where the pages that act find routing and the registry, if not at their own address.
    """
    router = APIRouter(include_in_schema=False)
    acting, at_registry = _acting(addresses.get("routing")), _acting(addresses.get("registry"))

    @router.api_route("/board/{board_id}", methods=_READ)
    async def show_board(request: Request, board_id: str) -> Response:  # noqa: ARG001 (its script reads the address)
        """Show the board of a hospital, a lot or a block."""
        return _answer(request, pages.pages["board"], _PAGE)

    @router.api_route("/go", methods=_READ)
    async def show_go(request: Request) -> Response:
        """Show a driver's own page: from the hospital's QR, or a slip's."""
        return _answer(request, pages.pages["go"], acting)

    @router.api_route("/gate/{hospital_id}", methods=_READ)
    async def show_gate(request: Request, hospital_id: str) -> Response:  # noqa: ARG001 (its script reads the address)
        """Show the console of a hospital's gate; what it does takes the gate's key."""
        return _answer(request, pages.pages["gate"], acting)

    @router.api_route("/operator", methods=_READ)
    async def show_operator(request: Request) -> Response:
        """Show the desk of whoever runs lots; it takes a party's secret."""
        return _answer(request, pages.pages["operator"], at_registry)

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


def _acting(url: str | None) -> Mapping[str, str]:
    """Give the headers of pages that ask another service, and show what it drew or wrote."""
    address = urlsplit(url or "")
    asked = f" {address.scheme}://{address.netloc}" if url else ""
    policy = CONTENT_POLICY.format(drawn=" blob:", asked=asked)
    # What a page's address holds is for nobody else, and a key in the fragment least of all.
    return _PAGE | {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"}


def _answer(request: Request, file: File, headers: Mapping[str, str]) -> Response:
    sent = {**headers, "ETag": file.etag, "Vary": "Accept-Encoding"}
    if file.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=sent)
    compressed = "gzip" in request.headers.get("accept-encoding", "")
    if compressed:
        sent["Content-Encoding"] = "gzip"
    body = file.compressed if compressed else file.body
    return Response(body, headers=sent, media_type=file.media_type)
