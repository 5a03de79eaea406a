"""Serving: one uvicorn process with its limits, on loopback until told otherwise."""

import asyncio
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

import uvicorn
from fastapi import FastAPI

from bowei.observability.environment import Environment, WrongEnvironment
from bowei.observability.heads import BoundedHeads
from bowei.observability.logs import configure_logs
from bowei.observability.tls import tls_from

Settings = TypeVar("Settings")

_SHUTDOWN_S = 5
"""How long open streams are waited for; k8s must grant more (terminationGracePeriodSeconds)."""
_KEEP_ALIVE_S = 30
_BACKLOG = 2_048
_MOST_CONNECTIONS = 10_000


def run_service(
    name: str,
    settings_from: Callable[[Environment], Settings],
    create_app: Callable[[Settings], FastAPI],
    *,
    default_port: int,
    refusals: tuple[type[Exception], ...] = (),
) -> None:
    """Be one service until SIGTERM or Ctrl-C; a setting that is wrong ends it with one line that names it.

    `refusals` are what `create_app` raises over a setting, with words for the operator.
    """
    environment = Environment()
    over_settings: tuple[type[Exception], ...] = (WrongEnvironment, *refusals)
    try:
        settings = settings_from(environment)
        configure_logs(name, environment.log_level())
        serve(lambda: create_app(settings), default_port=default_port, environment=environment)
    except over_settings as wrong:
        sys.exit(f"bowei-{name}: {wrong}")


def serve(create_app: Callable[[], FastAPI], *, default_port: int, environment: Environment | None = None) -> None:
    """Serve the app that `create_app` makes until SIGTERM or Ctrl-C; BOWEI_HOST, BOWEI_PORT and BOWEI_TLS_… say where.

    Raises:
        WrongEnvironment: the port is not a port, or TLS can't be had as it is set up.
    """
    given = environment or Environment()
    tls = tls_from(given)
    uvicorn.run(
        create_app,
        factory=True,
        host=given.text("BOWEI_HOST", "127.0.0.1"),
        port=given.integer("BOWEI_PORT", default_port, least=1, most=65_535),
        loop="uvloop",
        http=BoundedHeads,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_SHUTDOWN_S,
        **({} if tls is None else tls.for_uvicorn()),  # type: ignore[arg-type]
    )


@contextmanager
def told_to_stop(close: Callable[[], None]) -> Iterator[None]:
    """Call `close` when the process is told to stop, before the server waits for open answers to end.

    A stream never ends by itself, and uvicorn ends the lifespan only after it has waited for it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    servers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def stop(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(close)
        handler = servers[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    for number, handler in servers.items():
        if callable(handler):
            signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in servers.items():
            if callable(handler):
                signal.signal(number, handler)
