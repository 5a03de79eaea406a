"""What the registry's endpoints are given."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from bowei.observability.rate_limits import RateLimit
from bowei.records.agreement_book import AgreementBook
from bowei.records.audit import AuditTrail
from bowei.records.party_book import PartyBook
from bowei.records.quality import QualityDesk
from bowei.records.registering import Register
from bowei.records.road_book import RoadBook
from bowei.records.sharing import ReadsSharing
from bowei.roads.verdicts import RoadPlaces
from services.registry.tokens import OutsideTokens, Tokens


@dataclass(frozen=True, slots=True)
class Wiring:
    """The collaborators of the registry."""

    register: Register
    quality: QualityDesk
    roads: RoadBook
    audit: AuditTrail
    parties: PartyBook
    agreements: AgreementBook
    sharing: ReadsSharing
    tokens: Tokens
    sign_ins: RateLimit
    """By network address."""
    admin_token: bytes | None = field(repr=False)
    """None: administrators are parties."""
    outside_tokens: OutsideTokens | None = None
    """Of an OpenID provider, if there is one."""
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
