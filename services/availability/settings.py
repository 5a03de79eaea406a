"""What an operator may set for availability, read from the environment at start."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bowei.livestate.connecting import SCHEMES, check_address
from bowei.observability.environment import Environment, WrongEnvironment
from bowei.observability.operator_files import FileWrong
from services.availability.opendata.publisher import Publisher, publisher_from
from services.availability.signs.signs_file import NO_SIGNS, Signs, read_signs_file


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one availability process."""

    database_url: str = field(repr=False)
    """Asked once, for the clock; not needed to serve."""
    redis_url: str = field(repr=False)
    roads: Path | None
    allow_demo: bool
    most_streams: int
    addresses: Mapping[str, str]
    """Where people's browsers find routing and the registry; one that is missing is at the pages' own address."""
    signs: Signs
    history_files: Path | None
    """Where ingest writes finished days; None: none are given out."""
    publisher: Publisher
    """Whom open data names."""


def settings_from(environment: Environment) -> Settings:
    """Read the settings; see docs/settings.md for each.

    Raises:
        WrongEnvironment: one is missing or wrong.
    """
    return Settings(
        database_url=environment.database_url(),
        redis_url=environment.redis_url(SCHEMES, check_address),
        roads=environment.roads(),
        allow_demo=environment.flag("BOWEI_ALLOW_DEMO"),
        most_streams=environment.integer("BOWEI_AVAILABILITY_STREAMS", 2_000, least=1, most=8_000),
        addresses=_addresses(environment),
        signs=_signs(environment),
        history_files=environment.history_files(),
        publisher=publisher_from(environment),
    )


def _addresses(environment: Environment) -> Mapping[str, str]:
    asked = {"routing": "BOWEI_ROUTING_URL", "registry": "BOWEI_REGISTRY_URL"}
    said = {service: environment.public_url(name) for service, name in asked.items()}
    return {service: url for service, url in said.items() if url is not None}


def _signs(environment: Environment) -> Signs:
    file = environment.find_text("BOWEI_SIGNS")
    if file is None:
        return NO_SIGNS
    try:
        return read_signs_file(Path(file), environment)
    except FileWrong as wrong:
        raise WrongEnvironment(f"BOWEI_SIGNS names a file that can't be used:\n{wrong}") from wrong
