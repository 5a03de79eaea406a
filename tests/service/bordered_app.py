"""A small app behind the border that every service has, with one endpoint for each thing that can go wrong."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Literal

from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import StreamingResponse

from bowei.domain.problems import Refused
from bowei.observability.bodies import RequestLimits, RequestRules
from bowei.observability.health import Probe, add_health
from bowei.observability.installing import install_http

LIMIT_S = 0.05
BODY_BYTES = 2_000
SECRET = "浙A12345"


class LedgerGone(Exception):
    """A store's failure, as the app's own stores would raise it."""


class CountIn(BaseModel):
    """One count of a lot."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    lot_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")]
    free: Annotated[int, Field(ge=0, le=100_000)]
    observed_at: Annotated[AwareDatetime, Field(strict=False)]
    datum: Literal["wgs84", "gcj02", "bd09"]
    share: float = 0.0


def bordered_app(
    probes: dict[str, Probe] | None = None, unready: str | None = None, limit_s: float = LIMIT_S
) -> FastAPI:
    """Give the app."""
    app = FastAPI(docs_url=None, redoc_url=None)

    @app.put("/counts/{count_id}")
    async def put_count(count_id: str, sent: CountIn) -> dict[str, object]:
        return {"count_id": count_id, "free": sent.free}

    @app.get("/breaks")
    async def breaks() -> None:
        raise RuntimeError(f"no place for {SECRET}")

    @app.get("/ledger-gone")
    async def ledger_gone() -> None:
        raise LedgerGone(SECRET)

    @app.get("/later")
    async def later() -> None:
        raise Refused("too_many_requests", retry_after_s=30, details={"limit": 6})

    @app.get("/hangs")
    async def hangs() -> None:
        await asyncio.Event().wait()

    @app.post("/hangs")
    async def hangs_in_a_write() -> None:
        await asyncio.Event().wait()

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        return StreamingResponse(_two_events(), media_type="text/event-stream")

    rules = RequestRules(usual=RequestLimits(body_bytes=BODY_BYTES, total_s=limit_s))
    metrics = install_http(app, service="small", failures={LedgerGone: "store_away"}, rules=rules)
    add_health(app, probes or {}, metrics, unready=lambda: unready)
    return app


async def _two_events() -> AsyncIterator[str]:
    yield "data: first\n\n"
    await asyncio.sleep(LIMIT_S * 3)
    yield "data: second\n\n"


@asynccontextmanager
async def client_of(app: FastAPI) -> AsyncIterator[AsyncClient]:
    """Give a client that speaks to `app` without a socket."""
    async with AsyncClient(transport=ASGITransport(app), base_url="http://bowei.test") as client:
        yield client
