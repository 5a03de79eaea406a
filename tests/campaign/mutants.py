"""`python -m tests.campaign.mutants`: plant each bug in a copy of the program, and see who catches it.

The clean program goes first, with the same seed, and must pass. With `--out FILE` results are kept, one a line, and
what is there already is not done again. The exit code is 1 where a bug was not caught.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.campaign.planted_bugs import PLANTED_BUGS, Catcher, PlantedBug, changed_files

_ROOT = Path(__file__).resolve().parents[2]
_COPIED = ("bowei", "services", "tests")
_CAMPAIGN_S = 45
_SEEDS_TRIED = 3
_SEEDS_PASSED = 2
"""By the clean program: one without a small disk, one with it."""
_EXAMPLES = 120
_WITHIN_S = 900
_CLEAN = PlantedBug("(clean)", "nothing is planted", "campaign", ())


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one catcher said of one bug."""

    bug: str
    catcher: Catcher
    caught: bool
    by: str


def main() -> int:
    """Plant what the command line asks for, and tell who caught it."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="only these; all without")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    known = _kept(given.out)
    wanted = [bug for bug in PLANTED_BUGS if not given.names or bug.name in given.names]
    missed = 0
    for bug in (_CLEAN, *wanted):
        catchers: tuple[Catcher, ...] = (bug.caught_by,) if bug.changes else ("campaign", "histories")
        for catcher in catchers:
            verdict = known.get((bug.name, catcher)) or _tried(bug, catcher, given.seed)
            if (bug.name, catcher) not in known:
                _keep(given.out, verdict)
            missed += verdict.caught is not bool(bug.changes)
            said = "caught by" if verdict.caught else "passes"
            sys.stdout.write(f"{bug.name:32} {said} the {catcher} {verdict.by}\n")
            sys.stdout.flush()
    return 1 if missed else 0


def _tried(bug: PlantedBug, catcher: Catcher, seed: int) -> Verdict:
    with _copy_with(bug) as folder:
        if catcher == "histories":
            return _by_histories(bug, folder, seed)
        # A bug of timing may not show itself in one short run, and one of the disk only where the seed has a small one.
        for tried in range(seed, seed + (_SEEDS_TRIED if bug.changes else _SEEDS_PASSED)):
            verdict = _by_campaign(bug, folder, tried)
            if verdict.caught:
                break
        return verdict


@contextmanager
def _copy_with(bug: PlantedBug) -> Iterator[Path]:
    """Copy the program, and plant the bug in the copy."""
    with tempfile.TemporaryDirectory(prefix="bowei-mutant-", dir="/tmp") as name:
        folder = Path(name)
        for part in _COPIED:
            shutil.copytree(_ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(_ROOT / "pyproject.toml", folder)
        texts = {change.file: (folder / change.file).read_text("utf-8") for change in bug.changes}
        for file, text in changed_files(bug, texts).items():
            (folder / file).write_text(text, "utf-8")
        yield folder


def _by_campaign(bug: PlantedBug, folder: Path, seed: int) -> Verdict:
    done = _run(folder, ["-m", "tests.campaign", "--seed", str(seed), "--for", f"{_CAMPAIGN_S}s"])
    lines = done.stdout.strip().splitlines()
    if not lines:
        raise RuntimeError(f"the campaign with {bug.name} broke: {done.stderr[-2000:]}")
    report = json.loads(lines[-1])
    kinds = ", ".join(f"{kind} {count}" for kind, count in report["violations"].items())
    return Verdict(bug.name, "campaign", bool(kinds), f"({kinds or 'no violations'}; seed {seed})")


def _by_histories(bug: PlantedBug, folder: Path, seed: int) -> Verdict:
    done = _run(
        folder,
        [
            *("-m", "pytest", "-q", "-x", "-p", "no:randomly", "--timeout", str(_WITHIN_S)),
            *(f"--hypothesis-seed={seed}", "tests/property/test_ledger_histories.py"),
        ],
    )
    # 1: a test failed. Anything else is no verdict.
    if done.returncode not in {0, 1}:
        raise RuntimeError(f"the histories with {bug.name} broke: {done.stdout[-2000:]}")
    return Verdict(bug.name, "histories", done.returncode == 1, f"({_EXAMPLES} histories; seed {seed})")


def _run(folder: Path, arguments: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    environment = dict(os.environ) | {"BOWEI_PROPERTY_EXAMPLES": str(_EXAMPLES), "PYTHONPATH": str(folder)}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=_WITHIN_S,
    )


def _kept(file: Path | None) -> dict[tuple[str, Catcher], Verdict]:
    if file is None or not file.exists():
        return {}
    verdicts = [Verdict(**json.loads(line)) for line in file.read_text("utf-8").splitlines()]
    return {(verdict.bug, verdict.catcher): verdict for verdict in verdicts}


def _keep(file: Path | None, verdict: Verdict) -> None:
    if file is not None:
        with file.open("a", encoding="utf-8") as kept:
            kept.write(f"{json.dumps(asdict(verdict))}\n")


if __name__ == "__main__":
    sys.exit(main())
