"""The servers that Bowei brings along: they start anywhere, keep what they are given, and leave nothing behind."""

import asyncpg
from redis.asyncio import Redis

from services.local.doctor import Verdict, examine
from services.local.servers import Servers


async def test_a_fresh_database_is_empty_and_durable(fresh_database: str) -> None:
    """Every durability switch is on, and nothing of another test is there."""
    connection = await asyncpg.connect(fresh_database)
    try:
        for setting in ("fsync", "full_page_writes", "synchronous_commit", "data_checksums"):
            assert await connection.fetchval("SELECT current_setting($1)", setting) == "on", setting
        assert await connection.fetchval("SELECT current_setting('timezone')") == "UTC"
        assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
        await connection.execute("CREATE TABLE left_behind (id int)")
    finally:
        await connection.close()


async def test_a_second_fresh_database_knows_nothing_of_the_first(fresh_database: str) -> None:
    """The same test again, in whatever order: its table is not there yet."""
    await test_a_fresh_database_is_empty_and_durable(fresh_database)


async def test_a_fresh_redis_is_empty_and_never_forgets_by_itself(fresh_redis: str) -> None:
    """No key of another test is there, and a full Redis refuses rather than evicts."""
    async with Redis.from_url(fresh_redis) as redis:
        assert await redis.dbsize() == 0
        assert await redis.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert await redis.config_get("appendonly") == {"appendonly": "yes"}
        await redis.set("left_behind", 1)


async def test_nothing_that_is_printed_holds_the_password(servers: Servers) -> None:
    """A log line or a traceback may show the object."""
    password = servers.database_url.split(":")[2].split("@")[0]
    assert len(password) >= 24
    assert password not in repr(servers)


async def test_the_doctor_is_content_with_these_servers(fresh_database: str, fresh_redis: str) -> None:
    """Versions, settings and clock are read from the servers themselves."""
    checks = await examine({"BOWEI_DATABASE_URL": fresh_database, "BOWEI_REDIS_URL": fresh_redis})
    assert {check.name: check.verdict for check in checks if check.name in {"Postgres", "Redis"}} == {
        "Postgres": Verdict.GOOD,
        "Redis": Verdict.GOOD,
    }


async def test_the_doctor_sees_a_database_that_answers_before_it_has_written(fresh_database: str) -> None:
    """A setting of one database is enough to lose a promise."""
    connection = await asyncpg.connect(fresh_database)
    name = await connection.fetchval("SELECT current_database()")
    await connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    await connection.close()
    checks = await examine({"BOWEI_DATABASE_URL": fresh_database})
    (postgres,) = (check for check in checks if check.name == "Postgres")
    assert postgres.verdict is Verdict.BAD
    assert "synchronous_commit = off" in postgres.found


async def test_the_doctor_sees_a_redis_that_evicts(fresh_redis: str) -> None:
    """A full one would forget lots one by one."""
    async with Redis.from_url(fresh_redis) as redis:
        before = (await redis.config_get("maxmemory-policy"))["maxmemory-policy"] or "noeviction"
        await redis.config_set("maxmemory-policy", "allkeys-lru")
        try:
            checks = await examine({"BOWEI_REDIS_URL": fresh_redis})
        finally:
            await redis.config_set("maxmemory-policy", before)
    (found,) = (check for check in checks if check.name == "Redis")
    assert found.verdict is Verdict.BAD
    assert "CONFIG SET maxmemory-policy noeviction" in found.fix
