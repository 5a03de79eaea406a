"""`bowei roads build`: a road file from an OpenStreetMap extract, with its progress and what was found."""

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bowei.roads.building import build_road_file
from bowei.roads.errors import RoadsError
from bowei.roads.graph import TrafficSide
from bowei.roads.osm_import import ImportSummary

_CLASSES_SHOWN = 6
_WHOLE = 0.85
"""Hangzhou's core, cut out along a rectangle, has 0.92; a sound country 0.97."""


def build_with_progress(source: Path, target: Path, traffic_side: TrafficSide) -> int:
    """Build the file; give the command's exit code. What went wrong is said in one line."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}"), TimeElapsedColumn())
    try:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
            shown = bars.add_task("reading roads", total=None)

            def progress(step: str, done: int, total: int | None) -> None:
                bars.update(shown, description=step, completed=done, total=total)

            summary = build_road_file(source, target, progress=progress, traffic_side=traffic_side)
    except RoadsError as error:
        console.print(str(error), highlight=False, markup=False, soft_wrap=True)
        return 1
    except OSError as error:
        console.print(f"{target} can't be written: {error.strerror}.", highlight=False, markup=False, soft_wrap=True)
        return 1
    console.print(_table(summary))
    for doubt in _doubts(summary):
        console.print(f"Look: {doubt}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"Written: {target}. Point BOWEI_ROADS at it.", highlight=False, markup=False, soft_wrap=True)
    return 0


def _table(summary: ImportSummary) -> Table:
    table = Table(title="roads", title_justify="left", show_header=False)
    table.add_column("what")
    table.add_column("how much", justify="right")
    counts, rules = summary.counts, summary.turn_rules
    table.add_row("junctions and points", f"{counts.nodes:,}")
    table.add_row("one-way pieces", f"{counts.edges:,}")
    table.add_row("km of them", f"{counts.edge_km:,.1f}")
    table.add_row("parts that hang together", f"{counts.components:,}")
    table.add_row("points in the largest of them", f"{counts.main_component_share:.0%}")
    table.add_row("ways used", f"{summary.ways_used:,}")
    table.add_row("ways left out (not for cars)", f"{summary.ways_left_out:,}")
    table.add_row("ways torn at the extract's edge", f"{summary.ways_torn:,}")
    table.add_row("ferries left out", f"{summary.ferries_left_out:,}")
    table.add_row("turn restrictions applied", f"{rules.applied:,}")
    table.add_row("  … by points beside the roads", f"{counts.copies:,}")
    table.add_row("  left out: hold at some hours only", f"{rules.conditional:,}")
    table.add_row("  left out: for others than cars", f"{rules.for_others:,}")
    table.add_row("  left out: on no road of ours", f"{rules.off_road:,}")
    table.add_row("  left out: can't be read", f"{rules.unreadable:,}")
    for highway, km in list(summary.km_by_class.items())[:_CLASSES_SHOWN]:
        table.add_row(f"{highway}, km", f"{km:,.1f}")
    table.add_row("ways for walkers, km", f"{summary.walk_km:,.1f}")
    table.add_row("points of them", f"{summary.walk_nodes:,}")
    return table


def _doubts(summary: ImportSummary) -> Iterator[str]:
    """Say what an operator should look at before the file is used."""
    share = summary.counts.main_component_share
    if share < _WHOLE:
        yield f"Only {share:.0%} of the roads hang together: is the extract torn, or cut through a river?"
    if not summary.walk_nodes:
        yield "Nothing for walkers is in the extract: walks are estimated by air. Was it filtered for roads?"
    if not any((summary.turn_rules.applied, summary.turn_rules.conditional, summary.turn_rules.for_others)):
        yield "No turn restriction is in the extract: drives may turn where it is forbidden. Were relations left out?"
