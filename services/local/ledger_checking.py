"""`bowei ledger check`: the promises that the ledger shows to be broken. There are none, always."""

import asyncio

import typer

from bowei.observability.environment import Environment, WrongEnvironment
from bowei.records.connecting import UnsafeServer, connect, disconnect
from bowei.records.failures import StoreFailure
from bowei.records.postgres_holding import PostgresHoldBook


def check_ledger(environment: Environment | None = None) -> int:
    """Print each broken promise; give the exit code: 1 if there is one, 2 if the ledger could not be asked."""
    try:
        url = (environment or Environment()).database_url()
        broken = asyncio.run(broken_promises(url))
    except (WrongEnvironment, StoreFailure, UnsafeServer) as error:
        typer.echo(f"The ledger can't be checked: {error}", err=True)
        return 2
    for kind, subject in broken:
        typer.echo(f"{kind}\t{subject}")
    if broken:
        return 1
    typer.echo("No broken promise.")
    return 0


async def broken_promises(url: str) -> list[tuple[str, str]]:
    """List (kind, subject) of each broken promise in the ledger at `url`.

    Raises:
        StoreFailure: it does not answer.
    """
    pool = await connect(url, most_connections=1, check_durable=False)
    try:
        return list(await PostgresHoldBook(pool).broken_promises())
    finally:
        await disconnect(pool)
