"""The commands `bowei evaluate ...`. Each imports what it needs when it is called."""

import re
from pathlib import Path
from typing import Annotated

import typer

evaluate = typer.Typer(no_args_is_help=True, help="Is the chosen lot the right one? (docs/evaluation.md)")


def whole_numbers(text: str) -> tuple[int, ...]:
    """Read whole numbers such as 200,300 or 1-5."""
    numbers: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        if match is None or (match[2] and int(match[2]) < int(match[1])):
            raise typer.BadParameter("write whole numbers such as 200,300 or 1-5")
        numbers += range(int(match[1]), int(match[2] or match[1]) + 1)
    return tuple(numbers)


@evaluate.command("policies")
def evaluate_policies(
    loads: Annotated[str, typer.Option(metavar="N,N", help="Requests in an hour.")] = "200,300,400",
    seeds: Annotated[str, typer.Option(metavar="N-N", help="Cities and days that are scored.")] = "1-5",
    tune_on: Annotated[str, typer.Option(metavar="N-N", help="… and on which peers are tuned.")] = "101-105",
    peers: Annotated[
        str | None,
        typer.Option(metavar="MODULE", help="Other ways to choose, such as loadtests.peers.parking_policies."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="JSON lines, one for each run; what is there is not run again.")
    ] = None,
    page: Annotated[Path | None, typer.Option(help="A page whose marked tables are written anew.")] = None,
    plot: Annotated[Path | None, typer.Option(help="A picture to draw; needs the extra evaluate.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Under a minute: 200,300/h, two seeds.")] = False,
) -> None:
    """Compare ways to choose a lot with the optimum in hindsight, on seeded cities and days."""
    from services.local.evaluate.policies.command import Options  # noqa: PLC0415
    from services.local.evaluate.policies.command import evaluate_policies as evaluated  # noqa: PLC0415

    options = Options(
        loads=whole_numbers(loads),
        seeds=whole_numbers(seeds),
        tuned_on=whole_numbers(tune_on),
        peers=peers,
        out=out,
        page=page,
        plot=plot,
        quick=quick,
    )
    raise typer.Exit(evaluated(options))


@evaluate.command("block")
def evaluate_block(
    seeds: Annotated[str, typer.Option(metavar="N-N", help="Mornings.")] = "1-10",
    out: Annotated[
        Path | None, typer.Option(help="JSON lines, one for each run; what is there is not run again.")
    ] = None,
    page: Annotated[Path | None, typer.Option(help="A page whose marked tables are written anew.")] = None,
    plot: Annotated[Path | None, typer.Option(help="A picture to draw; needs the extra evaluate.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="The base case on two mornings.")] = False,
) -> None:
    """Drive a morning of one block under each policy: drivers, the gate, and the lots' own customers."""
    from services.local.evaluate.block.command import Options  # noqa: PLC0415
    from services.local.evaluate.block.command import evaluate_block as evaluated  # noqa: PLC0415

    raise typer.Exit(evaluated(Options(whole_numbers(seeds), out, page, plot, quick)))


@evaluate.command("forecasts")
def evaluate_forecasts(
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER...", help="Recordings, as docs/replay.md has them.")],
    warm_up: Annotated[
        int, typer.Option("--warm-up", min=0, metavar="DAYS", help="Not scored; of a short recording a third at most.")
    ] = 14,
    out: Annotated[Path | None, typer.Option(help="Write lines of JSON.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the reliability of chances: .svg or .png.")] = None,
) -> None:
    """Forecast over recordings, forward in time, and score it beside the last value and the same time last week."""
    from datetime import timedelta  # noqa: PLC0415

    from services.local.evaluate.forecasts.command import evaluate_forecasts as run  # noqa: PLC0415

    raise typer.Exit(run(folders, warm_up=timedelta(days=warm_up), out=out, plot=plot))


@evaluate.command("traffic")
def evaluate_traffic(
    results: Annotated[
        Path, typer.Option(help="Where each run is kept, a line each; runs that are there are done.")
    ] = (Path("loadtests/results/traffic.jsonl")),
    report: Annotated[
        Path | None, typer.Option(help="Write this page's tables and plot anew, and run nothing.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Four policies on one seed: does all of it work?")] = False,
    at_most: Annotated[int | None, typer.Option(min=1, help="Stop after so many runs; the next call goes on.")] = None,
) -> None:
    """Drive through a simulated town (SUMO): the routing service against waiting, searching, signs and reservation.

    Needs the extra `evaluate`: make .venv/.evaluate-ready
    """
    from services.local.data_folder import data_folder_path  # noqa: PLC0415

    try:
        from services.local.evaluate.traffic import command  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        typer.echo(f"{missing.name} is not installed. Fix: make .venv/.evaluate-ready", err=True)
        raise typer.Exit(2) from missing

    cache = data_folder_path() / "evaluate" / "traffic"
    options = command.TrafficOptions(results, quick=quick, at_most=at_most, cache=cache)
    raise typer.Exit(command.evaluate_traffic(options) if report is None else command.report_traffic(options, report))
