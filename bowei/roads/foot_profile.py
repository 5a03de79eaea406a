"""What OpenStreetMap's tags mean for a visitor on foot: may they pass.

Sources: the tags' definitions on wiki.openstreetmap.org (Key:highway, Key:foot, Key:access, OSM tags for routing).
"""

from collections.abc import Mapping

_WALKED = frozenset(
    {
        "footway",
        "path",
        "pedestrian",
        "steps",
        "corridor",
        "track",
        "bridleway",
        "living_street",
        "residential",
        "service",
        "unclassified",
        "road",
        "tertiary",
        "tertiary_link",
        "secondary",
        "secondary_link",
        "primary",
        "primary_link",
    }
)
"""Where people walk unless it is forbidden; not on motorways and trunk roads, and on cycleways only where allowed."""

_ACCESS_KEYS = ("foot", "access")
_CLOSED = frozenset(("no", "private", "permit", "delivery", "agricultural", "forestry", "military", "use_sidepath"))
_NEVER = frozenset(("motorway", "motorway_link", "construction", "proposed", "raceway"))
_BLOCKING_BARRIERS = frozenset(("wall", "fence", "hedge", "city_wall", "retaining_wall"))


def may_walk(tags: Mapping[str, str]) -> bool:
    """Say whether a way is open to anyone on foot."""
    highway = tags.get("highway")
    if highway in _NEVER:
        return False
    if highway not in _WALKED:
        return tags.get("foot") in {"yes", "designated", "permissive"}
    # The most particular key decides: access=private with foot=yes is open.
    return next((tags[key] for key in _ACCESS_KEYS if key in tags), "yes") not in _CLOSED


def blocks_walkers(tags: Mapping[str, str]) -> bool:
    """Say whether a node is a barrier that nobody passes on foot; a gate blocks only where it is tagged closed."""
    barrier = tags.get("barrier")
    if barrier is None:
        return False
    stated = next((tags[key] for key in _ACCESS_KEYS if key in tags), None)
    return barrier in _BLOCKING_BARRIERS if stated is None else stated in _CLOSED
