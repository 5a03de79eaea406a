"""`bowei evaluate policies`: run the bench, say how far it is, print the table."""

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

from services.local.evaluate.pages import put
from services.local.evaluate.policies import tables
from services.local.evaluate.policies.benching import EVEN, Families, Plan, bench

QUICK_LOADS, QUICK_SEEDS, QUICK_TUNED_ON = (200, 300), (1, 2), (101,)
"""What fits into a minute of one core."""

LOOSER_S = (1_800.0, 3_600.0)
"""How often looser bounds look at lots."""


@dataclass(frozen=True)
class Options:
    """What was asked for."""

    loads: tuple[int, ...]
    seeds: tuple[int, ...]
    tuned_on: tuple[int, ...]
    peers: str | None
    out: Path | None
    page: Path | None
    plot: Path | None
    quick: bool


def evaluate_policies(options: Options) -> int:
    """Run it. Gives the exit code: 0; 2 where an option makes no sense."""
    errors = Console(stderr=True)
    try:
        peers = None if options.peers is None else load_families(options.peers)
        plan = Plan(options.loads, options.seeds, options.tuned_on, peers, looser_s=LOOSER_S)
        if options.quick:
            plan = Plan(QUICK_LOADS, QUICK_SEEDS, QUICK_TUNED_ON, peers, days=(EVEN,))
        lines = bench(plan, options.out, lambda text: errors.print(f"· {text}", highlight=False))
        text = tables.markdown(lines)
        if options.page is not None:
            put(options.page, "bowei evaluate policies", text)
        if options.plot is not None:
            tables.plot(lines, options.plot)
    except (ValueError, ImportError) as error:
        errors.print(f"{error}", style="red", markup=False)
        return 2
    Console(width=None if sys.stdout.isatty() else 200).print(Markdown(text))
    return 0


def load_families(module: str) -> Families:
    """Import other ways to choose: a module with `families(requests_per_h)`.

    Raises:
        ValueError: it has none, or can't be imported.
    """
    try:
        families: Families = importlib.import_module(module).families
    except (ImportError, AttributeError) as error:
        raise ValueError(f"--peers names a module with a function families(requests_per_h); {error}") from error
    return families
