"""Redis and Postgres for the length of one context: found, started side by side, and gone afterwards."""

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from services.local.data_folder import DataFolder, as_setup_problem
from services.local.servers.finding import (
    DATABASE_VARIABLE,
    ORIGINS,
    REDIS_VARIABLE,
    Origin,
    find_postgres,
    find_redis,
    nothing_found,
)
from services.local.servers.postgres_server import (
    PostgresPlace,
    choose_server,
    place_for,
    start_postgres,
    stop_postgres,
)
from services.local.servers.redis_server import RedisPlace, redis_place_for, start_redis, stop_redis
from services.local.setup_problem import SetupProblem
from services.local.supervision import Supervised, first_to_give_up, run_together

# A socket's whole path has to fit into 103 bytes (macOS; 107 on Linux), and a user's folders can be long.
_SOCKETS_IN = Path("/tmp")  # noqa: S108  (mkdtemp makes a private folder in it, with a name nobody can guess)
_SOCKET_FOLDER = "bowei-"


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the two stores are."""

    database_url: str = field(repr=False)
    """For asyncpg. Holds a password."""
    redis_url: str = field(repr=False)
    """For redis-py. May hold a password."""
    described: tuple[str, ...]
    """One line per store for people: which server, where it is from. No secrets."""
    supervised: tuple[Supervised, ...]
    """The ones started here. Each is started again when it dies."""

    def pids(self) -> dict[str, int]:
        """Return the process ids of those that run now, by `postgres` and `redis`."""
        return {one.name: pid for one in self.supervised if (pid := one.pid)}

    async def gave_up(self) -> SetupProblem:
        """Wait until one of those started here can no longer be kept running, and return why."""
        if not self.supervised:
            await asyncio.Event().wait()  # Nobody here can say: the servers are somebody else's.
        return await first_to_give_up(self.supervised)


@contextlib.asynccontextmanager
async def embedded_servers(
    data: DataFolder,
    *,
    origins: Sequence[Origin] = ORIGINS,
    environment: Mapping[str, str] = os.environ,
) -> AsyncIterator[Servers]:
    """Give both stores: by the address in the environment, else a server started here with its data in `data`.

    `origins` says where programs may come from, in order of preference. Nothing listens on a TCP port: the
    servers' sockets lie in a folder in /tmp that only this user may enter.

    Raises:
        SetupProblem: with what is missing or broken, and how to mend it.
    """
    database_url = environment.get(DATABASE_VARIABLE, "")
    redis_url = environment.get(REDIS_VARIABLE, "")
    described: list[str] = []
    supervised: list[Supervised] = []
    with _socket_folder(data) as sockets:
        if database_url:
            described.append(f"Postgres: as {DATABASE_VARIABLE} says")
        else:
            postgres = await asyncio.to_thread(_postgres, data, sockets, origins)
            described.append(f"{postgres.server.described}, data in {postgres.cluster}")
            supervised.append(Supervised("postgres", partial(start_postgres, postgres), stop_postgres))
        if redis_url:
            described.append(f"Redis: as {REDIS_VARIABLE} says")
        else:
            redis = await asyncio.to_thread(_redis, data, sockets, origins)
            described.append(f"{redis.server.described}, data in {redis.folder}")
            supervised.append(Supervised("redis", partial(start_redis, redis), stop_redis))
            redis_url = redis.url
        async with run_together(supervised):
            yield Servers(database_url or postgres.url, redis_url, tuple(described), tuple(supervised))


def _postgres(data: DataFolder, sockets: Path, origins: Sequence[Origin]) -> PostgresPlace:
    if not (found := find_postgres(origins)):
        raise nothing_found("Postgres")
    return place_for(data, choose_server(data, found), sockets)


def _redis(data: DataFolder, sockets: Path, origins: Sequence[Origin]) -> RedisPlace:
    if not (found := find_redis(origins)):
        raise nothing_found("Redis")
    return redis_place_for(data, found[0], sockets)


@contextlib.contextmanager
def _socket_folder(data: DataFolder) -> Iterator[Path]:
    """Make a short private folder for sockets."""
    note = data.path / "sockets"
    with as_setup_problem(data.path):
        _remove_left_over(note)
        folder = Path(tempfile.mkdtemp(prefix=_SOCKET_FOLDER, dir=_SOCKETS_IN))
        note.write_text(f"{folder}\n", "utf-8")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        note.unlink(missing_ok=True)


def _remove_left_over(note: Path) -> None:
    """Remove the sockets of a run that was killed; the note names the folder, its name and owner must agree."""
    try:
        folder = Path(note.read_text("utf-8").strip())
        ours = folder.parent == _SOCKETS_IN and folder.name.startswith(_SOCKET_FOLDER)
        if ours and not folder.is_symlink() and os.geteuid() in {0, folder.stat().st_uid}:
            shutil.rmtree(folder, ignore_errors=True)
    except FileNotFoundError:
        return
