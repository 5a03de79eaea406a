"""The doctor: each thing that can be wrong with a machine has a line and a fix."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.local.data_folder import open_data_folder
from services.local.doctor import (
    Check,
    Verdict,
    as_document,
    examine,
    exit_code,
    judged_clock,
    judged_open_files,
    judged_python,
    render,
)
from services.local.looking_at_stores import judged_database, judged_redis
from tests.free_ports import free_port

DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}


@pytest.fixture
def healthy(tmp_path: Path) -> dict[str, str]:
    """Give an environment in which everything is well."""
    names = ("REGISTRY", "INGEST", "ROUTING", "AVAILABILITY")
    return {"BOWEI_DATA": str(tmp_path / "data")} | {f"BOWEI_{name}_PORT": str(free_port()) for name in names}


def bad(checks: Sequence[Check]) -> list[str]:
    """Return the names of what must be mended."""
    return [check.name for check in checks if check.verdict is Verdict.BAD]


def test_a_healthy_machine_gets_only_ticks(healthy: dict[str, str]) -> None:
    """And looking changes nothing: the data folder is not made."""
    checks = asyncio.run(examine(healthy))
    assert all(line.startswith("✓ ") for line in render(checks).splitlines())
    assert exit_code(checks) == 0
    assert not Path(healthy["BOWEI_DATA"]).exists()


async def test_a_machine_without_servers_is_told_how_to_get_them(healthy: dict[str, str]) -> None:
    """A cross, its fix below it, and exit code 1."""
    checks = await examine(healthy, origins=())
    assert bad(checks) == ["Postgres", "Redis"]
    assert exit_code(checks) == 1
    shown = render(checks).splitlines()
    assert shown[1].startswith("✗ Postgres: No Postgres was found")
    assert shown[2].startswith("  fix: Do one of three: set BOWEI_DATABASE_URL")
    assert {line["verdict"] for line in as_document(checks)} == {"good", "bad"}


async def test_a_port_in_use_is_named_with_the_service_that_wants_it(healthy: dict[str, str]) -> None:
    """The fix names the variable that moves the service; the demo starts all the same."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        checks = await examine(healthy | {"BOWEI_ROUTING_PORT": str(port)})
    assert [check.name for check in checks if check.verdict is Verdict.WARNING] == [f"port {port}"]
    assert exit_code(checks) == 0
    assert "BOWEI_ROUTING_PORT" in render(checks)


@pytest.mark.parametrize("port", ["0", "65536", "eight", "-1", "８１００"])
async def test_a_port_that_is_no_port_is_named(healthy: dict[str, str], port: str) -> None:
    """A typing error must not look like a port in use."""
    checks = await examine(healthy | {"BOWEI_INGEST_PORT": port})
    assert bad(checks) == ["ports"]
    assert "BOWEI_INGEST_PORT is not a port" in render(checks)


async def test_a_folder_that_cannot_be_made_is_named(healthy: dict[str, str]) -> None:
    """Nobody, not even root, can make a folder in /proc."""
    checks = await examine(healthy | {"BOWEI_DATA": "/proc/bowei-data"})
    assert "data folder" in bad(checks)
    assert "BOWEI_DATA=" in render(checks)


async def test_a_running_copy_is_shown_with_its_pid_and_is_no_fault(healthy: dict[str, str]) -> None:
    """Its ports are in use because it runs."""
    with open_data_folder(Path(healthy["BOWEI_DATA"])), socket.socket() as its_port:
        its_port.bind(("127.0.0.1", int(healthy["BOWEI_REGISTRY_PORT"])))
        its_port.listen()
        checks = await examine(healthy)
    copy = next(check for check in checks if check.name == "running copy")
    assert copy.verdict is Verdict.WARNING
    assert "pid " in copy.found
    assert exit_code(checks) == 0


async def test_the_lock_of_a_copy_that_crashed_is_no_fault(healthy: dict[str, str]) -> None:
    """The file is still there; nobody holds it."""
    with open_data_folder(Path(healthy["BOWEI_DATA"])):
        pass
    assert (Path(healthy["BOWEI_DATA"]) / "lock").exists()
    assert all(check.verdict is Verdict.GOOD for check in await examine(healthy))


@pytest.mark.parametrize(
    ("database", "redis"),
    [
        ("postgresql://bowei:s3cret-words@127.0.0.1:1/bowei", "redis://:s3cret-words@127.0.0.1:1"),
        ("postgresql://bowei@127.0.0.1:s3cret-words/bowei", "redis://127.0.0.1:s3cret-words"),
        ("postgresql://bowei:s3cret-words@127.0.0.1:99999/bowei", "redis://:s3cret-words@127.0.0.1:99999"),
        ("s3cret-words", "s3cret-words"),
        ("postgresql:///bowei?host=/nowhere&password=s3cret-words", "unix:///nowhere?password=s3cret-words"),
    ],
)
async def test_an_address_that_leads_nowhere_is_named_without_its_secrets(
    healthy: dict[str, str], database: str, redis: str
) -> None:
    """Refused, not a number, not an address, no such socket."""
    checks = await examine(healthy | {"BOWEI_DATABASE_URL": database, "BOWEI_REDIS_URL": redis})
    assert bad(checks) == ["Postgres", "Redis"]
    assert "s3cret" not in render(checks)
    assert "BOWEI_DATABASE_URL" in render(checks)


@asynccontextmanager
async def something_on_a_port(answer: bytes) -> AsyncIterator[int]:
    """Run a server that says `answer` to whatever it is sent."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not answer as a Redis does"),
        (b"-NOAUTH Authentication required.\r\n", "it answered: NOAUTH"),
        (b"$99999999999\r\n", "does not answer as a Redis does"),
        (b"$nonsense\r\n", "cannot be read"),
        (b"", "does not answer as a Redis does"),
    ],
)
async def test_something_else_on_redis_port_is_not_taken_for_a_redis(
    healthy: dict[str, str], answer: bytes, found: str
) -> None:
    """A web server, a Redis that wants a password, and three kinds of nonsense."""
    async with something_on_a_port(answer) as port:
        checks = await examine(healthy | {"BOWEI_REDIS_URL": f"redis://127.0.0.1:{port}"})
    assert bad(checks) == ["Redis"]
    assert found in render(checks)


def test_a_database_that_would_forget_is_refused() -> None:
    """Each switch is named with the command that puts it back."""
    assert judged_database(140_000, DURABLE, timedelta()) == []
    for setting, value in (("fsync", "off"), ("full_page_writes", "off"), ("synchronous_commit", "local")):
        (problem,) = judged_database(150_018, DURABLE | {setting: value}, timedelta())
        assert f"ALTER SYSTEM RESET {setting}" in problem.fix


def test_an_old_database_and_a_wrong_clock_are_both_named() -> None:
    """Two problems, two fixes."""
    problems = judged_database(130_012, DURABLE, timedelta(seconds=-90))
    assert [problem.code for problem in problems] == ["postgres_too_old", "clocks_apart"]
    assert "-90 s" in problems[1].what


def test_a_redis_that_evicts_or_is_old_is_refused() -> None:
    """Redis 6.2 lacks what the scripts need; an evicting one loses lots one by one."""
    assert judged_redis({"redis_version": "7.2.4", "maxmemory_policy": "noeviction"}) == []
    problems = judged_redis({"redis_version": "6.2.14", "maxmemory_policy": "allkeys-lru"})
    assert [problem.code for problem in problems] == ["redis_too_old", "redis_evicts"]


def test_an_old_python_few_files_and_a_lost_clock_are_named() -> None:
    """Each with its fix."""
    assert judged_python((3, 10, 12)).verdict is Verdict.BAD
    assert judged_python((3, 14, 0)).verdict is Verdict.GOOD
    assert judged_open_files(100).verdict is Verdict.BAD
    assert judged_open_files(512).verdict is Verdict.WARNING
    assert judged_open_files(1024).verdict is Verdict.GOOD
    assert judged_open_files(-1).verdict is Verdict.GOOD
    assert judged_clock(datetime(1970, 1, 1, tzinfo=UTC)).verdict is Verdict.BAD
    assert judged_clock(datetime.now(UTC)).verdict is Verdict.GOOD
