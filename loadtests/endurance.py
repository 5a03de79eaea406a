"""Five minutes of a mega-city: 5,000 observations/s from 10,000 lots in requests of 20, and nothing lost.

python -m loadtests endurance    not among the benches that run when none is named: it takes as long as it says
"""

from collections.abc import Sequence

import asyncpg

from loadtests.account import Row
from loadtests.city import City, lot_id, running_city, settled
from loadtests.driving import PER_REQUEST, Run, drive, in_ms
from loadtests.sending import Phase, Sent, quantile

OBSERVATIONS_PER_S = 5_000
_LONGEST_LAG_S = 0.5
_KEPT = frozenset({"applied", "stale", "quarantined"})
_MEMORY_MIB = 64.0
"""How much a service may grow in a run: caches fill; a leak of 1 KiB a request would be 75 MiB in five minutes."""


async def measure(seconds: float = 300.0) -> list[Row]:
    """Run for so long, and check that each acknowledged item is in history."""
    async with running_city() as city:
        await settled(5.0)
        run = await drive(city, [Phase(seconds, OBSERVATIONS_PER_S / PER_REQUEST)])
        lost = await lost_items(city, run.sent)
    say(run, seconds, lost)
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
    ]


def say(run: Run, seconds: float, lost: int) -> None:
    """Print what happened."""
    late = f"{run.lateness.p99_s * 1000:.1f} ms late (p99)"
    print(f"sent {len(run.sent)} requests of {PER_REQUEST} in {seconds:.0f} s, {late}")
    print(f"answers {dict(run.statuses)}; items {dict(run.results)}; acknowledged and not in history: {lost}")
    print(f"due → answered {in_ms(run.waits_s())}; due → visible {in_ms(run.lags_s())}")
    cores = {name: f"{used / run.took_s:.2f}" for name, used in run.cpu_s.items()}
    print(f"cores used {cores}, by the generator {run.lateness.cpu_s / run.took_s:.2f}")
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
