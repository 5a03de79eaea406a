"""`python -m tests.campaign --seed 7 --for 90s`: run it; the last line is the report, one JSON object.

`--seeds 1-20 --out results/` runs many, each in a process of its own, and leaves out those that are there already.
The exit code is 1 where anything was violated.
"""

import argparse
import faulthandler
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import uvloop

from tests.campaign.measuring import added_up
from tests.campaign.running import run_campaign, say

_STARTS_AND_ENDS_WITHIN_S = 240.0


def main() -> int:
    """Run what the command line asks for."""
    given = _arguments()
    if given.seeds:
        return _run_many(given)
    faulthandler.dump_traceback_later(given.seconds + _STARTS_AND_ENDS_WITHIN_S - 10, exit=True)
    report = uvloop.run(run_campaign(given.seed, given.seconds, evidence=given.evidence))
    text = json.dumps(report, ensure_ascii=False)
    if given.report:
        given.report.write_text(f"{text}\n", "utf-8")
    sys.stdout.write(f"{text}\n")
    return 1 if report["violations"] else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--for", dest="seconds", type=_seconds, default=90.0, help="such as 90s")
    parser.add_argument("--report", type=Path, help="a file for the report, beside the last line")
    parser.add_argument(
        "--evidence", type=Path, help="a file for all that was asked and answered, if anything is wrong"
    )
    parser.add_argument("--seeds", type=_seeds, help="such as 1-20: many runs, one after the other")
    parser.add_argument("--out", type=Path, default=Path("results"), help="the folder of the reports of --seeds")
    return parser.parse_args()


def _seconds(text: str) -> float:
    return float(text.removesuffix("s"))


def _seeds(text: str) -> list[int]:
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


def _run_many(given: argparse.Namespace) -> int:
    given.out.mkdir(parents=True, exist_ok=True)
    for seed in given.seeds:
        if not _file(given.out, seed).exists():
            _run_one(seed, given.seconds, given.out)
    reports: list[dict[str, Any]] = [
        json.loads(_file(given.out, seed).read_text("utf-8")) for seed in given.seeds if _file(given.out, seed).exists()
    ]
    if not reports:
        return 1
    total = added_up(reports)
    sys.stdout.write(f"{json.dumps(total, ensure_ascii=False)}\n")
    return 1 if total["violations"] or len(reports) < len(given.seeds) else 0


def _run_one(seed: int, seconds: float, out: Path) -> None:
    """Run one seed in a process of its own: what one leaves behind is not there for the next."""
    unfinished = _file(out, seed).with_suffix(".unfinished")
    command = [sys.executable, "-m", "tests.campaign", "--seed", str(seed), "--for", f"{seconds}s"]
    try:
        subprocess.run(
            [*command, "--report", str(unfinished), "--evidence", str(out / f"seed-{seed:04d}-evidence.json")],
            check=False,
            stdout=subprocess.DEVNULL,
            timeout=seconds + _STARTS_AND_ENDS_WITHIN_S,
        )
    except subprocess.TimeoutExpired:
        say(f"seed {seed} did not end")
        return
    if unfinished.exists():
        unfinished.rename(_file(out, seed))


def _file(out: Path, seed: int) -> Path:
    return out / f"seed-{seed:04d}.json"


if __name__ == "__main__":
    sys.exit(main())
