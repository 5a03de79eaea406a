"""Who may ask the registry for what: by role, and of which objects.

The table is the whole of it: an operation that is not in it is open to the administrator alone. `Reach.OWN` is of what
the party speaks for or sees (`bowei.domain.parties.Sight`): another's object is not there for it (404).
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from bowei.domain.parties import Role


class Reach(StrEnum):
    """Of which objects a role may ask."""

    ALL = "all"
    OWN = "own"


_WATCHING = {Role.CITY: Reach.ALL, Role.TRAFFIC_POLICE: Reach.ALL, Role.URBAN_MANAGEMENT: Reach.ALL}
_READING = {**_WATCHING, Role.STREET_OFFICE: Reach.OWN, Role.HOSPITAL: Reach.OWN, Role.OPERATOR: Reach.OWN}
_READING_SOURCES = {**_WATCHING, Role.STREET_OFFICE: Reach.OWN, Role.OPERATOR: Reach.OWN}
_COORDINATING = {Role.STREET_OFFICE: Reach.OWN}
_REPORTED = {Role.CITY: Reach.ALL, **dict.fromkeys((Role.STREET_OFFICE, Role.HOSPITAL, Role.OPERATOR), Reach.OWN)}
_AGREEING = {Role.STREET_OFFICE: Reach.OWN, Role.HOSPITAL: Reach.OWN, Role.OPERATOR: Reach.OWN}
_PAUSING = {Role.STREET_OFFICE: Reach.OWN, Role.OPERATOR: Reach.OWN}
_OF_ROADS = {Role.TRAFFIC_POLICE: Reach.ALL}
_TRUSTING = {Role.URBAN_MANAGEMENT: Reach.ALL}
_EVERYBODY = dict.fromkeys(Role, Reach.ALL)
_ITSELF = dict.fromkeys(Role, Reach.OWN)

ACCESS: Mapping[str, Mapping[Role, Reach]] = MappingProxyType(
    {
        "list_registered_lots": _READING,
        "get_registered_lot": _READING,
        "put_lot": {},
        "pause_lot": _PAUSING,
        "resume_lot": _PAUSING,
        "list_registered_hospitals": _READING,
        "get_registered_hospital": _READING,
        "put_hospital": {},
        "make_gate_key": {Role.HOSPITAL: Reach.OWN},
        "list_agreements": _READING,
        "get_agreement": _READING,
        "put_agreement": _COORDINATING,
        "remove_agreement": _COORDINATING,
        "list_proposals": _READING,
        "list_versions": _READING,
        "propose_version": _AGREEING,
        "accept_version": _AGREEING,
        "decline_version": _AGREEING,
        "withdraw_version": _AGREEING,
        "get_sharing_report": _REPORTED,
        "get_sharing_report_csv": _REPORTED,
        "list_coming": _PAUSING,
        "list_sources": _READING_SOURCES,
        "get_source": _READING_SOURCES,
        "put_source": {},
        "put_scene": {},
        "list_calendars": _EVERYBODY,
        "get_calendar": _EVERYBODY,
        "put_calendar": {Role.CITY: Reach.ALL},
        "put_road_speeds": _OF_ROADS,
        "get_road_speeds": _EVERYBODY,
        "list_closures": _EVERYBODY,
        "get_closure": _EVERYBODY,
        "put_closure": _OF_ROADS,
        "remove_closure": _OF_ROADS,
        "get_quality": _WATCHING,
        "get_source_quality": _READING_SOURCES,
        "get_lot_quality": _READING,
        "suspend_source": _TRUSTING,
        "release_source": _TRUSTING,
        "suspend_lot": _TRUSTING,
        "release_lot": _TRUSTING,
        "forget_pending_lot": _TRUSTING,
        "list_acts": {Role.CITY: Reach.ALL},
        "list_parties": {Role.CITY: Reach.ALL},
        "get_party": {**_ITSELF, Role.CITY: Reach.ALL},
        "put_party": {},
        "make_party_secret": _ITSELF,
    }
)


def reach_of(operation_id: str, role: Role) -> Reach | None:
    """Say of which objects a role may ask for an operation; None: not at all."""
    if role is Role.ADMINISTRATOR:
        return Reach.ALL
    return ACCESS[operation_id].get(role)


def scopes_of(role: Role) -> frozenset[str]:
    """Give the operations that a role may ask for, as its tokens' scopes."""
    return frozenset(operation for operation in ACCESS if reach_of(operation, role) is not None)
