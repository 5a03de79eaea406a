"""Real Postgres and Redis for the tests, and the rule for what may be skipped.

The servers are started once for a whole run, on private sockets, from the machine's own programs or from wheels.
The addresses in the environment are left alone on purpose: tests empty what they use.
"""

import asyncio
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis

from services.local.data_folder import throwaway_data_folder
from services.local.servers import Servers, embedded_servers

# The reasons for which a test may be left out where CI=true: recordings and schemas are large and no part of the
# project; kubectl only repeats what the project renders by itself.
ALLOWED_SKIPS = ("BOWEI_RECORDINGS", "BOWEI_SCHEMAS", "kubectl is not on this machine")
_IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}

_DATABASE_NAMES = (f"test_{number}" for number in itertools.count(1))
_REDIS_NUMBERS = itertools.cycle(range(16))


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Postgres and Redis, running for the length of the test run."""
    with throwaway_data_folder() as data, asyncio.Runner() as runner:
        running = AsyncExitStack()
        yield runner.run(running.enter_async_context(embedded_servers(data, environment={})))
        runner.run(running.aclose())


@pytest.fixture
async def fresh_database(servers: Servers) -> AsyncIterator[str]:
    """Give the address of a new, empty database; it is dropped after the test, whoever is still connected."""
    name = next(_DATABASE_NAMES)
    admin = await asyncpg.connect(servers.database_url)
    try:
        await admin.execute(f"CREATE DATABASE {name}")
        yield database_url(servers, name)
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


@pytest.fixture
async def fresh_redis(servers: Servers) -> AsyncIterator[str]:
    """Give the address of a Redis database with nothing in it."""
    url = f"{servers.redis_url}?db={next(_REDIS_NUMBERS)}"
    async with Redis.from_url(url) as redis:
        await redis.flushdb()
        yield url
        await redis.flushdb()


@pytest.fixture
def server_folder() -> Iterator[Path]:
    """Give an empty folder with a short path that other users may enter, for a test's own servers."""
    folder = Path(tempfile.mkdtemp(prefix="bowei-test-", dir="/tmp"))
    # As root, Postgres runs as another user, whom pytest's own folders keep out.
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


def database_url(servers: Servers, name: str) -> str:
    """Return the address of another database on the same server."""
    return servers.database_url.replace("/postgres?", f"/{name}?")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where CI=true, a test that was left out has failed."""
    report = yield
    if not hasattr(report, "wasxfail"):
        _fail_if_skipped(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Where CI=true, a file of tests that was left out has failed."""
    report = yield
    _fail_if_skipped(report)
    return report


def _fail_if_skipped(report: pytest.TestReport | pytest.CollectReport) -> None:
    if _IN_CI and report.skipped and not any(reason in str(report.longrepr) for reason in ALLOWED_SKIPS):
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI=true does not allow: {report.longrepr}"
