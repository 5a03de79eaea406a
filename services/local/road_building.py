"""`bowei roads build`: a road file from an OpenStreetMap extract, with its progress and what was found."""

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bowei.roads.building import build_road_file
from bowei.roads.errors import RoadsError
from bowei.roads.osm_import import ImportSummary

_CLASSES_SHOWN = 6


def build_with_progress(source: Path, target: Path) -> int:
    """Build the file; give the command's exit code. What went wrong is said in one line."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}"), TimeElapsedColumn())
    try:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
            shown = bars.add_task("reading roads", total=None)

            def progress(step: str, done: int, total: int | None) -> None:
                bars.update(shown, description=step, completed=done, total=total)

            summary = build_road_file(source, target, progress=progress)
    except RoadsError as error:
        console.print(str(error), highlight=False, markup=False, soft_wrap=True)
        return 1
    except OSError as error:
        console.print(f"{target} can't be written: {error.strerror}.", highlight=False, markup=False, soft_wrap=True)
        return 1
    console.print(_table(summary))
    console.print(f"Written: {target}. Point BOWEI_ROADS at it.", highlight=False, markup=False, soft_wrap=True)
    return 0


def _table(summary: ImportSummary) -> Table:
    table = Table(title="roads", title_justify="left", show_header=False)
    table.add_column("what")
    table.add_column("how much", justify="right")
    table.add_row("junctions and points", f"{summary.counts.nodes:,}")
    table.add_row("one-way pieces", f"{summary.counts.edges:,}")
    table.add_row("km of them", f"{summary.counts.edge_km:,.1f}")
    table.add_row("points that reach each other", f"{summary.counts.main_component_share:.0%}")
    table.add_row("ways used", f"{summary.ways_used:,}")
    table.add_row("ways left out (not for cars)", f"{summary.ways_left_out:,}")
    table.add_row("ways torn at the extract's edge", f"{summary.ways_torn:,}")
    for highway, km in list(summary.km_by_class.items())[:_CLASSES_SHOWN]:
        table.add_row(f"{highway}, km", f"{km:,.1f}")
    return table
