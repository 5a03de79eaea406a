"""`bowei demo`: all of it, from an empty folder to Ctrl-C, and what came of it."""

import asyncio
import json
import signal
import time
import webbrowser
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live

from bowei.records.failures import StoreFailure
from bowei.records.postgres_holding import PostgresHoldBook
from services.local.data_folder import open_data_folder
from services.local.demo.living import Life, connected, new_life
from services.local.demo.pace import Pace
from services.local.demo.scene import SceneName, load_scene
from services.local.demo.screen import (
    Screen,
    addresses,
    console_for,
    gate_address,
    operator_address,
    pages_to_open,
    progress_line,
)
from services.local.demo.secrets_folder import citybrain_key, public_pem
from services.local.demo.starting import OPERATOR, City, running_city
from services.local.setup_problem import SetupProblem

_SAY_EVERY_S = 5.0
_FRAMES_A_SECOND = 4
_LEDGER_WITHIN_S = 10.0
_CITYBRAIN_SOURCES = ("citybrain-in77", "citybrain-example")
_STOPPED = 130
_NOT_ASKED = -1
"""A ledger that could not be asked is not said to be sound."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """How to run the demo. `seconds` is real time; None runs until Ctrl-C."""

    data: Path
    scene: SceneName = "hangzhou"
    speed: float = 60.0
    seed: str = "1"
    seconds: float | None = None
    as_json: bool = False
    open_browser: bool = False


def run_demo(options: DemoOptions) -> int:
    """Run the demo; give the command's exit code: 1 if a promise was broken or the machine is not ready."""
    console = console_for(as_json=options.as_json)
    try:
        return asyncio.run(_until_told(_demo(options, console)))
    except SetupProblem as problem:
        console.print(f"[bold]{problem.what}[/bold]\n{problem.fix}", highlight=False)
        return 1


async def _until_told(demo: Coroutine[Any, Any, int]) -> int:
    """Run until it ends by itself, or a signal cancels it: then everything is stopped in order."""
    task = asyncio.create_task(demo)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        return _STOPPED


async def _demo(options: DemoOptions, console: Console) -> int:
    def say(line: str) -> None:
        console.print(line, highlight=False, markup=False, soft_wrap=True)

    with open_data_folder(options.data) as data:
        key = citybrain_key(data)
        scene = load_scene(options.scene, dict.fromkeys(_CITYBRAIN_SOURCES, public_pem(key)))
        async with running_city(data, scene, options.speed, say) as city:
            hospital_id = scene.hospitals[0].hospital_id
            console.print(addresses(city.urls, hospital_id, city.processes.pids()))
            # In one line, however narrow the terminal is, so that it can be clicked and copied.
            say(f"Gate console 控制台: {gate_address(city.urls, hospital_id, city.gate_key)}")
            operator = operator_address(city.urls, OPERATOR, city.operator_secret)
            say(f"Lot operator 经营方: {operator}")
            if options.open_browser:
                for address in pages_to_open(city.urls, hospital_id, city.gate_key, operator):
                    webbrowser.open(address)
            pace = Pace(city.clock, options.speed)
            async with connected(*(city.urls[name] for name in ("ingest", "routing", "availability"))) as clients:
                life = new_life(scene, pace, clients, dict(city.source_keys), key, options.seed)
                began_at, began_s = pace.now(), time.monotonic()
                await _live(life, city, options, console)
                shown_minutes = (pace.now() - began_at).total_seconds() / 60
                summary = await _summary(life, city, options, shown_minutes, time.monotonic() - began_s)
    return _conclude(summary, life, options, console)


async def _live(life: Life, city: City, options: DemoOptions, console: Console) -> None:
    """Let the world live for the time given, or until Ctrl-C, or until a service can't be kept running."""
    living = asyncio.create_task(life.run())
    gave_up = asyncio.create_task(city.processes.gave_up())
    showing = asyncio.create_task(_show(life, options, console))
    tasks: list[asyncio.Task[Any]] = [living, gave_up, showing]
    try:
        done, _ = await asyncio.wait(tasks, timeout=options.seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            problem = task.result()
            if isinstance(problem, SetupProblem):
                raise problem
    except asyncio.CancelledError:
        # Ctrl-C ends the world; what it counted is still told, and a second one ends that too.
        current = asyncio.current_task()
        if current is not None:
            current.uncancel()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _show(life: Life, options: DemoOptions, console: Console) -> None:
    if console.is_terminal and not options.as_json:
        screen = Screen(life.world, life.figures, life.looking.shown, options.seed)
        with Live(screen, console=console, refresh_per_second=_FRAMES_A_SECOND, screen=False):
            await asyncio.Event().wait()
    zone = next(iter(life.world.parks.values())).lot.zone
    while True:
        await asyncio.sleep(_SAY_EVERY_S)
        console.print(progress_line(life.world, life.figures, zone), highlight=False, soft_wrap=True)


async def _summary(life: Life, city: City, options: DemoOptions, shown_minutes: float, real_s: float) -> dict[str, Any]:
    """Give what came of it: the world's figures, and beside them what the ledger says of itself."""
    book = PostgresHoldBook(city.pool)
    try:
        async with asyncio.timeout(_LEDGER_WITHIN_S):
            violations = len(await book.broken_promises())
    except (StoreFailure, TimeoutError):
        violations = _NOT_ASKED
    parks = life.world.shared_parks()
    return {
        "scene": options.scene,
        "seed": options.seed,
        "speed": options.speed,
        "real_s": round(real_s, 1),
        "shown_minutes": round(shown_minutes, 1),
        **life.figures.tally.as_json(),
        "walk_ins_turned_away": sum(park.turned_away for park in parks),
        "queue_most": max(gate.queue_most for gate in life.world.gates.values()),
        "reports_delivered": life.delivery.delivered,
        "reports_failed": life.delivery.failures.total(),
        "restarts": sum(city.processes.restart_counts().values()),
        "ledger_violations": violations,
    }


def _conclude(summary: dict[str, Any], life: Life, options: DemoOptions, console: Console) -> int:
    for line in life.figures.watch.broken:
        console.print(f"broken promise: {line}", highlight=False, markup=False)
    for failure, count in life.delivery.failures.most_common(5):
        console.print(f"reports that failed: {count} ({failure})", highlight=False, markup=False)
    if options.as_json:
        print(json.dumps(summary), flush=True)  # noqa: T201  (the result goes to standard output)
    else:
        console.print(_in_words(summary, options.data), highlight=False, markup=False)
    return exit_code(summary)


def _in_words(summary: Mapping[str, Any], data: Path) -> str:
    """Say the figures that a person asks for; --json has all of them."""
    ledger = summary["ledger_violations"]
    found = "could not be asked" if ledger == _NOT_ASKED else f"finds {ledger}"
    return (
        f"Stopped. In {summary['shown_minutes']:g} minutes of the block (seed {summary['seed']}) "
        f"{summary['cars']} cars came: "
        f"{summary['parked_at_hospital']} parked at the hospital, {summary['diverted']} were diverted, "
        f"{summary['held']} of them with a space held; {summary['arrived']} have arrived so far.\n"
        f"Broken promises: {summary['broken_promises']} by the world's count; the ledger itself {found}. "
        f"Services started again: {summary['restarts']}.\nLogs: {data / 'logs'}"
    )


def exit_code(summary: Mapping[str, Any]) -> int:
    """Give 1 if a promise was broken, by the world's count or by the ledger's own."""
    return 1 if summary["broken_promises"] or summary["ledger_violations"] else 0
