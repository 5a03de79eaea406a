"""One run: the machines start, people and lots live, the nemesis strikes, all is mended, and everything is checked."""

import asyncio
import contextlib
import json
import random
import sys
import time
import traceback
from collections.abc import Coroutine, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from asyncpg import InterfaceError, PostgresError

from bowei.records.failures import StoreFailure
from services.routing.drivers import DriverTokens
from tests.campaign.block import LOTS, QUIET
from tests.campaign.calling import Caller, Request
from tests.campaign.checking import Violation, by_kind, check_all, was_moved
from tests.campaign.disks import can_have_small_disk
from tests.campaign.drivers import Driver
from tests.campaign.faults import NEED_CLOCKS, NEED_DISK, flush_copy
from tests.campaign.history import History
from tests.campaign.ledger import Ledger, deadlocks, differences, kept_for_study, read_ledger
from tests.campaign.lots import CarParks, Reporter
from tests.campaign.machines import OTHERS, Machines, running_machines
from tests.campaign.measuring import measured
from tests.campaign.nemesis import Nemesis, plan
from tests.campaign.watching import watch_copy

_DRIVERS = 36
_CONVERGED_WITHIN_S = 15.0
_ENDED_WITHIN_S = 60.0
_LOOK_EVERY_S = 0.25
_GOES_ON_S = 1.0
_SAY_EVERY_S = 10.0
_VIOLATIONS_SHOWN = 40


def say(text: str) -> None:
    """Tell whoever watches."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


async def run_campaign(
    seed: int, seconds: float, *, own_disk: bool | None = None, evidence: Path | None = None
) -> dict[str, Any]:
    """Run one campaign; give its report.

    `own_disk`: None leaves it to the seed, every other has one. `evidence` is a file for what was asked, answered and
    in the ledger, written where something was violated.
    """
    wanted = seed % 2 == 0 if own_disk is None else own_disk
    has_disk = wanted and can_have_small_disk()
    if wanted and not has_disk:
        say(f"{' and '.join(sorted(NEED_DISK))} are left out: this user may not make a small disk of its own here")
    say(f"seed {seed}: starting {'with a small disk' if has_disk else ''}")
    async with running_machines(own_disk=has_disk) as machines:
        if machines.clocks is None:
            say(f"{', '.join(sorted(NEED_CLOCKS))} are left out: libfaketime is not installed")
        history = History(machines.clock)
        caller = Caller(machines.urls, history)
        try:
            began_s = time.monotonic()
            await _live(machines, caller, seed, seconds)
            lasted_s = time.monotonic() - began_s
            ledger, violations = await _checked(machines, history)
        finally:
            await caller.close()
    if violations and evidence is not None and ledger is not None:
        asked = [{**asdict(one), "began": history.shown(one.began_s)} for one in history.attempts]
        kept = {"violations": violations, "attempts": asked, "reported": [asdict(one) for one in history.reported]}
        text = json.dumps(kept | kept_for_study(ledger), default=str, ensure_ascii=False)
        await asyncio.to_thread(evidence.write_text, text, "utf-8")
    for kind, details in violations[:_VIOLATIONS_SHOWN]:
        say(f"  VIOLATION {kind}: {details}")
    return measured(history, seed=seed, seconds=lasted_s, violations=violations)


async def _live(machines: Machines, caller: Caller, seed: int, seconds: float) -> None:
    """Let people, lots and the nemesis live so long; then let all of it end by itself."""
    history = caller.history
    calm, stop, mended = asyncio.Event(), asyncio.Event(), asyncio.Event()
    parks = CarParks(history)
    tokens = DriverTokens(machines.driver_key)

    def rng(who: str) -> random.Random:
        return random.Random(f"{seed} {who}")  # noqa: S311 (to be replayed, not secret)

    await Reporter(QUIET, parks, caller, machines.source_key, rng("quiet")).say_once()
    reporters = [Reporter(lot, parks, caller, machines.source_key, rng(lot.lot_id)) for lot in LOTS]
    drivers = [
        Driver(f"s{seed}-driver-{number}", caller, parks, tokens, rng(f"driver {number}")) for number in range(_DRIVERS)
    ]
    nemesis = Nemesis(machines, history)
    async with asyncio.TaskGroup() as living:

        def lives(life: Coroutine[None, None, None]) -> "asyncio.Task[None]":
            return living.create_task(_told(life))

        try:
            blows = plan(seed, own_disk=machines.disk is not None, own_clocks=machines.clocks is not None)
            striking = lives(nemesis.run(blows, calm))
            people = [lives(driver.run(stop)) for driver in drivers]
            reporting = [lives(reporter.run(mended)) for reporter in reporters]
            reporting += [
                lives(one.run_passages(mended)) for one, lot in zip(reporters, LOTS, strict=True) if lot.passages
            ]
            watching = [lives(watch_copy(machines, history, mended)), lives(_look(machines, caller, mended))]
            watching.append(lives(_tell(history, mended)))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await calm.wait()
            calm.set()
            await _ended(history, "faults", [striking])
            await asyncio.sleep(_GOES_ON_S)  # so that somebody asks, to see how soon service is back
            stop.set()
            await _ended(history, "people", people)
            mended.set()
            await _ended(history, "lots", [*reporting, *watching])
        finally:
            # Where one failed, all are cancelled; and what loses its cancellation still hears of the end.
            calm.set()
            stop.set()
            mended.set()


async def _ended(history: History, who: str, lives: Sequence["asyncio.Task[None]"]) -> None:
    """Wait for their end; whoever does not come to one is ended, and that is a violation."""
    _, going_on = await asyncio.wait(lives, timeout=_ENDED_WITHIN_S)
    if going_on:
        history.violated("did_not_end", f"{len(going_on)} {who} after {_ENDED_WITHIN_S:g} s")
        for life in going_on:
            life.cancel()


async def _told(life: Coroutine[None, None, None]) -> None:
    """Say at once what went wrong: all others have to end before anybody else can."""
    try:
        await life
    except Exception as error:
        say(f"  the campaign itself failed: {''.join(traceback.format_exception(error))}")
        raise


async def _look(machines: Machines, caller: Caller, stop: asyncio.Event) -> None:
    """Look at what availability and the registry show, as boards and operators do."""
    asked = {
        OTHERS[0]: Request("look_at_lots", "GET", "/v1/lots", "lots"),
        OTHERS[1]: Request("look_at_agreements", "GET", "/v1/lots", "lots", token=machines.admin_token),
    }
    while not stop.is_set():
        for process, request in asked.items():
            await caller.ask(request, process)
        await asyncio.sleep(_LOOK_EVERY_S)


async def _tell(history: History, stop: asyncio.Event) -> None:
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SAY_EVERY_S):
                await stop.wait()
        say(f"  {len(history.faults)} faults, {history.operations} operations, {len(history.unanswered)} unanswered")


async def _checked(machines: Machines, history: History) -> tuple[Ledger | None, list[Violation]]:
    """Wait until the copy equals the ledger, flush it once more in all calm, wait again, and check everything.

    A ledger that can't be read any more is None, and as violated as can be.
    """
    found = await _lasting_differences(machines)
    if not found:
        await flush_copy(machines)
        found = await _lasting_differences(machines)
    try:
        ledger = await read_ledger(machines.database_url)
    except (OSError, PostgresError, InterfaceError) as error:
        return None, [*history.violations, ("ledger_lost", f"{type(error).__name__}: {error}")]
    violations = [("copy_differs", difference) for difference in found]
    violations += [("unanswered", what) for what in history.unanswered]
    violations += check_all(history, ledger)
    violations += [("deadlock", line) for line in deadlocks(machines.folder.log("postgres"))]
    moved = sum(was_moved(row) for row in ledger.holds.values())
    counted = f"{len(ledger.holds)} holds ({moved} moved), {len(ledger.steps)} steps checked"
    say(f"  {counted}: {by_kind(violations) or 'no violations'}")
    return ledger, violations


async def _lasting_differences(machines: Machines) -> list[str]:
    """Give what still differs after the time that the copy has to become equal."""
    since_s = time.monotonic()
    while found := await _differences(machines):
        if time.monotonic() - since_s > _CONVERGED_WITHIN_S:
            say("  NOT converged")
            return found
        await asyncio.sleep(0.2)
    say(f"  converged after {time.monotonic() - since_s:.1f} s")
    return []


async def _differences(machines: Machines) -> list[str]:
    try:
        return await differences(machines.database_url, machines.valkeys[0].place.url)
    except (StoreFailure, OSError, PostgresError, InterfaceError) as error:
        return [f"the ledger is away: {type(error).__name__}"]
