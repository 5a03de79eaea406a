"""The account of a run: rows of ratios, with what they were measured on."""

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Row:
    """One ratio: `work` against `against`. `reach` is the mark, `lower_is_better` says which way."""

    work: str
    against: str
    ratio: float
    reach: float
    spread: tuple[float, float]
    lower_is_better: bool = False
    note: str = ""

    @property
    def holds(self) -> bool:
        """Say whether the mark was reached."""
        return self.ratio <= self.reach if self.lower_is_better else self.ratio >= self.reach


def show(rows: Sequence[Row]) -> None:
    """Print the rows as a table."""
    table = Table("work", "against", "ratio", "spread", "mark", "", "note")
    for row in rows:
        sign = "≤" if row.lower_is_better else "≥"
        spread = f"{row.spread[0]:.2f}..{row.spread[1]:.2f}"
        table.add_row(
            row.work,
            row.against,
            f"{row.ratio:.2f}",
            spread,
            f"{sign} {row.reach:g}",
            "✓" if row.holds else "✗",
            row.note,
        )
    Console(width=160).print(table)


def keep(rows: Sequence[Row], name: str) -> Path:
    """Write the rows to results/NAME.json, with machine and commit."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    about = {"machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"}
    about["commit"] = _commit()
    rows_out = [asdict(row) | {"holds": row.holds} | about for row in rows]
    path.write_text(json.dumps(rows_out, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    )
    return done.stdout.strip() or "unknown"
