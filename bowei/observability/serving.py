"""Serving: one uvicorn process with its limits, on loopback until told otherwise."""

from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from bowei.observability.environment import Environment
from bowei.observability.heads import BoundedHeads

_SHUTDOWN_S = 5
"""How long open streams are waited for; k8s must grant more (terminationGracePeriodSeconds)."""
_KEEP_ALIVE_S = 30
_BACKLOG = 2_048
_MOST_CONNECTIONS = 10_000


def serve(create_app: Callable[[], FastAPI], *, default_port: int, environment: Environment | None = None) -> None:
    """Serve the app that `create_app` makes until SIGTERM or Ctrl-C; BOWEI_HOST and BOWEI_PORT say where.

    Raises:
        WrongEnvironment: the port is not a port.
    """
    given = environment or Environment()
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
    )
