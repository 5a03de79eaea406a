"""What an operator may set for the registry, read from the environment at start."""

from dataclasses import dataclass, field

from bowei.observability.environment import Environment

DEFAULT_PORT = 8100
_TOKEN_SHORTEST = 16


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of the registry."""

    database_url: str = field(repr=False)
    admin_token: str = field(repr=False)
    log_level: str


def settings_from(environment: Environment) -> Settings:
    """Read the settings: BOWEI_DATABASE_URL, BOWEI_ADMIN_TOKEN (or their _FILE), BOWEI_LOG_LEVEL.

    Raises:
        WrongEnvironment: one is missing or wrong.
    """
    return Settings(
        database_url=environment.url("BOWEI_DATABASE_URL", schemes=frozenset({"postgres", "postgresql"})),
        admin_token=environment.secret("BOWEI_ADMIN_TOKEN", shortest=_TOKEN_SHORTEST),
        log_level=environment.text("BOWEI_LOG_LEVEL", "INFO"),
    )
