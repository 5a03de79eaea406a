"""Which path asks for what.

v1 has all calls under one folder. v2 moved them, except the heartbeat, which kept the old folder's name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from services.ingest.citybrain.problems import CityBrainProblem, ProblemCode


class Method(StrEnum):
    """A call of the protocol, by its own name."""

    PARKING_STATE = "uploadParkingState"
    HEARTBEAT = "uploadHeartbeat"
    CAR_IN = "uploadCarInData"
    CAR_OUT = "uploadCarOutData"
    CHECK_RECORD = "uploadCheckRecord"
    PARKING_INFO = "uploadParkingInfo"
    DOWN_UID = "downUID"
    PAY_RECORD = "uploadPayRecord"
    APPLY_PAYMENT = "applyPayment"
    MONTHLY_FEE = "uploadMonthlyFee"
    PHOTO = "uploadPhoto"


DROPPED = frozenset({Method.PAY_RECORD, Method.APPLY_PAYMENT, Method.MONTHLY_FEE, Method.PHOTO})
"""Calls that are answered with yes and not kept: Bowei has no business with payments or pictures of cars."""


@dataclass(frozen=True, slots=True)
class Route:
    """One address of the protocol."""

    version: int
    method: Method


def _routes() -> dict[str, Route]:
    routes = {f"/tcjg/api/{method}": Route(1, method) for method in Method}
    for method in Method:
        folder = "tcjg" if method is Method.HEARTBEAT else "cp"
        routes[f"/api/v2/{folder}/{method}"] = Route(2, method)
    return routes


ROUTES: Mapping[str, Route] = MappingProxyType(_routes())
"""Every path there is, without the prefix under which a deployment may mount them."""


def get_route(path: str) -> Route:
    """Say what a path asks for.

    Raises:
        CityBrainProblem: `unknown_method`.
    """
    route = ROUTES.get(path)
    if route is None:
        raise CityBrainProblem(ProblemCode.UNKNOWN_METHOD)
    return route
