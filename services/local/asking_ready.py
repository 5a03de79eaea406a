"""`bowei ready`: whether a service of this machine is ready, for images that bring no curl."""

import httpx2
import typer

_TIMEOUT_S = 2.0


def ask_ready(port: int) -> int:
    """Give the exit code: 0 where the service can give its answer, be it a degraded one; else 1, and say why."""
    try:
        answer = httpx2.get(f"http://127.0.0.1:{port}/readyz", timeout=_TIMEOUT_S, trust_env=False)
    except httpx2.HTTPError as error:
        typer.echo(f"port {port}: {type(error).__name__}", err=True)
        return 1
    if answer.status_code != httpx2.codes.OK:
        typer.echo(f"port {port}: {answer.text[:300]}", err=True)
        return 1
    return 0
