"""The command `bowei evaluate forecasts`: recordings in; tables on the terminal, lines of JSON and a plot in files."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from services.local.evaluate.forecasts.comparing import Compared, compare
from services.local.evaluate.forecasts.measuring import Measured, measure
from services.local.evaluate.forecasts.reporting import lines, tables
from services.local.replay.recording import BadRecording, open_recording

_STOPPED = 130


def evaluate_forecasts(
    folders: Sequence[Path], *, warm_up: timedelta, out: Path | None = None, plot: Path | None = None
) -> int:
    """Measure each folder's recording under the folder's name; print the tables; give the command's exit code.

    0: measured, whatever came out. 2: a recording can't be read, or nothing came true that could be scored.
    """
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    measured: list[Measured] = []
    compared: list[Compared] = []
    try:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
            for folder in folders:
                shown = bars.add_task(folder.name, total=None)

                def progress(at: datetime, shown: int = shown, name: str = folder.name) -> None:
                    bars.update(shown, description=f"{name}: {at:%Y-%m-%d %H:%M} UTC")  # type: ignore[arg-type]

                one = measure(folder.resolve().name, open_recording(folder), warm_up, progress)
                if not len(one.cases.truth):
                    return _not_measured(f"{folder}: nothing that was forecast came true. Is it longer than an hour?")
                measured.append(one)
                compared += compare(one)
    except KeyboardInterrupt:
        return _STOPPED
    except BadRecording as error:
        return _not_measured(str(error))
    typer.echo(tables(measured, compared))
    if out is not None:
        out.write_text("".join(f"{line}\n" for line in lines(measured, compared)), "utf-8")
    return 0 if plot is None else _plotted(measured, plot)


def _plotted(measured: Sequence[Measured], path: Path) -> int:
    from services.local.evaluate.forecasts.plotting import plot_reliability  # noqa: PLC0415

    try:
        plot_reliability(measured, path)
    except ImportError:
        return _not_measured("Plots need matplotlib: pip install 'bowei[evaluate]', or `make .venv/.evaluate-ready`.")
    return 0


def _not_measured(why: str) -> int:
    typer.echo(why, err=True)
    return 2
