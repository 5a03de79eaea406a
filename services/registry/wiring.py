"""What the registry's endpoints are given, and who may call them."""

import hmac
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from bowei.domain.problems import Refused
from bowei.records.audit import AuditTrail
from bowei.records.quality import QualityDesk
from bowei.records.registering import Register
from bowei.records.road_book import RoadBook
from bowei.roads.verdicts import RoadPlaces

ADMINISTRATOR = "administrator"
"""Who carries the admin token, as the audit names them."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """The collaborators of the registry."""

    register: Register
    quality: QualityDesk
    roads: RoadBook
    audit: AuditTrail
    admin_token: bytes = field(repr=False)
    quality_open: bool = False
    """Whether everyone may look at quality."""
    road_places: RoadPlaces | None = None
    """Whether places lie beside the roads; None: no road file."""


def wiring_of(request: Request) -> Wiring:
    """Give the wiring of the app that answers `request`."""
    wiring = request.app.state.wiring
    if not isinstance(wiring, Wiring):
        raise TypeError("the app was not wired")
    return wiring


Wired = Annotated[Wiring, Depends(wiring_of)]


def only_admins(request: Request, wired: Wired) -> None:
    """Let pass who carries the admin token, compared in constant time, and note who it is.

    Raises:
        Refused: key_missing or key_wrong.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Refused("key_missing")
    if not hmac.compare_digest(token.strip().encode("utf-8", "surrogateescape"), wired.admin_token):
        raise Refused("key_wrong")
    request.state.actor = ADMINISTRATOR
