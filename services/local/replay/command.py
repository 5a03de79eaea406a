"""The command `bowei replay`: servers, stage, replay; progress on the terminal, and the exit code."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from bowei.livestate.failures import LiveStateAway
from bowei.records.failures import StoreFailure
from bowei.roads.errors import RoadsError
from bowei.roads.opening import open_travel_times
from services.local.data_folder import throwaway_data_folder
from services.local.replay.recording import BadRecording, open_recording
from services.local.replay.replaying import Replay, ReplayOptions, UnknownHospital, hospitals_of
from services.local.replay.stage import NotCaughtUp, open_stage
from services.local.servers import embedded_servers
from services.local.setup_problem import SetupProblem

_MUST_BE_ZERO = ("none_unjustified", "chosen_without_free", "broken_promises", "impossible_shown")
_STOPPED = 130


async def replay(folder: Path, options: ReplayOptions) -> dict[str, Any]:
    """Replay the recording in `folder` on servers of its own, which are gone afterwards; give the summary.

    Raises:
        BadRecording, UnknownHospital, SetupProblem, RoadsError: with what to do.
        NotCaughtUp, StoreFailure, LiveStateAway: the servers stopped answering.
    """
    recording = open_recording(folder)
    hospitals_of(recording, options)
    travel_times = open_travel_times(options.roads)
    async with AsyncExitStack() as stack:
        data = stack.enter_context(throwaway_data_folder())
        # The addresses in the environment may be a city's: a replay never touches them.
        servers = await stack.enter_async_context(embedded_servers(data, environment={}))
        stage = await stack.enter_async_context(open_stage(servers.database_url, servers.redis_url, travel_times))
        return await Replay(recording, options, stage).run()


def replay_with_progress(folder: Path, options: ReplayOptions) -> int:
    """Replay; print the summary as JSON; give the command's exit code.

    0: every decision stands. 1: the recording contradicts one, a promise was broken, or an impossible number was shown.
    2: it could not be replayed.
    """
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    try:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
            shown = bars.add_task("starting servers", total=None)

            def progress(at: datetime, decisions: int) -> None:
                bars.update(shown, description=f"{at:%Y-%m-%d %H:%M} UTC, {decisions} decisions")

            summary = asyncio.run(replay(folder, replace(options, progress=progress)))
    except KeyboardInterrupt:
        return _STOPPED
    except (BadRecording, UnknownHospital, SetupProblem, RoadsError) as error:
        return _not_replayed(str(error))
    except (NotCaughtUp, StoreFailure, LiveStateAway) as error:
        return _not_replayed(f"The replay's own servers stopped answering. {error}")
    typer.echo(json.dumps(summary, ensure_ascii=False, indent=2))
    return exit_code(summary)


def exit_code(summary: Mapping[str, Any]) -> int:
    """Give 1 if any of what must be 0 is not, else 0."""
    return 1 if any(summary[name] for name in _MUST_BE_ZERO) else 0


def _not_replayed(why: str) -> int:
    typer.echo(why, err=True)
    return 2
