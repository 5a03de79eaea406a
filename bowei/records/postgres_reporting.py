"""The journal in Postgres: reports that arrive together are recorded by one commit (migrations/0014)."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from itertools import repeat
from typing import TypeVar

import asyncpg
import msgspec
from typing_extensions import override

from bowei.domain.dirt import Dirt, Doubt
from bowei.domain.lots import LotId, SpaceClass
from bowei.domain.observations import Bound, LotState, Observation, Outcome, Passage, PassageKind
from bowei.domain.offering import Report
from bowei.records.array_texts import array_of_instants, array_of_integers, array_of_texts
from bowei.records.connecting import Borrow, acquired, kept, translated
from bowei.records.group_commit import Commit, GroupCommit
from bowei.records.reporting import Judged, Recorded, ReportJournal

_Value = TypeVar("_Value")
_TIMEOUT_S = 5.0
_RECORD = """
    SELECT * FROM bowei.record_observations(
        lots => $1::text::text[], observed => $2::text::timestamptz[], seqs => $3::text::bigint[],
        sources => $4::text::text[], capacities => $5::text::integer[], opens => $6::text::integer[],
        frees => $7::text::integer[], states => $8::text::text[], more => $9::text::jsonb[], codes => $10::text::text[])
"""
_OPEN, _EXACT = LotState.OPEN, Bound.EXACT
_ITEMS_AT_ONCE = 1_000
_ITEMS_WAITING = 40_000
_BY_CLASS = msgspec.json.Decoder(dict[SpaceClass, int])
_APPLIED = Outcome.APPLIED
_OUTCOMES = {str(outcome): outcome for outcome in Outcome}
_STATES = {str(state): state for state in LotState}


class PostgresReportJournal(ReportJournal):
    """The journal. Requests share commits; within one, reports of the same lot keep their order."""

    def __init__(self, pool: asyncpg.Pool, *, writers: int = 2, queue_limit: int = 2_000) -> None:
        self._pool = pool
        self._recording: GroupCommit[Sequence[Judged], Sequence[Recorded]] = GroupCommit(
            self._writing,
            keys=lambda judged: {one.observation.lot_id for one in judged},
            lane=lambda judged: judged[0].observation.source_id if judged else "",
            writers=writers,
            most=50,
            weigh=len,
            most_weight=_ITEMS_AT_ONCE,
            weight_limit=_ITEMS_WAITING,
            queue_limit=queue_limit,
        )

    async def close(self) -> None:
        """Let commits in flight finish."""
        await self._recording.close()

    @override
    async def record(self, judged: Sequence[Judged]) -> Sequence[Recorded]:
        return await self._recording.submit(judged)

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[Commit[Sequence[Judged], Sequence[Recorded]]]:
        async with kept(self._pool) as borrow:
            yield partial(self._record_batch, borrow)

    async def _record_batch(self, borrow: Borrow, batch: Sequence[Sequence[Judged]]) -> Sequence[Sequence[Recorded]]:
        flat = [one for judged in batch for one in judged]
        answers: list[Recorded | None] = [None] * len(flat)
        async with borrow() as connection:
            with translated():
                rounds = _rounds(flat)
                if len(rounds) == 1:
                    await _record_round(connection, flat, rounds[0], answers)
                else:
                    async with connection.transaction():
                        for positions in rounds:
                            await _record_round(connection, flat, positions, answers)
        done = iter(answers)
        return [[answer for _ in judged if (answer := next(done)) is not None] for judged in batch]

    @override
    async def record_passage(self, passage: Passage, *, moves_count: bool) -> Recorded:
        async with acquired(self._pool) as connection:
            with translated():
                row = await connection.fetchrow(
                    "SELECT * FROM bowei.note_passage($1, $2, $3, $4, $5, $6, $7, $8)",
                    passage.lot_id,
                    passage.passage_id,
                    str(passage.kind),
                    passage.passed_at,
                    passage.source_id,
                    passage.plate_hashes,
                    moves_count,
                    passage.shared,
                    timeout=_TIMEOUT_S,
                )
        assert row is not None  # noqa: S101 (the function always gives one row)
        return Recorded(passage.lot_id, Outcome(row["outcome"]), _report(row["report"]))

    @override
    async def passage_ids(
        self, lot_id: LotId, kind: PassageKind, since: datetime, until: datetime, *, most: int
    ) -> Sequence[str]:
        async with acquired(self._pool) as connection:
            with translated():
                rows = await connection.fetch(
                    """
                    SELECT p.passage_id FROM bowei.passage p
                    WHERE p.lot_id = $1 AND p.kind = $2 AND p.passed_at >= $3 AND p.passed_at < $4
                    ORDER BY p.passed_at, p.passage_id LIMIT $5
                    """,
                    lot_id,
                    str(kind),
                    since,
                    until,
                    most,
                    timeout=_TIMEOUT_S,
                )
        return [row["passage_id"] for row in rows]

    @override
    async def set_doubt(self, lot_id: LotId, doubt: Doubt | None) -> Report | None:
        async with acquired(self._pool) as connection:
            with translated():
                row = await connection.fetchrow(
                    "SELECT * FROM bowei.set_doubt($1, $2)", lot_id, _name(doubt), timeout=_TIMEOUT_S
                )
        return _report(row)

    @override
    async def reports(self) -> Mapping[LotId, Report]:
        async with acquired(self._pool) as connection:
            with translated():
                rows = await connection.fetch("SELECT r FROM bowei.report r", timeout=_TIMEOUT_S)
        found: dict[LotId, Report] = {}
        for row in rows:
            report = _report(row["r"])
            if report is not None:
                found[LotId(row["r"]["lot_id"])] = report
        return found

    @override
    async def now(self) -> datetime:
        async with acquired(self._pool) as connection:
            with translated():
                now: datetime = await connection.fetchval("SELECT bowei.now()", timeout=_TIMEOUT_S)
        return now


def _rounds(flat: Sequence[Judged]) -> list[list[int]]:
    """Split into rounds in which each lot stands once, keeping each lot's order."""
    if len({one.observation.lot_id for one in flat}) == len(flat):
        return [list(range(len(flat)))]
    rounds: list[list[int]] = []
    times: dict[LotId, int] = {}
    for position, one in enumerate(flat):
        lot_id = one.observation.lot_id
        number = times.get(lot_id, 0)
        times[lot_id] = number + 1
        if number == len(rounds):
            rounds.append([])
        rounds[number].append(position)
    return rounds


async def _record_round(
    connection: asyncpg.pool.PoolConnectionProxy,
    flat: Sequence[Judged],
    positions: Sequence[int],
    answers: list[Recorded | None],
) -> None:
    judged = [flat[position] for position in positions]
    taken = [one.taken for one in judged]
    row = await connection.fetchrow(
        _RECORD,
        array_of_texts([one.lot_id for one in taken]),
        array_of_instants([one.observed_at for one in taken]),
        _unless_none(array_of_integers, [one.seq for one in taken]),
        array_of_texts([one.source_id for one in taken]),
        array_of_integers([one.capacity for one in taken]),
        array_of_integers([one.open for one in taken]),
        array_of_integers([one.free for one in taken]),
        _unless_none(array_of_texts, [None if one.state is _OPEN else one.state.value for one in taken]),
        _unless_none(array_of_texts, [_more(one, what) for one, what in zip(judged, taken, strict=True)]),
        _unless_none(array_of_texts, [one.code for one in judged]),
        timeout=_TIMEOUT_S,
    )
    assert row is not None  # noqa: S101 (the function always gives one row)
    of_lot = {what.lot_id: (position, one, what) for position, one, what in zip(positions, judged, taken, strict=True)}
    added = zip(row["usual_gaps"] or (), row["doubts"] or repeat(None), row["revisions"] or repeat(0), strict=False)
    for lot_id, (usual_gap, doubt, revision) in zip(row["applied"] or (), added, strict=True):
        position, one, what = of_lot[lot_id]
        report = _applied(
            one.observation.observed_at, what, row["latest"], row["received_at"], usual_gap, doubt, revision
        )
        answers[position] = Recorded(lot_id, _APPLIED, report)
    for lot_id, outcome, known in zip(row["others"] or (), row["outcomes"] or (), row["reports"] or (), strict=True):
        answers[of_lot[lot_id][0]] = Recorded(lot_id, _OUTCOMES[outcome], _report(known))


def _applied(
    said_at: datetime,
    taken: Observation,
    latest: datetime,
    received_at: datetime,
    usual_gap: timedelta,
    doubt: str | None,
    revision: int,
) -> Report:
    """Give the report that an applied observation has become: the record says only what it added."""
    observed_at = min(taken.observed_at, latest)
    return Report(
        observed_at=observed_at,
        received_at=received_at,
        seq=taken.seq or 0,
        free=taken.free,
        open=taken.open,
        capacity=taken.capacity,
        state=taken.state,
        usual_gap=usual_gap,
        free_by_class=taken.free_by_class,
        queue_vehicles=taken.queue_vehicles,
        bound=taken.bound,
        dirt=taken.dirt,
        doubt=None if doubt is None else Doubt(doubt),
        revision=revision,
        said_at=None if said_at == observed_at else said_at,
    )


def _unless_none(write: Callable[[Sequence[_Value | None]], str], values: Sequence[_Value | None]) -> str | None:
    return None if values.count(None) == len(values) else write(values)


def _more(judged: Judged, taken: Observation) -> str | None:
    """Write what few reports say, as JSON; None of those that say no more than their counts."""
    said = judged.observation
    if taken is said and judged.doubt is None and _counts_only(said):
        return None
    more = _says(
        _more_counts(taken),
        reset=said.reset or None,
        dirt=f"{{{','.join(sorted(taken.dirt))}}}" if taken.dirt else None,
        doubt=judged.doubt,
        said_at=None if said.observed_at == taken.observed_at else said.observed_at,
        occupied=said.occupied,
        method=said.method,
        raw=None if said.raw is None else _text(said.raw),
    )
    if taken is not said:
        more["said"] = _says(
            _more_counts(said), capacity=said.capacity, open=said.open, free=said.free, state=said.state
        )
    return msgspec.json.encode(more).decode()


def _counts_only(said: Observation) -> bool:
    return (
        said.bound is _EXACT
        and not said.free_by_class
        and said.queue_vehicles is None
        and not said.reset
        and not said.dirt
        and said.occupied is None
        and said.method is None
        and said.raw is None
    )


def _more_counts(said: Observation) -> dict[str, object]:
    return _says(
        {},
        bound=None if said.bound is _EXACT else said.bound,
        by_class=said.free_by_class or None,
        queue=said.queue_vehicles,
    )


def _says(already: dict[str, object], **values: object) -> dict[str, object]:
    """Add the values that there are."""
    return already | {name: value for name, value in values.items() if value is not None}


def _name(doubt: Doubt | None) -> str | None:
    return None if doubt is None else str(doubt)


def _text(raw: str) -> str:
    """Leave out what Postgres keeps in no text: the character 0, and halves of characters."""
    return raw.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def _report(row: asyncpg.Record | None) -> Report | None:
    if row is None or row["lot_id"] is None:
        return None
    return Report(
        observed_at=row["observed_at"],
        received_at=row["received_at"],
        seq=row["seq"],
        free=row["free"],
        open=row["open"],
        capacity=row["capacity"],
        state=_STATES[row["state"]],
        usual_gap=row["usual_gap"],
        free_by_class={} if row["free_by_class"] == "{}" else _BY_CLASS.decode(row["free_by_class"]),
        queue_vehicles=row["queue_vehicles"],
        bound=Bound(row["bound"]),
        dirt=frozenset(Dirt(name) for name in row["dirt"]),
        doubt=None if row["doubt"] is None else Doubt(row["doubt"]),
        refused=None if row["refused"] is None else Dirt(row["refused"]),
        revision=row["revision"],
        said_at=row["said_at"],
    )
