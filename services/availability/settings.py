"""What an operator may set for availability, read from the environment at start."""

from dataclasses import dataclass, field
from pathlib import Path

from bowei.observability.environment import Environment

DEFAULT_PORT = 8103


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one availability process."""

    database_url: str = field(repr=False)
    """Asked once, for the clock; not needed to serve."""
    redis_url: str = field(repr=False)
    roads: Path | None
    allow_demo: bool
    most_streams: int
    log_level: str


def settings_from(environment: Environment) -> Settings:
    """Read the settings; see docs/settings.md for each.

    Raises:
        WrongEnvironment: one is missing or wrong.
    """
    roads = environment.find_text("BOWEI_ROADS")
    return Settings(
        database_url=environment.url("BOWEI_DATABASE_URL", schemes=frozenset({"postgres", "postgresql"})),
        redis_url=environment.url("BOWEI_REDIS_URL", schemes=frozenset({"redis", "rediss", "unix"})),
        roads=None if roads is None else Path(roads),
        allow_demo=environment.flag("BOWEI_ALLOW_DEMO"),
        most_streams=environment.integer("BOWEI_AVAILABILITY_STREAMS", 2_000, least=1, most=8_000),
        log_level=environment.text("BOWEI_LOG_LEVEL", "INFO"),
    )
