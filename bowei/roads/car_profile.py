"""What OpenStreetMap's tags mean for a private car: may it pass, which way, how fast.

Speeds are what a car does on average in a city, lights included, not the limit: where `maxspeed` is given, four
fifths of it. Sources: the tags' definitions on wiki.openstreetmap.org (Key:highway, Key:oneway, Key:access).
"""

from collections.abc import Mapping

from bowei.roads.graph_draft import Direction

SPEED_KMH: Mapping[str, float] = {
    "motorway": 85,
    "motorway_link": 45,
    "trunk": 60,
    "trunk_link": 40,
    "primary": 45,
    "primary_link": 35,
    "secondary": 40,
    "secondary_link": 30,
    "tertiary": 32,
    "tertiary_link": 25,
    "unclassified": 25,
    "residential": 22,
    "road": 22,
    "living_street": 10,
    "service": 12,
}
"""The roads of a car, and its usual speed where no limit is tagged; whatever is not listed here is not driven."""

_SHARE_OF_LIMIT = 0.8
_SERVICE_KMH_MAX = 15.0
_SPEED_KMH_MIN, _SPEED_KMH_MAX = 5.0, 130.0
_KMH_PER_MPH = 1.609344

_ACCESS_KEYS = ("motorcar", "motor_vehicle", "vehicle", "access")
_CLOSED = frozenset(
    {
        "no",
        "private",
        "permit",
        "delivery",
        "agricultural",
        "forestry",
        "emergency",
        "military",
        "psv",
        "bus",
        "taxi",
        "use_sidepath",
    }
)
_ONE_WAY = frozenset(("yes", "true", "1"))
_ONE_WAY_BACK = frozenset(("-1", "reverse"))
_CHANGING_WAY = frozenset(("reversible", "alternating"))
_FERRIES = frozenset(("ferry", "shuttle_train"))
_DIVIDERS = frozenset(("solid_line", "double_solid_line", "median", "barrier", "fence", "guard_rail", "kerb", "wall"))
_CROSSED_DIVIDERS = frozenset(("no", "none", "dashed_line"))
_DIVIDED_CLASSES = frozenset(
    ("motorway", "motorway_link", "trunk", "trunk_link", "primary", "primary_link", "secondary", "secondary_link")
)
_DIVIDED_LANES = 4
_BLOCKING_BARRIERS = frozenset(
    {
        "bollard",
        "block",
        "chain",
        "jersey_barrier",
        "debris",
        "log",
        "planter",
        "cycle_barrier",
        "kissing_gate",
        "stile",
        "turnstile",
    }
)


def may_drive(tags: Mapping[str, str]) -> bool:
    """Say whether a way is open to any private car."""
    if tags.get("highway") not in SPEED_KMH or tags.get("area") == "yes":
        return False
    return _open_to_cars(tags) and tags.get("oneway") not in _CHANGING_WAY


def is_ferry(tags: Mapping[str, str]) -> bool:
    """Say whether a way is a ferry's: nobody is sent over water on a timetable that is not known."""
    return tags.get("route") in _FERRIES or tags.get("ferry", "no") != "no"


def is_kerb_only(tags: Mapping[str, str]) -> bool:
    """Say whether a car can't cross to the other side of a two-way road: what is tagged divided, and large roads.

    The middle line of roads of these classes is usually solid; a `divider=dashed_line` says that it is not.
    """
    if tags.get("divider", "no") in _DIVIDERS or tags.get("dual_carriageway") == "yes":
        return True
    if tags.get("divider") in _CROSSED_DIVIDERS:
        return False
    lanes = tags.get("lanes", "")
    return tags.get("highway") in _DIVIDED_CLASSES or (lanes.isdecimal() and int(lanes) >= _DIVIDED_LANES)


def blocks_cars(tags: Mapping[str, str]) -> bool:
    """Say whether a node is a barrier that no car passes; a gate blocks only where it is tagged closed."""
    barrier = tags.get("barrier")
    if barrier is None:
        return False
    if any(key in tags for key in _ACCESS_KEYS):
        return not _open_to_cars(tags)
    return barrier in _BLOCKING_BARRIERS


def direction(tags: Mapping[str, str]) -> Direction:
    """Say which way a way may be driven, as drawn; roundabouts and motorways are one-way unless tagged otherwise."""
    one_way = tags.get("oneway")
    if one_way in _ONE_WAY:
        return Direction.FORWARD
    if one_way in _ONE_WAY_BACK:
        return Direction.BACKWARD
    if one_way is None and (tags.get("junction") in {"roundabout", "circular"} or tags.get("highway") == "motorway"):
        return Direction.FORWARD
    return Direction.BOTH


def speed_kmh(tags: Mapping[str, str]) -> float:
    """Give the usual speed on a way that may be driven."""
    highway = tags["highway"]
    limit = _limit_kmh(tags.get("maxspeed", ""))
    speed = SPEED_KMH[highway] if limit is None else limit * _SHARE_OF_LIMIT
    if highway == "service":
        speed = min(speed, _SERVICE_KMH_MAX)
    return min(max(speed, _SPEED_KMH_MIN), _SPEED_KMH_MAX)


def _open_to_cars(tags: Mapping[str, str]) -> bool:
    # The most particular key decides: access=no with motor_vehicle=yes is open.
    stated = next((tags[key] for key in _ACCESS_KEYS if key in tags), "yes")
    return stated not in _CLOSED


def _limit_kmh(text: str) -> float | None:
    """Read a limit such as "50", "30 mph" or "90;30" (the first); None for words ("signals", "CN:urban", "none")."""
    words = text.split(";", maxsplit=1)[0].split()
    if not words or not words[0].isdecimal() or int(words[0]) == 0:
        return None
    limit = float(words[0])
    return limit * _KMH_PER_MPH if words[1:] == ["mph"] else limit
