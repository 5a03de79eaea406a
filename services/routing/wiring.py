"""The collaborators that routing's endpoints receive.

What gives them is async though it waits for nothing: FastAPI takes the rest to a thread, and back, for each request.
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request

from bowei.domain.clock import Clock
from bowei.domain.lots import DriverId
from bowei.domain.plates import PlateKeys
from bowei.domain.problems import Refused
from bowei.observability.rate_limits import RateLimit
from bowei.records.forgetting import ForgetsPersons
from bowei.records.gate_book import GateBook
from services.routing.barriers import Barriers
from services.routing.diverting import Diverting
from services.routing.drivers import DriverTokens
from services.routing.knowing import KnownKeys
from services.routing.places import Places
from services.routing.streaming import Streams


@dataclass(frozen=True, slots=True)
class Wiring:
    """What `app.py` assembled."""

    diverting: Diverting
    tokens: DriverTokens
    clock: Clock
    plate_keys: PlateKeys | None
    new_drivers: RateLimit
    """By network address."""
    requests_of_driver: RateLimit
    streams: Streams
    stream_places: Places
    polls: Places
    """Of lots' barriers."""
    barriers: Barriers
    keys: KnownKeys
    gates: GateBook
    persons: ForgetsPersons
    geofence_m: int
    pages_url: str | None


async def wiring(request: Request) -> Wiring:
    """Give the app's collaborators.

    Raises:
        Refused: store_away, where the ledger has not been reached since the start.
    """
    collected: Wiring | None = request.app.state.wiring
    if collected is None:
        raise Refused("store_away")
    return collected


Wired = Annotated[Wiring, Depends(wiring)]


async def driver(wired: Wired, authorization: Annotated[str | None, Header()] = None) -> DriverId:
    """Give the driver that the request's token names.

    Raises:
        Refused: key_missing, key_wrong, too_many_requests.
    """
    driver_id = wired.tokens.open(authorization)
    wired.requests_of_driver.take(driver_id)
    return driver_id


Driver = Annotated[DriverId, Depends(driver)]


async def newcomer(wired: Wired, request: Request) -> None:
    """Let pass who wants to become a driver.

    Raises:
        Refused: too_many_requests from this address.
    """
    wired.new_drivers.take(request.client.host if request.client else "")
