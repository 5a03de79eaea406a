"""`bowei evaluate block`: run the mornings, say how far it is, print the tables."""

import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

from services.local.evaluate.block import tables
from services.local.evaluate.block.benching import bench
from services.local.evaluate.block.scene import CASES
from services.local.evaluate.pages import put

QUICK_SEEDS = (1, 2)


@dataclass(frozen=True)
class Options:
    """What was asked for."""

    seeds: tuple[int, ...]
    out: Path | None
    page: Path | None
    plot: Path | None
    quick: bool


def evaluate_block(options: Options) -> int:
    """Run it. Gives the exit code: 0; 2 where an option makes no sense."""
    errors = Console(stderr=True)
    seeds, cases = (QUICK_SEEDS, CASES[:1]) if options.quick else (options.seeds, CASES)
    try:
        lines = bench(seeds, cases, options.out, lambda text: errors.print(f"· {text}", highlight=False))
        text = tables.markdown(lines)
        if options.page is not None:
            put(options.page, "bowei evaluate block", text)
        if options.plot is not None:
            tables.plot(lines, options.plot)
    except (ValueError, ImportError) as error:
        errors.print(f"{error}", style="red", markup=False)
        return 2
    Console(width=None if sys.stdout.isatty() else 200).print(Markdown(text))
    return 0
