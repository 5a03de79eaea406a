"""The command `make fuzz`: every target with as many inputs as asked for, each in a process of its own.

With `--out FILE` accounts are kept, one a line, and what is there already (by target and seed) is not done again. The
exit code is 1 where a fault was found.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz.account import Account
from tests.fuzz.described import SERVICES, run
from tests.fuzz.parsers import PARSERS

_WITHIN_S = 3_600
_ADDRESSES_SHARE = 10
"""A request through the whole app takes as long as some ten readings of a parser."""


def main() -> int:
    """Run what the command line asks for, and say what was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument(
        "targets", nargs="*", help=f"only these: addresses, {', '.join(SERVICES)}, {', '.join(PARSERS)}"
    )
    parser.add_argument("--inputs", type=int, default=100_000, help="of each parser; a tenth of it for addresses")
    parser.add_argument("--examples", type=int, default=100, help="of each operation, right and wrong ones")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if unknown := set(given.targets) - {"addresses", *SERVICES, *PARSERS}:
        parser.error(f"no target is called {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as folder:
        out = given.out or Path(folder) / "accounts.jsonl"
        wanted = given.targets or [*PARSERS, "addresses", *SERVICES]
        for target in wanted:
            if (target, given.seed) in {_name(account) for account in _kept(out)}:
                continue
            sys.stderr.write(f"· {target}\n")
            if target in SERVICES:
                _describe(target, out, given.examples, given.seed)
            else:
                inputs = given.inputs // (_ADDRESSES_SHARE if target == "addresses" else 1)
                _guide(target, out, inputs, given.seed)
        return _tell([account for account in _kept(out) if account.seed == given.seed])


def _guide(target: str, out: Path, inputs: int, seed: int) -> None:
    before = len(list(_kept(out)))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.fuzz.guided", target),
            *("--inputs", str(inputs), "--seed", str(seed), "--out", str(out)),
        ],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_WITHIN_S,
        check=False,
    )
    if len(list(_kept(out))) == before:  # it did not live to tell
        Account(target, seed, fault=f"exit {done.returncode}: {done.stderr[-400:]}").write(out)


def _describe(service: str, out: Path, examples: int, seed: int) -> None:
    accounts = list(run(service, examples=examples, number=seed))
    for account in accounts:
        account.write(out)
    faults = "; ".join(f"{account.target}: {account.fault}" for account in accounts if account.fault)
    Account(service, seed, fault=faults).write(out)  # the mark that all of it was tried


def _kept(out: Path) -> Iterator[Account]:
    if out.exists():
        for line in out.read_text("utf-8").splitlines():
            yield Account(**json.loads(line))


def _name(account: Account) -> tuple[str, int]:
    return account.target, account.seed


def _tell(accounts: list[Account]) -> int:
    for account in accounts:
        if account.inputs or account.fault:
            sys.stdout.write(
                f"{account.target:55} {account.inputs:>9,} inputs {account.seconds:>7.1f} s"
                f" {account.slowest_ms:>8.1f} ms slowest {account.grown_mb:>6.1f} MB {account.fault}\n"
            )
    faults = sum(bool(account.fault) for account in accounts if account.inputs or account.target not in SERVICES)
    inputs = sum(account.inputs for account in accounts)
    sys.stdout.write(json.dumps({"targets": len(accounts), "inputs": inputs, "faults": faults}) + "\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
