"""The journal in Postgres: reports that arrive together are recorded by one commit (migrations/0014)."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial

import asyncpg
import msgspec
from typing_extensions import override

from bowei.domain.dirt import Dirt, Doubt
from bowei.domain.lots import LotId, SpaceClass
from bowei.domain.observations import Bound, LotState, Observation, Outcome, Passage, PassageKind
from bowei.domain.offering import Report
from bowei.records.array_texts import array_of_booleans, array_of_instants, array_of_integers, array_of_texts
from bowei.records.connecting import Borrow, acquired, kept, translated
from bowei.records.group_commit import Commit, GroupCommit
from bowei.records.reporting import Judged, Recorded, ReportJournal

_TIMEOUT_S = 5.0
_RECORD = """
    SELECT * FROM bowei.record_observations(
        lots => $1::text::text[], observed => $2::text::timestamptz[], said_at => $3::text::timestamptz[],
        seqs => $4::text::bigint[], sources => $5::text::text[],
        capacities => $6::text::integer[], opens => $7::text::integer[], frees => $8::text::integer[],
        bounds => $9::text::text[], states => $10::text::text[], by_class => $11::text::jsonb[],
        queues => $12::text::integer[],
        said_capacities => $13::text::integer[], said_opens => $14::text::integer[], said_frees => $15::text::integer[],
        said_bounds => $16::text::text[], said_states => $17::text::text[], said_by_class => $18::text::jsonb[],
        said_queues => $19::text::integer[], said_occupied => $20::text::integer[], methods => $21::text::text[],
        resets => $22::text::boolean[], dirts => $23::text::text[], raws => $24::text::text[],
        doubts => $25::text::text[], codes => $26::text::text[])
"""
_COUNTS = 7
"""How many arrays say what was counted."""
_EXACT = Bound.EXACT
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
                    "SELECT * FROM bowei.record_passage($1, $2, $3, $4, $5, $6, $7, $8)",
                    passage.lot_id,
                    passage.passage_id,
                    str(passage.kind),
                    passage.passed_at,
                    passage.source_id,
                    passage.plate_hash,
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
    said = [one.observation for one in judged]
    taken = [one.taken for one in judged]
    as_said = all(one is other for one, other in zip(said, taken, strict=True))
    nothing = (None,) * _COUNTS
    row = await connection.fetchrow(
        _RECORD,
        array_of_texts([one.lot_id for one in said]),
        array_of_instants([one.observed_at for one in taken]),
        None if as_said else array_of_instants([one.observed_at for one in said]),
        _integers([one.seq for one in said]),
        array_of_texts([one.source_id for one in said]),
        *_counts(taken),
        *(nothing if as_said else _counts(said, whole=True)),
        _integers([one.occupied for one in said]),
        _texts([one.method for one in said]),
        array_of_booleans([one.reset for one in said]) if any(one.reset for one in said) else None,
        _texts([f"{{{','.join(sorted(one.dirt))}}}" if one.dirt else None for one in taken]),
        _texts([None if one.raw is None else _text(one.raw) for one in said]),
        _texts([_name(one.doubt) for one in judged]),
        _texts([one.code for one in judged]),
        timeout=_TIMEOUT_S,
    )
    assert row is not None  # noqa: S101 (the function always gives one row)
    for position, became in _became(judged, row):
        answers[positions[position]] = became


def _became(judged: Sequence[Judged], row: asyncpg.Record) -> Iterator[tuple[int, Recorded]]:
    """Give what became of each, with its place."""
    received_at, applied, gaps, observed, doubted, revisions, others, outcomes, reports = row
    for number, item in enumerate(applied or ()):
        one = judged[item - 1]
        taken, said_at = one.taken, one.observation.observed_at
        observed_at = taken.observed_at if observed is None else observed[item - 1]
        # The report that an applied observation has become: the record says only what it added.
        report = Report(
            observed_at=observed_at,
            received_at=received_at,
            seq=taken.seq or 0,
            free=taken.free,
            open=taken.open,
            capacity=taken.capacity,
            state=taken.state,
            usual_gap=gaps[number],
            free_by_class=taken.free_by_class,
            queue_vehicles=taken.queue_vehicles,
            bound=taken.bound,
            dirt=taken.dirt,
            doubt=None if doubted is None or doubted[number] is None else Doubt(doubted[number]),
            revision=0 if revisions is None else revisions[number],
            said_at=None if said_at == observed_at else said_at,
        )
        yield item - 1, Recorded(one.observation.lot_id, _APPLIED, report)
    for item, outcome, known in zip(others or (), outcomes or (), reports or (), strict=True):
        yield item - 1, Recorded(judged[item - 1].observation.lot_id, _OUTCOMES[outcome], _report(known))


def _counts(observations: Sequence[Observation], *, whole: bool = False) -> tuple[str | None, ...]:
    """Write what was counted; `whole`: what nobody says too, as it is of those who say less than is believed."""
    integers, texts = (array_of_integers, array_of_texts) if whole else (_integers, _texts)
    bounded = whole or any(one.bound is not _EXACT for one in observations)
    return (
        array_of_integers([one.capacity for one in observations]),
        array_of_integers([one.open for one in observations]),
        array_of_integers([one.free for one in observations]),
        array_of_texts([one.bound.value for one in observations]) if bounded else None,
        array_of_texts([one.state.value for one in observations]),
        texts([_json(one.free_by_class) for one in observations]),
        integers([one.queue_vehicles for one in observations]),
    )


def _integers(values: Sequence[int | None]) -> str | None:
    return None if values.count(None) == len(values) else array_of_integers(values)


def _texts(values: Sequence[str | None]) -> str | None:
    return None if values.count(None) == len(values) else array_of_texts(values)


def _json(by_class: Mapping[SpaceClass, int]) -> str | None:
    return msgspec.json.encode(by_class).decode() if by_class else None


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
