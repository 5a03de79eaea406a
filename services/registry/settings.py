"""What an operator may set for the registry, read from the environment at start."""

from dataclasses import dataclass, field
from pathlib import Path

from bowei.observability.environment import Environment

_TOKEN_SHORTEST = 16


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of the registry."""

    database_url: str = field(repr=False)
    require_synchronous: bool
    """Refuse a Postgres that waits for no standby."""
    admin_token: str = field(repr=False)
    roads: Path | None = None
    """A road file: whoever registers a place is told where it lies off the roads."""
    quality_open: bool = False
    """Whether everyone may look at data quality; acting always needs the token."""


def settings_from(environment: Environment) -> Settings:
    """Read the settings; see docs/settings.md for each.

    Raises:
        WrongEnvironment: one is missing or wrong.
    """
    return Settings(
        database_url=environment.database_url(),
        require_synchronous=environment.require_synchronous(),
        admin_token=environment.secret("BOWEI_ADMIN_TOKEN", shortest=_TOKEN_SHORTEST),
        roads=environment.roads(),
        quality_open=environment.flag("BOWEI_QUALITY_OPEN"),
    )
