"""Results as JSON lines: one for each run, with machine and commit. What is in the file already is not run again."""

import json
import os
import platform
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

Key = Mapping[str, Any]
"""What a run is told from others by, such as its load, seed and policy."""


def read_lines(file: Path) -> list[dict[str, Any]]:
    """Read what is kept; a last line that a kill cut off is left out.

    Raises:
        ValueError: another line is no JSON.
    """
    if not file.exists():
        return []
    whole = file.read_text("utf-8").split("\n")[:-1]
    try:
        return [json.loads(line) for line in whole]
    except ValueError as error:
        raise ValueError(f"{file} is not what `bowei evaluate` wrote: {error}") from error


def run_missing(
    keys: Iterable[Key], run: Callable[[Key], Mapping[str, Any]], file: Path | None
) -> Iterator[dict[str, Any]]:
    """Run what the file has no line for, add its line at once, and give the lines of all keys in their order."""
    kept = {} if file is None else {_name(line, line["key"]): line for line in read_lines(file)}
    about = {"machine": machine(), "commit": commit()}
    for key in keys:
        name = _name(key, sorted(key))
        if name not in kept:
            kept[name] = {**key, **run(key), **about, "key": sorted(key)}
            if file is not None:
                add_line(file, kept[name])
        yield kept[name]


def add_line(file: Path, line: Mapping[str, Any]) -> None:
    """Add a line; half a line that a kill left at the end is cut off first."""
    with file.open("ab+") as out:
        end = out.seek(0, os.SEEK_END)
        out.seek(0)
        out.truncate(end if end == 0 else out.read().rfind(b"\n") + 1)
        out.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")


def machine() -> str:
    """Say on what this runs."""
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def commit() -> str:
    """Say of which commit this is; `unknown` outside a checkout."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty"],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
            timeout=10,
            cwd=Path(__file__).parent,
        )
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def _name(line: Mapping[str, Any], fields: Iterable[str]) -> str:
    return json.dumps([[field, line[field]] for field in fields])
