"""`bowei ready`: whether a service of this machine is ready, for images that bring no curl."""

import httpx2
import typer

from bowei.observability.environment import Environment, WrongEnvironment
from bowei.observability.tls import tls_from

_TIMEOUT_S = 2.0


def ask_ready(port: int, environment: Environment | None = None) -> int:
    """Give the exit code: 0 where the service can give its answer, be it a degraded one; else 1, and say why.

    It is asked as the environment, which is the service's, says that it listens: by TLS, and with its own certificate.
    """
    try:
        tls = tls_from(environment or Environment())
        scheme = "http" if tls is None else "https"
        answer = httpx2.get(
            f"{scheme}://127.0.0.1:{port}/readyz",
            timeout=_TIMEOUT_S,
            trust_env=False,
            verify=True if tls is None else tls.to_itself(),
        )
    except (WrongEnvironment, httpx2.HTTPError) as error:
        typer.echo(f"port {port}: {error if isinstance(error, WrongEnvironment) else type(error).__name__}", err=True)
        return 1
    if answer.status_code != httpx2.codes.OK:
        typer.echo(f"port {port}: {answer.text[:300]}", err=True)
        return 1
    return 0
