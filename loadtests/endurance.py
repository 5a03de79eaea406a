"""Five minutes of a mega-city: 5,000 observations/s from 10,000 lots in requests of 20, and nothing lost; then a burst.

python -m loadtests endurance    not among the benches that run when none is named: it takes as long as it says
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from loadtests.account import Row
from loadtests.city import City, analyze, lot_id, running_city, settled
from loadtests.driving import PER_REQUEST, Run, drive, in_ms
from loadtests.sending import Phase, Sent, quantile

OBSERVATIONS_PER_S = 5_000
_CALM = OBSERVATIONS_PER_S / PER_REQUEST
_LONGEST_LAG_S = 0.5
_KEPT = frozenset({"applied", "stale", "quarantined"})
_MEMORY_MIB = 64.0
"""How much a service may grow in a run: caches fill; a leak of 1 KiB a request would be 75 MiB in five minutes."""

_BEFORE_S, _BURST_S, _AFTER_S = 5.0, 5.0, 30.0
_TIMES = 10
_BURST_CONNECTIONS = 2_000
"""So many that what is offered at once is more than may be under way."""
_RECOVERED_S = 10.0


@dataclass(frozen=True, slots=True)
class Burst:
    """What became of a burst, and of what came after it."""

    answers: Counter[tuple[int, str]]
    """Of the requests of the burst: how many were answered with which status and code; (0, ""): not at all."""
    polite: float
    """The share of its refusals that are a 503 with a time to come back."""
    recovered_s: float
    """How long after its end until every later request was taken in within half a second; the last if none was."""


async def measure(seconds: float = 300.0) -> list[Row]:
    """Run for so long, and check that each acknowledged item is in history."""
    async with running_city() as city:
        await settled(5.0)
        await drive(city, [Phase(5.0, _CALM)])  # plans, caches, partitions
        await analyze(city.database_url)  # what was empty is not any more
        run = await drive(city, [Phase(seconds, _CALM)])
        stormed = await drive(
            city,
            [Phase(_BEFORE_S, _CALM), Phase(_BURST_S, _CALM, per_request=_TIMES * PER_REQUEST), Phase(_AFTER_S, _CALM)],
            connections=_BURST_CONNECTIONS,
            punctual=False,
        )
        lost = await lost_items(city, [*run.sent, *stormed.sent])
    burst = burst_of(stormed.sent)
    say(run, seconds, lost)
    refused = {f"{status} {code}".strip(): count for (status, code), count in sorted(burst.answers.items())}
    print(
        f"burst of {_TIMES} times as many for {_BURST_S:.0f} s: {refused}; recovered {burst.recovered_s:.1f} s after it"
    )
    lags, answered = run.lags_s(), run.statuses[200] / len(run.sent)
    grown = max(run.grown_mib[name] for name in ("ingest", "availability"))
    return [
        Row(
            "requests answered 200",
            "requests due",
            answered,
            1.0,
            (answered, answered),
            note=f"{len(run.sent)} requests",
        ),
        Row("acknowledged and not in history", "none", float(lost), 0.0, (lost, lost), lower_is_better=True),
        Row(
            f"receive → visible, p99 at {OBSERVATIONS_PER_S}/s for {seconds:.0f} s",
            "500 ms",
            quantile(lags, 0.99) / _LONGEST_LAG_S,
            1.0,
            (lags[0] / _LONGEST_LAG_S, lags[-1] / _LONGEST_LAG_S),
            lower_is_better=True,
            note=in_ms(lags),
        ),
        Row("memory grown, MiB", f"{_MEMORY_MIB:.0f} MiB", grown / _MEMORY_MIB, 1.0, (0, grown), lower_is_better=True),
        Row(
            f"burst of {_TIMES} times as many: refusals with a time to come back",
            "all refusals",
            burst.polite,
            1.0,
            (burst.polite, burst.polite),
            note=str(refused),
        ),
        Row(
            "after the burst: until all is taken in within 0.5 s again",
            f"{_RECOVERED_S:.0f} s",
            burst.recovered_s / _RECOVERED_S,
            1.0,
            (burst.recovered_s, burst.recovered_s),
            lower_is_better=True,
            note=f"{burst.recovered_s:.1f} s",
        ),
    ]


def burst_of(sent: Sequence[Sent]) -> Burst:
    """Tell the burst, the requests that are larger, from what came before and after."""
    burst = [one for one in sent if one.items > PER_REQUEST]
    refused = [one for one in burst if one.status != 200]
    ended_ms = max(one.due_ms for one in burst)
    slow_ms = [
        one.due_ms
        for one in sent
        if one.due_ms > ended_ms and not (one.status == 200 and one.answered_s - one.due_ms / 1000 <= _LONGEST_LAG_S)
    ]
    return Burst(
        Counter((one.status, one.code) for one in burst),
        sum(one.status == 503 and one.retry_after_s > 0 for one in refused) / len(refused) if refused else 1.0,
        (max(slow_ms) - ended_ms) / 1000 if slow_ms else 0.0,
    )


def say(run: Run, seconds: float, lost: int) -> None:
    """Print what happened."""
    late = f"{run.lateness.p99_s * 1000:.1f} ms late (p99)"
    print(f"sent {len(run.sent)} requests of {PER_REQUEST} in {seconds:.0f} s, {late}")
    print(f"answers {dict(run.statuses)}; items {dict(run.results)}; acknowledged and not in history: {lost}")
    print(f"due → answered {in_ms(run.waits_s())}; due → visible {in_ms(run.lags_s())}")
    cores = {name: f"{used / run.took_s:.2f}" for name, used in run.cpu_s.items()}
    print(f"cores used {cores}, by the generator {run.lateness.cpu_s / run.took_s:.2f}")
    print(f"processor time for an item, µs { ({name: round(used, 1) for name, used in run.us_per_item().items()}) }")
    print(f"memory grown, MiB { ({name: round(grown) for name, grown in run.grown_mib.items()}) }", flush=True)


async def lost_items(city: City, sent: Sequence[Sent]) -> int:
    """Count the acknowledged items that are neither in history nor were said to be known before."""
    acknowledged = [
        (lot_id(one.first_lot + place), one.due_ms)
        for one in sent
        for place, result in enumerate(one.results)
        if result in _KEPT
    ]
    connection = await asyncpg.connect(city.database_url, command_timeout=300)
    try:
        await connection.execute('CREATE TEMPORARY TABLE acknowledged (lot_id text COLLATE "C", at_ms bigint)')
        await connection.copy_records_to_table("acknowledged", records=acknowledged)
        lost: int = await connection.fetchval(
            """
            SELECT count(*) FROM (
                SELECT lot_id, at_ms FROM acknowledged
                EXCEPT ALL
                SELECT lot_id, round(extract(epoch FROM observed_at) * 1000)::bigint FROM bowei.observation) AS missing
            """
        )
    finally:
        await connection.close()
    return lost
