"""Who may do what in Redis: one user for each service, with the commands that it runs, on the keys that it owns.

Nobody here can empty the server, list its keys, or read or change its settings. A test runs each service's part under
its user, and compares what was run with what is allowed, in both directions.
"""

from dataclasses import dataclass

from bowei.domain.lots import LotId
from bowei.livestate import keys

_ANY = LotId("*")
_EVERYONE = ("select", "ping", "get")
_READS_LOTS = "mget"
_READS_ROADS = "hget"
_ON_A_CLUSTER = ("cluster|slots", "command")
"""redis-py reads the map of slots, and where in each command the keys are."""
_WRITES_NEWER = ("evalsha", "eval")


@dataclass(frozen=True, slots=True)
class User:
    """What one user may do. Commands within a script need their permission too."""

    name: str
    commands: tuple[str, ...]
    reads: tuple[str, ...]
    writes: tuple[str, ...] = ()
    """Keys read and written, as patterns; their only writer is this user."""

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules of `ACL SETUSER` and of an ACL file, without the password."""
        return (
            "reset",
            "on",
            *(f"%R~{pattern}" for pattern in self.reads),
            *(f"~{pattern}" for pattern in self.writes),
            f"&{keys.CHANGES}",
            "-@all",
            *(f"+{command}" for command in self.commands),
        )


INGEST = User(
    "bowei-ingest",
    (*_EVERYONE, "set", *_WRITES_NEWER, "info", "publish", *_ON_A_CLUSTER),
    reads=(),
    writes=(keys.seen(_ANY), keys.COPIED_SEEN, keys.FORESEEN),
)
ROUTING = User(
    "bowei-routing",
    (
        *_EVERYONE,
        _READS_LOTS,
        _READS_ROADS,
        "set",
        "hset",
        *_WRITES_NEWER,
        "info",
        "publish",
        "subscribe",
        *_ON_A_CLUSTER,
    ),
    reads=(keys.seen(_ANY), keys.FORESEEN),
    writes=(keys.promised(_ANY), keys.DIRECTORY, keys.ROADS, keys.GATES, keys.COPIED_PROMISED),
)
AVAILABILITY = User(
    "bowei-availability",
    (*_EVERYONE, _READS_LOTS, _READS_ROADS, "subscribe", *_ON_A_CLUSTER),
    reads=(keys.seen(_ANY), keys.promised(_ANY), keys.DIRECTORY, keys.FORESEEN, keys.ROADS, keys.GATES),
)
USERS = (INGEST, ROUTING, AVAILABILITY)
