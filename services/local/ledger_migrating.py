"""`bowei ledger migrate`: bring the ledger to this release, before its services start."""

import asyncio

import typer

from bowei.observability.environment import Environment, WrongEnvironment
from bowei.records.failures import StoreFailure
from bowei.records.migrating import DatabaseNewer, MigrationChanged, migrate


def migrate_ledger(environment: Environment | None = None) -> int:
    """Print each migration that was applied now; give the exit code: 2 if the ledger could not be brought there."""
    try:
        applied = asyncio.run(migrate((environment or Environment()).database_url()))
    except (WrongEnvironment, StoreFailure) as error:
        typer.echo(f"The ledger can't be migrated: {error}", err=True)
        return 2
    except DatabaseNewer:
        typer.echo("The ledger is of a newer release than this one. Start that release.", err=True)
        return 2
    except MigrationChanged as error:
        typer.echo(f"The ledger has another {error} than this release. Start the release that made it.", err=True)
        return 2
    for name in applied:
        typer.echo(name)
    typer.echo("The ledger is at this release.")
    return 0
