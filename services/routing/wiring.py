"""The collaborators that routing's endpoints receive."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request

from bowei.domain.clock import Clock
from bowei.domain.lots import DriverId
from services.routing.diverting import Diverting
from services.routing.drivers import DriverTokens


@dataclass(frozen=True, slots=True)
class Wiring:
    """What `app.py` assembled."""

    diverting: Diverting
    tokens: DriverTokens
    clock: Clock
    plate_key: bytes | None


def wiring(request: Request) -> Wiring:
    """Give the app's collaborators."""
    collected: Wiring = request.app.state.wiring
    return collected


Wired = Annotated[Wiring, Depends(wiring)]


def driver(wired: Wired, authorization: Annotated[str | None, Header()] = None) -> DriverId:
    """Give the driver that the request's token names."""
    return wired.tokens.open(authorization)


Driver = Annotated[DriverId, Depends(driver)]
