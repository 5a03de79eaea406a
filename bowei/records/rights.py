"""What each service may do in Postgres: by a role of its own, table by table, and nothing else.

The roles are the operator's to make (docs/operations/database-roles.md); bringing the ledger to a release gives those
that there are their rights anew. A service that connects as the owner of the schema needs none of it.
"""

from collections.abc import Mapping
from types import MappingProxyType

import asyncpg

from bowei.records.connecting import translated

_VERBS = {"r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE"}
"""As Postgres itself abbreviates them. Locking a row takes `w`."""

_AGREED = ("lot", "hospital", "agreement", "lending_window", "calendar", "calendar_day")
"""What the ledger decides by: written by the registry, read by whoever decides."""

REGISTRY, INGEST, ROUTING, AVAILABILITY = "bowei_registry", "bowei_ingest", "bowei_routing", "bowei_availability"

RIGHTS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        REGISTRY: {
            "migration": "r",
            "clock": "r",
            "directory_version": "rw",
            "lot": "raw",
            "hospital": "raw",
            "agreement": "rawd",
            "lending_window": "rad",
            "calendar": "raw",
            "calendar_day": "rad",
            "agreement_version": "rawd",
            "lot_promise": "raw",
            "pool_promise": "rw",
            "source": "raw",
            "source_lot": "rad",
            "source_trust": "rawd",
            "gate_key": "raw",
            "party": "raw",
            "first_code": "rawd",
            "audit": "r",
            "road_version": "rw",
            "road_speed": "rawd",
            "road_line_speed": "rawd",
            "road_closure": "rawd",
            "hold": "r",
            "hold_step": "r",
            "stay": "r",
            "report": "rw",
            "lot_quality": "raw",
            "quality_event": "ra",
            "pending_lot": "rd",
            "heartbeat": "r",
            "reconciliation": "r",
            "passage": "r",
        },
        INGEST: {
            **dict.fromkeys(_AGREED, "r"),
            "clock": "r",
            "directory_version": "rw",
            "source": "rw",
            "source_lot": "r",
            "source_trust": "raw",
            "report": "raw",
            "observation": "ra",
            "observation_undated": "r",
            "observation_day": "r",
            "passage": "rad",
            "hourly": "rawd",
            "hour_due": "rawd",
            "history_mark": "raw",
            "dead_letter": "rawd",
            "lot_quality": "raw",
            "quality_event": "rad",
            "heartbeat": "raw",
            "pending_lot": "rawd",
            "reconciliation": "raw",
            "sensed_lot": "raw",
            "space_sensor": "raw",
            "forecast": "raw",
            "forecast_city": "raw",
            "hold": "rw",
            "hold_step": "ra",
            "stay": "raw",
            "repeat": "a",
            "lot_promise": "rw",
            "pool_promise": "raw",
        },
        ROUTING: {
            **dict.fromkeys(_AGREED, "r"),
            "clock": "r",
            "directory_version": "r",
            "source": "r",
            "source_lot": "r",
            "source_trust": "r",
            "report": "r",
            "passage": "r",
            "lot_promise": "rw",
            "pool_promise": "raw",
            "hold": "raw",
            "hold_step": "ra",
            "stay": "raw",
            "given_up": "rawd",
            "repeat": "rad",
            "barrier_answer": "raw",
            "broken_promise": "r",
            "gate_key": "r",
            "gate_word": "raw",
            "road_version": "r",
            "road_speed": "r",
            "road_line_speed": "r",
            "road_closure": "r",
        },
        AVAILABILITY: {"clock": "r"},
    }
)
"""By role and table (or view)."""

_NOTE_ACT = "note_act(text, text, text, text, text, bytea)"
_FUNCTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        REGISTRY: (_NOTE_ACT,),
        ROUTING: (_NOTE_ACT,),
        INGEST: ("make_day(date)", "drop_day(timestamptz)"),
    }
)
"""What runs with the owner's rights, and so is nobody's but these roles'."""


async def make_roles(url: str) -> None:
    """Make the roles that are missing, as the server's superuser; nobody can sign in as one of these.

    Raises:
        StoreAway: the server can't be reached.
    """
    with translated():
        connection = await asyncpg.connect(url, timeout=5.0, command_timeout=30.0)
        try:
            for role in RIGHTS:
                if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", role):
                    await connection.execute(f"CREATE ROLE {role} NOLOGIN")
        finally:
            await connection.close(timeout=5.0)


def as_role(url: str, role: str) -> str:
    """Give the address under which a session has a role's rights alone, though its user may have more."""
    return f"{url}{'&' if '?' in url else '?'}role={role}"


async def give_rights(connection: asyncpg.Connection) -> list[str]:
    """Give each role that there is its rights, and take all others from it; give the names of the roles.

    Nothing is done by who does not own the schema.
    """
    owned = await connection.fetchval(
        "SELECT pg_has_role(current_user, nspowner, 'USAGE') FROM pg_namespace WHERE nspname = 'bowei'"
    )
    found = await connection.fetch("SELECT rolname FROM pg_roles WHERE rolname = ANY ($1) ORDER BY 1", list(RIGHTS))
    roles = [str(row["rolname"]) for row in found] if owned else []
    for role in roles:
        await connection.execute(_statements(role))
    return roles


def _statements(role: str) -> str:
    lines = [f"REVOKE ALL ON ALL {what} IN SCHEMA bowei FROM {role}" for what in ("TABLES", "SEQUENCES", "FUNCTIONS")]
    lines.append(f"GRANT USAGE ON SCHEMA bowei TO {role}")
    for table, letters in RIGHTS[role].items():
        lines.append(f"GRANT {', '.join(_VERBS[letter] for letter in letters)} ON bowei.{table} TO {role}")
    lines += [f"GRANT EXECUTE ON FUNCTION bowei.{name} TO {role}" for name in _FUNCTIONS.get(role, ())]
    if role == INGEST:
        lines.append(f"GRANT USAGE ON SEQUENCE bowei.observation_number TO {role}")
    return ";\n".join(lines)
