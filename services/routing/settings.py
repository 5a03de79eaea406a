"""What an operator may set for routing, read from the environment at start."""

from dataclasses import dataclass, field
from pathlib import Path

from bowei.domain.plates import PlateKeys
from bowei.livestate.connecting import SCHEMES, check_address
from bowei.observability.environment import Environment
from services.routing.broker_line import SCHEMES as BROKER_SCHEMES


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one routing process."""

    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    driver_key: str = field(repr=False)
    """Signs the drivers' tokens; the same in every routing process."""
    plate_keys: PlateKeys | None
    """Hashes plates; without it plates are dropped."""
    roads: Path | None
    allow_demo: bool
    require_synchronous: bool
    most_connections: int
    drivers_per_minute: int
    """How many new drivers one network address may bring; phones of one carrier often share an address."""
    requests_per_driver: int
    """How many requests a minute one driver may make."""
    most_streams: int
    """How many streams and long polls of drivers may be open at once, and as many of barriers."""
    geofence_m: int
    """How near to the entrance of a lot without a barrier link a driver is taken as arrived; 0: never."""
    barrier_broker: str | None = field(repr=False)
    """The MQTT broker by which barriers are told; without it they ask by long poll."""
    drivers_kept_days: int
    """How long it is kept for whom a hold was, after it has ended."""
    pages_url: str | None
    """Where people's browsers find the pages: for the QR on slips, and the one origin that may ask from elsewhere."""


def settings_from(environment: Environment) -> Settings:
    """Read the settings; see docs/settings.md for each.

    Raises:
        WrongEnvironment: one is missing or wrong.
    """
    return Settings(
        database_url=environment.database_url(),
        redis_url=environment.redis_url(SCHEMES, check_address),
        driver_key=environment.secret("BOWEI_DRIVER_KEY", shortest=32),
        plate_keys=environment.plate_keys(),
        roads=environment.roads(),
        allow_demo=environment.flag("BOWEI_ALLOW_DEMO"),
        require_synchronous=environment.require_synchronous(),
        most_connections=environment.integer("BOWEI_ROUTING_CONNECTIONS", 8, least=2, most=100),
        drivers_per_minute=environment.integer("BOWEI_ROUTING_DRIVERS_PER_MINUTE", 3_000, least=1, most=1_000_000),
        requests_per_driver=environment.integer("BOWEI_ROUTING_REQUESTS_PER_DRIVER", 120, least=1, most=1_000_000),
        most_streams=environment.integer("BOWEI_ROUTING_STREAMS", 2_000, least=1, most=8_000),
        geofence_m=environment.integer("BOWEI_ROUTING_GEOFENCE_M", 0, least=0, most=500),
        barrier_broker=_barrier_broker(environment),
        drivers_kept_days=environment.integer("BOWEI_DRIVERS_KEPT_DAYS", 30, least=2, most=400),
        pages_url=environment.public_url("BOWEI_PAGES_URL"),
    )


def _barrier_broker(environment: Environment) -> str | None:
    if environment.find_secret("BOWEI_BARRIER_BROKER_URL") is None:
        return None
    return environment.url("BOWEI_BARRIER_BROKER_URL", schemes=BROKER_SCHEMES)
