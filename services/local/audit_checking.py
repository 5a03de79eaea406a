"""`bowei audit check` and `head`: whether the chain of acts holds, and its newest link, to be kept elsewhere."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

import typer

from bowei.domain.acts import Anchor, Break, Entry, first_break
from bowei.observability.environment import Environment, WrongEnvironment
from bowei.records.connecting import UnsafeServer, connect, disconnect
from bowei.records.failures import StoreFailure
from bowei.records.postgres_audit import PostgresAuditTrail


class AnchorsUnreadable(Exception):
    """A line of a file of anchors is none; the text says which."""


def check_audit(anchors: Path | None, environment: Environment | None = None) -> int:
    """Say whether the chain holds; give the exit code: 1 if it does not, 2 if it could not be looked at."""
    try:
        known = [] if anchors is None else read_anchors(anchors.read_text("ascii"))
        url = (environment or Environment()).database_url()
        found, count = asyncio.run(_look_through(url, known))
    except (WrongEnvironment, StoreFailure, UnsafeServer, AnchorsUnreadable, OSError, UnicodeDecodeError) as error:
        typer.echo(f"The audit can't be checked: {error}", err=True)
        return 2
    if found is not None:
        typer.echo(f"entry {found.serial}\t{found.why}")
        return 1
    against = f", and against {len(known)} anchors" if known else "; without anchors a chain written anew would too"
    typer.echo(f"The chain holds: {count} entries{against}.")
    return 0


def print_head(environment: Environment | None = None) -> int:
    """Print the newest entry's serial and hash, a line of a file of anchors; nothing where there is none."""
    try:
        newest = asyncio.run(_newest((environment or Environment()).database_url()))
    except (WrongEnvironment, StoreFailure, UnsafeServer) as error:
        typer.echo(f"The audit can't be read: {error}", err=True)
        return 2
    if newest is not None:
        typer.echo(f"{newest.serial} {newest.hash.hex()}")
    return 0


def read_anchors(text: str) -> list[Anchor]:
    """Read lines of serial and hash.

    Raises:
        AnchorsUnreadable: one is neither.
    """
    anchors = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            serial, digest = line.split()
            anchors.append(Anchor(int(serial), bytes.fromhex(digest)))
        except ValueError as error:
            raise AnchorsUnreadable(f"line {number} is not a serial and a hash") from error
    return anchors


async def _look_through(url: str, anchors: Iterable[Anchor]) -> tuple[Break | None, int]:
    pool = await connect(url, most_connections=1, check_durable=False)
    try:
        trail, entries = PostgresAuditTrail(pool), list[Entry]()
        while some := await trail.entries(entries[-1].serial if entries else 0):
            entries += some
    finally:
        await disconnect(pool)
    return first_break(entries, anchors), len(entries)


async def _newest(url: str) -> Entry | None:
    pool = await connect(url, most_connections=1, check_durable=False)
    try:
        return await PostgresAuditTrail(pool).newest()
    finally:
        await disconnect(pool)
