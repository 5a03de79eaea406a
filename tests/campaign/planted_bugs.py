"""Planted bugs: mistakes that somebody could make in earnest, each as changes of text to a copy of the program.

Nothing of this is in the product: no switch, no hook. `tests.campaign.mutants` runs them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Catcher = Literal["campaign", "histories"]

_LEDGER = "bowei/records/migrations/0001_ledger.sql"
_PROMISING = "bowei/records/migrations/0002_promising.sql"
_CHOOSING = "bowei/records/migrations/0012_choosing.sql"
_BELIEF = "bowei/records/migrations/0006_belief.sql"
_RECORDING = "bowei/records/migrations/0014_recording.sql"
_HOLDING = "bowei/records/postgres_holding.py"
_CONNECTING = "bowei/records/connecting.py"


@dataclass(frozen=True, slots=True)
class Change:
    """One change of text: wherever `old` stands in the file, `new` comes in its place."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class PlantedBug:
    """A mistake, and who must catch it."""

    name: str
    mistake: str
    caught_by: Catcher
    changes: tuple[Change, ...]


_COMMIT_LATER = """
        import asyncio
        with translated():
            connection = await self._pool.acquire(timeout=2.0)
            transaction = connection.transaction()
            try:
                await transaction.start()
                rows = await connection.fetch(statement, *arguments, timeout=_COMMIT_TIMEOUT_S)
            except BaseException:
                connection.terminate()
                await self._pool.release(connection)
                raise

        async def commit_later() -> None:
            try:
                await asyncio.sleep(0.05)
                await transaction.commit()
            except Exception:
                connection.terminate()
            finally:
                await self._pool.release(connection)

        asyncio.ensure_future(commit_later())
        return rows
"""

_FETCH = (
    "    async def _fetch(self, statement: str, *arguments: object, borrow: Borrow | None = None)"
    " -> list[asyncpg.Record]:\n"
)
_DUE = "WHERE lot_id = ANY (lots) AND state = 'held' AND expires_at <= at\n"
_LOCK_LOTS = "PERFORM 1 FROM bowei.lot_promise WHERE lot_id = ANY (lots) ORDER BY lot_id FOR UPDATE;"
_LOCK_LOTS_OF_ONE = "        ORDER BY l.lot_id FOR UPDATE);"
_TOMBSTONE = "LEFT JOIN bowei.given_up g ON g.diversion_id = q.diversion_id"

PLANTED_BUGS = (
    PlantedBug(
        "early_acknowledgement",
        "holds are answered first and committed 50 ms later",
        "campaign",
        (Change(_HOLDING, _FETCH, _FETCH + _COMMIT_LATER),),
    ),
    PlantedBug(
        "asynchronous_commit",
        "Postgres answers before its log is on the disk",
        "campaign",
        (
            Change(_CONNECTING, '"timezone": "UTC",', '"timezone": "UTC", "synchronous_commit": "off",'),
            Change(_CONNECTING, "        if value in unsafe:", "        if value in ():"),
        ),
    ),
    PlantedBug(
        "unsynced_log",
        "Postgres leaves it to the kernel when its log reaches the disk",
        "campaign",
        (
            Change("services/local/servers/postgres_server.py", '"fsync": "on"', '"fsync": "off"'),
            Change(_CONNECTING, "        if value in unsafe:", "        if value in ():"),
        ),
    ),
    PlantedBug(
        "no_idempotency",
        "a repeated id is taken for a new request",
        "campaign",
        (Change(_CHOOSING, "WHEN replaced[q.i] IS NULL AND h.diversion_id IS NOT NULL THEN", "WHEN false THEN"),),
    ),
    PlantedBug(
        "body_not_compared",
        "another body under the same id gets the old answer",
        "campaign",
        (Change(_CHOOSING, "WHEN h.request_hash <> q.request_hash THEN 'id_reused' ELSE", "ELSE"),),
    ),
    PlantedBug(
        "no_version_check",
        "the copy takes whatever is written last, newer or not",
        "campaign",
        (
            Change(
                "bowei/livestate/scripts/set_if_newer.lua",
                "if not there or string.sub(there, 1, width) < string.sub(value, 1, width) then",
                "if true then",
            ),
        ),
    ),
    PlantedBug(
        "no_rebuild",
        "the follower copies everything once, and never again whatever became of the server",
        "campaign",
        (
            Change(
                "services/routing/following.py",
                "if self._cursor is None or not await self._live.promises_copied(ledger):",
                "if self._cursor is None:",
            ),
        ),
    ),
    PlantedBug(
        "arrival_frees_the_space",
        "an arrived car is settled by any report, also one from before it arrived",
        "campaign",
        (Change(_PROMISING, "r.counted_at > h.arrived_at", "r.counted_at IS NOT NULL"),),
    ),
    PlantedBug(
        "repeated_passage_counts",
        "a passage that is sent twice moves the count twice",
        "histories",
        (
            Change(
                _BELIEF,
                "as_shared) ON CONFLICT DO NOTHING;\n    IF NOT FOUND THEN",
                "as_shared) ON CONFLICT DO NOTHING;\n    IF false THEN",
            ),
        ),
    ),
    PlantedBug(
        "expiry_off_by_one",
        "at the very instant of its end a hold still lasts",
        "histories",
        (Change(_PROMISING, _DUE, _DUE.replace("<=", "<")),),
    ),
    PlantedBug(
        "expires_early",
        "holds end 20 s before the driver was told",
        "campaign",
        (Change(_PROMISING, _DUE, _DUE.replace("<= at", "<= at + interval '20 seconds'")),),
    ),
    PlantedBug(
        "no_locks_and_no_check",
        "lots are not locked, and the schema would not refuse what comes of it",
        "campaign",
        (
            Change(_PROMISING, _LOCK_LOTS, "PERFORM 1;"),
            Change(_CHOOSING, _LOCK_LOTS_OF_ONE, _LOCK_LOTS_OF_ONE.replace(" FOR UPDATE", "")),
            Change(_CHOOSING, "ORDER BY p.lot_id FOR UPDATE SKIP LOCKED", "ORDER BY p.lot_id"),
            Change(_LEDGER, "CHECK (held BETWEEN 0 AND capacity)", "CHECK (true)"),
        ),
    ),
    PlantedBug(
        "no_lock_order",
        "every connection locks lots in an order of its own",
        "campaign",
        (
            Change(_PROMISING, _LOCK_LOTS, _LOCK_LOTS.replace("BY lot_id", "BY md5(lot_id || pg_backend_pid())")),
            Change(
                _CHOOSING,
                _LOCK_LOTS_OF_ONE,
                _LOCK_LOTS_OF_ONE.replace("BY l.lot_id", "BY md5(l.lot_id || pg_backend_pid())"),
            ),
        ),
    ),
    PlantedBug(
        "no_tombstone",
        "that an id was given up before it was granted is forgotten",
        "campaign",
        (Change(_CHOOSING, _TOMBSTONE, f"{_TOMBSTONE} AND false"),),
    ),
    PlantedBug(
        "extended_again_and_again",
        "a hold may be kept longer any number of times",
        "histories",
        (
            Change(_PROMISING, "ELSIF h.extended_by IS NOT NULL THEN", "ELSIF false THEN"),
            Change(_PROMISING, "'extended', clock_at);", "'extended', clock_at) ON CONFLICT DO NOTHING;"),
        ),
    ),
    PlantedBug(
        "expiry_keeps_the_count",
        "an expired hold is still counted as held",
        "campaign",
        (
            Change(
                _PROMISING,
                "PERFORM bowei.adjust(ended.lots, ended.agreements, ended.classes, ended.minus, ended.zero);",
                "PERFORM 1;",
            ),
        ),
    ),
    PlantedBug(
        "older_report_wins",
        "a report that comes late is believed over a newer one",
        "campaign",
        (
            Change(
                _RECORDING,
                "WHERE (excluded.observed_at, excluded.seq) > (r.observed_at, r.seq)\n",
                "WHERE true OR (excluded.observed_at, excluded.seq) > (r.observed_at, r.seq)\n",
            ),
        ),
    ),
    PlantedBug(
        "anybody_may_act",
        "whoever knows an id may arrive, extend and give up for its driver",
        "campaign",
        (
            Change(
                _PROMISING,
                "WHERE diversion_id = id AND (driver IS NULL OR driver_id = driver) ORDER BY ordinal DESC LIMIT 1;",
                "WHERE diversion_id = id ORDER BY ordinal DESC LIMIT 1;",
            ),
        ),
    ),
    PlantedBug(
        "reports_acknowledged_unrecorded",
        "with the ledger away reports are shown, acknowledged, and not kept",
        "campaign",
        (
            Change(
                "services/ingest/receiving.py",
                "            raise\n        await self._show_recorded(recorded)\n",
                "            return [Recorded(one.observation.lot_id, Outcome.APPLIED, None) for one in judged]\n"
                "        await self._show_recorded(recorded)\n",
            ),
        ),
    ),
    PlantedBug(
        "future_by_own_clock",
        "what a lot reports is turned away as future by the clock of the process that was asked",
        "campaign",
        (
            Change(
                "services/ingest/receiving.py",
                "await self._journal.now() if max(said_at, default=now) > now + FUTURE_TOLERANCE else now",
                "now",
            ),
        ),
    ),
    PlantedBug(
        "token_from_the_future",
        "a driver's token does not open where the clock is behind the one that made it",
        "campaign",
        (
            Change(
                "services/routing/drivers.py",
                "abs(datetime.now(UTC) - made_at) > TOKEN_LIFETIME",
                "not timedelta() <= datetime.now(UTC) - made_at <= TOKEN_LIFETIME",
            ),
        ),
    ),
)
"""In the order of docs/reliability.md."""


def changed_files(bug: PlantedBug, texts: Mapping[str, str]) -> dict[str, str]:
    """Give the changed text of every file that the bug changes, from `texts` by file.

    Raises:
        ValueError: the program no longer has the place; the bug must be planted anew.
    """
    changed: dict[str, str] = {}
    for change in bug.changes:
        text = changed.get(change.file, texts[change.file])
        if change.old not in text:
            raise ValueError(f"{bug.name}: {change.file} has no such place: {change.old}")
        changed[change.file] = text.replace(change.old, change.new)
    return changed
