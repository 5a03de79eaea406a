"""Look at a Postgres or Redis that somebody else runs: would it keep what Bowei promises?"""

from datetime import UTC, datetime, timedelta

from bowei.records.connecting import UNSAFE_SETTINGS, acquired, connect, disconnect
from bowei.records.failures import OutcomeUnknown, StoreAway
from services.local.servers.finding import DATABASE_VARIABLE, POSTGRES_MIN, REDIS_MIN, REDIS_VARIABLE
from services.local.servers.redis_asking import RedisUnusable, ask_about_itself
from services.local.setup_problem import SetupProblem

_CLOCKS_APART_MAX = timedelta(seconds=2)


async def look_at_database(url: str) -> list[SetupProblem]:
    """Return what is wrong with the Postgres at `url`; empty when nothing is."""
    try:
        pool = await connect(url, most_connections=1, check_durable=False)
    except Exception as error:  # noqa: BLE001  (an address can be wrong in any way; the other checks must go on)
        return [_away(error)]
    try:
        async with acquired(pool) as connection:
            version = int(await connection.fetchval("SELECT current_setting('server_version_num')"))
            settings = {
                name: str(await connection.fetchval("SELECT current_setting($1)", name)) for name in UNSAFE_SETTINGS
            }
            its_now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    except (StoreAway, OutcomeUnknown) as error:
        return [_away(error)]
    finally:
        await disconnect(pool)
    return judged_database(version, settings, its_now - datetime.now(UTC))


def judged_database(version_number: int, settings: dict[str, str], ahead: timedelta) -> list[SetupProblem]:
    """Judge what was read: the version as Postgres numbers it (150018), and how far its clock is ahead of ours."""
    problems = []
    if version_number < POSTGRES_MIN[0] * 10_000:
        problems.append(
            SetupProblem(
                "postgres_too_old",
                f"Postgres is version {version_number // 10_000}; Bowei needs {POSTGRES_MIN[0]} or newer.",
                f"Upgrade it, or unset {DATABASE_VARIABLE} and let Bowei start its own.",
            )
        )
    for name, value in settings.items():
        if value in UNSAFE_SETTINGS[name]:
            problems.append(
                SetupProblem(
                    "not_durable",
                    f"Postgres runs with {name} = {value}: a promise could be lost after it was given.",
                    f"Run ALTER SYSTEM RESET {name}; and reload the server.",
                )
            )
    if abs(ahead) > _CLOCKS_APART_MAX:
        problems.append(
            SetupProblem(
                "clocks_apart",
                f"The clock of Postgres is {ahead.total_seconds():+.0f} s from this machine's.",
                "Let both follow a time server, for example with timedatectl set-ntp true.",
            )
        )
    return problems


async def look_at_redis(url: str) -> list[SetupProblem]:
    """Return what is wrong with the Redis at `url`; empty when nothing is."""
    try:
        info = await ask_about_itself(url)
    except RedisUnusable as error:
        return [
            SetupProblem(
                "redis_away",
                f"The Redis that {REDIS_VARIABLE} names cannot be used: {error}.",
                f"Start it or correct {REDIS_VARIABLE}; or unset it and let Bowei start its own.",
            )
        ]
    return judged_redis(info)


def judged_redis(info: dict[str, str]) -> list[SetupProblem]:
    """Judge the fields of `INFO`."""
    problems = []
    # Valkey states the version of Redis it is compatible with, for programs, and its own beside it.
    version = tuple(int(part) for part in info.get("redis_version", "0").split(".") if part.isdigit())
    if version < REDIS_MIN:
        problems.append(
            SetupProblem(
                "redis_too_old",
                f"Redis is version {info.get('redis_version', 'unknown')}; Bowei needs {REDIS_MIN[0]} or newer.",
                f"Upgrade it, or unset {REDIS_VARIABLE} and let Bowei start its own.",
            )
        )
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        problems.append(
            SetupProblem(
                "redis_evicts",
                f"Redis runs with maxmemory-policy {policy}: when it is full, lots would vanish one by one.",
                "Run CONFIG SET maxmemory-policy noeviction, and write it into its configuration.",
            )
        )
    return problems


def _away(error: Exception) -> SetupProblem:
    # Only the kind of a driver's error: its text may repeat a part of the address, and so of the password.
    why = str(error) if isinstance(error, StoreAway | OutcomeUnknown) else type(error).__name__
    return SetupProblem(
        "postgres_away",
        f"The Postgres that {DATABASE_VARIABLE} names cannot be used ({why}).",
        f"Start it or correct {DATABASE_VARIABLE}; or unset it and let Bowei start its own.",
    )
