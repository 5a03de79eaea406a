"""Servers start anywhere, from any source, and find what they kept."""

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisGone

from services.local.data_folder import open_data_folder
from services.local.servers import Servers, embedded_servers
from services.local.servers.finding import Origin, find_postgres, find_redis
from services.local.setup_problem import SetupProblem

# A machine without servers of its own has one way less to test; wheels are always there.
ORIGINS: list[Origin] = [origin for origin in ("machine", "wheel") if find_postgres([origin])]

DEADLINE_S = 20.0


async def remember(servers: Servers, words: str) -> None:
    """Write to both stores."""
    connection = await asyncpg.connect(servers.database_url)
    await connection.execute("CREATE TABLE IF NOT EXISTS said (words text)")
    await connection.execute("INSERT INTO said VALUES ($1)", words)
    await connection.close()
    async with Redis.from_url(servers.redis_url) as redis:
        await redis.set("said", words)


async def remembered(servers: Servers) -> list[str]:
    """Read everything that was written to Postgres."""
    connection = await asyncpg.connect(servers.database_url)
    try:
        return [row["words"] for row in await connection.fetch("SELECT words FROM said")]
    finally:
        await connection.close()


async def until(what: Callable[[], bool]) -> None:
    """Poll with a deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


@contextmanager
def other_program_of_the_owner_of(cluster: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run something that is no Postgres, as the user that Postgres runs as."""
    owner = cluster.stat().st_uid if os.geteuid() == 0 else None
    with subprocess.Popen(["/bin/sleep", "60"], user=owner) as other:
        try:
            yield other
        finally:
            other.kill()


@pytest.mark.parametrize("origin", ORIGINS)
async def test_a_second_start_finds_what_the_first_one_kept(server_folder: Path, origin: Origin) -> None:
    """In a folder with a space, a Chinese name and a path longer than any socket's may be."""
    folder = server_folder / "数据 of the demo" / ("long" * 30)
    origins: list[Origin] = [origin, "wheel"]
    for start in ("first", "second"):
        with open_data_folder(folder) as data:
            async with embedded_servers(data, origins=origins, environment={}) as servers:
                assert origin == "machine" or servers.described[0].startswith("Postgres 18.")
                await remember(servers, start)
                last = await remembered(servers)
    assert len(os.fsencode(folder)) > 107
    assert last == ["first", "second"]


async def test_another_postgres_does_not_hide_the_ledger(server_folder: Path) -> None:
    """The ledger was made by a wheel's Postgres; the machine's own, of another version, is not put in its place."""
    with open_data_folder(server_folder / "data") as data:
        async with embedded_servers(data, origins=["wheel"], environment={}) as servers:
            await remember(servers, "by the wheel")
        async with embedded_servers(data, origins=["machine", "wheel"], environment={}) as servers:
            assert await remembered(servers) == ["by the wheel"]


async def test_a_folder_that_only_its_owner_may_enter_will_do(server_folder: Path) -> None:
    """As root, Postgres runs as another user, whom the folder keeps out: its data is elsewhere, and a note says so."""
    private = server_folder / "private"
    private.mkdir(mode=0o700)
    for start in ("first", "second"):
        with open_data_folder(private / "data") as data:
            async with embedded_servers(data, environment={}) as servers:
                await remember(servers, start)
                last = await remembered(servers)
    note = private / "data" / "postgres-is-elsewhere.txt"
    assert last == ["first", "second"]
    assert note.exists() == (os.geteuid() == 0)
    if note.exists():
        elsewhere = Path(note.read_text("utf-8").splitlines()[1].removeprefix("Its data is therefore in "))
        assert str(elsewhere) in servers.described[0]
        shutil.rmtree(elsewhere)


async def test_a_deleted_folder_takes_its_ledger_along_wherever_that_was(server_folder: Path) -> None:
    """Deleting the folder is how to begin anew, also where Postgres' data lay elsewhere."""
    private = server_folder / "private"
    private.mkdir(mode=0o700)
    for start in ("first", "second"):
        with open_data_folder(private / "data") as data:
            async with embedded_servers(data, environment={}) as servers:
                await remember(servers, start)
                last = await remembered(servers)
        note = private / "data" / "postgres-is-elsewhere.txt"
        text = note.read_text("utf-8") if note.exists() else ""
        shutil.rmtree(private / "data")
    assert last == ["second"]
    if text:
        shutil.rmtree(text.splitlines()[1].removeprefix("Its data is therefore in "))


async def test_a_temporary_folder_that_is_gone_leaves_nothing_elsewhere(server_folder: Path) -> None:
    """The next start that needs a place elsewhere removes it, whatever folder that start is for."""
    notes = []
    for name in ("first", "second"):
        private = server_folder / name
        private.mkdir(mode=0o700)
        with open_data_folder(private / "data") as data:
            async with embedded_servers(data, environment={}) as servers:
                notes.append(Path(servers.described[0].split("data in ")[1]))
        shutil.rmtree(private)
    assert not notes[0].exists()
    if os.geteuid() == 0:
        shutil.rmtree(notes[1].parent)


@pytest.mark.parametrize("name", ["postgres", "redis"])
async def test_a_server_that_is_killed_comes_back_with_its_data(server_folder: Path, name: str) -> None:
    """`kill -9` of a server costs a moment, not the demo."""
    with open_data_folder(server_folder / "data") as data:
        async with embedded_servers(data, environment={}) as servers:
            await remember(servers, "before")
            killed = servers.pids()[name]
            os.kill(killed, signal.SIGKILL)
            await until(lambda: servers.pids().get(name, killed) != killed)
            assert await remembered(servers) == ["before"]
            async with Redis.from_url(servers.redis_url) as redis:
                assert await redis.get("said") == b"before"


async def test_a_lock_file_whose_number_is_now_another_programs_is_no_hindrance(server_folder: Path) -> None:
    """In a container numbers are small: after a crash, Postgres' old number may be another program's of its user."""
    with open_data_folder(server_folder / "data") as data:
        async with embedded_servers(data, environment={}) as servers:
            await remember(servers, "before")
            cluster = Path(servers.described[0].split("data in ")[1])
            stale = (cluster / "postmaster.pid").read_text("ascii").splitlines()
        with other_program_of_the_owner_of(cluster) as other:
            (cluster / "postmaster.pid").write_text("\n".join([str(other.pid), *stale[1:]]), "ascii")
            async with embedded_servers(data, environment={}) as servers:
                assert await remembered(servers) == ["before"]
            assert other.poll() is None, "the other program was left alone"


async def test_a_copy_that_cannot_be_read_is_thrown_away(server_folder: Path) -> None:
    """The ledger fills Redis again; refusing to start would be worse than starting empty."""
    with open_data_folder(server_folder / "data") as data:
        async with embedded_servers(data, environment={}) as servers:
            await remember(servers, "before")
        for file in data.redis.rglob("*.rdb"):
            file.write_bytes(b"REDIS9999 from the future")
        async with embedded_servers(data, environment={}) as servers, Redis.from_url(servers.redis_url) as redis:
            assert await redis.get("said") is None
            assert await remembered(servers) == ["before"]


async def test_nothing_is_started_when_the_environment_names_both(servers: Servers, server_folder: Path) -> None:
    """Whoever runs servers already keeps them, and their secrets stay out of what is shown."""
    environment = {"BOWEI_DATABASE_URL": servers.database_url, "BOWEI_REDIS_URL": servers.redis_url}
    with open_data_folder(server_folder / "data") as data:
        async with embedded_servers(data, environment=environment) as given:
            assert (given.database_url, given.redis_url) == (servers.database_url, servers.redis_url)
            assert given.pids() == {}
            assert given.described == ("Postgres: as BOWEI_DATABASE_URL says", "Redis: as BOWEI_REDIS_URL says")


@pytest.mark.parametrize(("store", "given"), [("Postgres", "BOWEI_REDIS_URL"), ("Redis", "BOWEI_DATABASE_URL")])
async def test_a_machine_without_servers_is_told_three_ways_out(server_folder: Path, store: str, given: str) -> None:
    """The environment, the system's packages, a wheel."""
    with open_data_folder(server_folder / "data") as data:
        with pytest.raises(SetupProblem) as problem:
            async with embedded_servers(data, origins=(), environment={given: "elsewhere"}):
                pass
        assert problem.value.code == f"{store.lower()}_not_found"
        for remedy in ("BOWEI_", "packages", "pip install"):
            assert remedy in problem.value.fix


async def test_a_broken_ledger_is_named_with_the_servers_last_words(server_folder: Path) -> None:
    """What Postgres says about it is in the message, and no server is left."""
    with open_data_folder(server_folder / "data") as data:
        async with embedded_servers(data, environment={}) as servers:
            redis_url = servers.redis_url
            cluster = Path(servers.described[0].split("data in ")[1])
        (cluster / "global" / "pg_control").unlink()
        with pytest.raises(SetupProblem, match="pg_control") as problem:
            async with embedded_servers(data, environment={}):
                pass
        assert problem.value.code == "postgres_did_not_start"
        async with Redis.from_url(redis_url) as redis:
            with pytest.raises(RedisGone):
                await redis.ping()


def test_the_preferred_servers_are_the_machines_own() -> None:
    """Order decides, and every one found has said its version."""
    for find in (find_postgres, find_redis):
        found = find(["machine", "wheel"])
        assert [server.origin for server in found] == sorted(server.origin for server in found)
        assert found[-1].origin == "wheel"
        assert all(server.version for server in found)
