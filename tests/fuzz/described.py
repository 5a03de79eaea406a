"""Every operation of every service, by its own OpenAPI document: bodies and parameters that fit it, and that do not."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import schemathesis
from httpx2 import AsyncClient
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from tests.fuzz.account import Account, Fault, Watched
from tests.service import availability_block, ingest_app, registry_app, routing_block

_SKIPPED = ("/stream",)
"""What never ends by itself."""


@asynccontextmanager
async def _ingest() -> Any:
    async with ingest_app.ingest(citybrain=True) as world:
        world.client.headers["Authorization"] = f"Bearer {ingest_app.KEY}"
        yield world.client


@asynccontextmanager
async def _registry() -> Any:
    async with registry_app.registry() as client:
        await registry_app.settle_in(client)
        yield client


@asynccontextmanager
async def _routing() -> Any:
    async with routing_block.running_block() as world:
        assert world.client is not None
        token = (await world.client.post("/v1/drivers")).json()["driver_token"]
        world.client.headers["Authorization"] = f"Bearer {token}"
        yield world.client


@asynccontextmanager
async def _availability() -> Any:
    async with availability_block.running_block() as block:
        yield block.client


SERVICES: dict[str, Callable[[], AbstractAsyncContextManager[AsyncClient]]] = {
    "ingest": _ingest,
    "registry": _registry,
    "routing": _routing,
    "availability": _availability,
}


def run(service: str, *, examples: int, number: int) -> Iterator[Account]:
    """Try `examples` requests of each operation of a service; one account for each."""
    loop = asyncio.new_event_loop()
    opened = SERVICES[service]()
    client = loop.run_until_complete(opened.__aenter__())
    try:
        document = loop.run_until_complete(client.get("/v1/openapi.json")).json()
        schema = schemathesis.openapi.from_dict(document)
        for result in schema.get_all_operations():
            if isinstance(result, Ok) and not (operation := result.ok()).path.endswith(_SKIPPED):
                yield _try_operation(service, operation, client, loop, examples, number)
    finally:
        loop.run_until_complete(opened.__aexit__(None, None, None))
        loop.close()


def _try_operation(
    service: str, operation: Any, client: AsyncClient, loop: asyncio.AbstractEventLoop, examples: int, number: int
) -> Account:
    name = f"{service} {operation.method.upper()} {operation.path}"
    sent: dict[str, Any] = {}

    def ask(_: bytes) -> None:
        answer = loop.run_until_complete(client.request(**sent))
        if answer.status_code >= 500 and answer.status_code != 503:
            raise Fault(f"{sent['method']} {sent['url']} answered {answer.status_code}: {answer.text[:200]}")

    watched = Watched(name, number, 2 * examples, ask)
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

        @seed(number)
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def send(case: Any) -> None:
            request = case.as_transport_kwargs()
            allowed = ("method", "url", "params", "headers", "json", "data", "cookies", "files")
            sent.clear()
            sent.update({key: request[key] for key in allowed if request.get(key) is not None})
            sent["headers"] = {
                key: value
                for key, value in dict(sent.get("headers", {})).items()
                if key.lower() not in {"authorization", "user-agent"}
            }
            if isinstance(sent.get("data"), bytes | str):
                sent["content"] = sent.pop("data")
            watched(b"")

        try:
            send()
        except Unsatisfiable:
            continue  # an operation without parameters or body has no wrong request
        except Exception as fault:  # noqa: BLE001 (whatever it is, it is what was looked for)
            watched.account.fault = f"{type(fault).__name__}: {fault}"[:500]
            break
    return watched.account
