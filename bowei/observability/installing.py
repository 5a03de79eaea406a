"""Installing: one call gives a FastAPI app the border that every service has.

app = FastAPI(title=..., openapi_url="/v1/openapi.json", docs_url=None, redoc_url=None, lifespan=...)
metrics = install_http(app, service="registry", failures={StoreAway: "store_away", ...})
add_health(app, {"ledger": probe}, metrics)
"""

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response

from bowei.domain.problems import Refused
from bowei.observability.asgi import Bordered
from bowei.observability.bodies import RequestRules
from bowei.observability.metrics import Metrics
from bowei.observability.problems import known_code, refuse, refused_for_status
from bowei.observability.validation import refused_for

_PREFLIGHT_KEPT_S = 3_600
_Handler = Callable[[Request, Exception], Awaitable[Response]]


def install_http(
    app: FastAPI,
    *,
    service: str,
    failures: Mapping[type[Exception], str],
    rules: RequestRules | None = None,
) -> Metrics:
    """Give `app` problems, request ids, limits, security headers and metrics; return the metrics, to add own ones to.

    `failures` says with which problem code each failure of a store is answered. `rules` are limits by path.

    Raises:
        ValueError: a code is not in the catalogue.
    """
    metrics = Metrics(service)
    app.add_exception_handler(Refused, _answer_refused)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(HTTPException, _answer_status)
    for failure, code in failures.items():
        app.add_exception_handler(failure, _answering(known_code(code)))
    app.add_middleware(Bordered, metrics=metrics, rules=rules or RequestRules())
    return metrics


async def _answer_refused(request: Request, error: Exception) -> Response:
    return refuse(request, error if isinstance(error, Refused) else Refused("internal"))


async def _answer_invalid(request: Request, error: Exception) -> Response:
    findings = error.errors() if isinstance(error, RequestValidationError) else ()
    return refuse(request, refused_for(findings))


async def _answer_status(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    response = refuse(request, refused_for_status(status))
    allow = (error.headers or {}).get("Allow") if isinstance(error, HTTPException) else None
    if allow:
        response.headers["Allow"] = allow
    return response


def _answering(code: str) -> _Handler:
    async def answer(request: Request, error: Exception) -> Response:
        refused = Refused(code)
        refused.__cause__ = error
        return refuse(request, refused)

    return answer


def let_pages_ask(app: FastAPI, pages_url: str) -> None:
    """Let the pages, which availability serves, ask from their own address; no other page of the web may."""
    address = urlsplit(pages_url)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=[f"{address.scheme}://{address.netloc}"],
        allow_methods=["GET", "PUT", "POST", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "If-None-Match"],
        expose_headers=["ETag", "Retry-After"],
        max_age=_PREFLIGHT_KEPT_S,
    )
