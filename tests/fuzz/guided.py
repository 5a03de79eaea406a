"""`python -m tests.fuzz.guided TARGET`: one target under atheris, in a process of its own, for it ends the process."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(
    include=["services.ingest", "bowei.observability", "bowei.domain"], enable_loader_override=False
):
    from tests.fuzz.addresses import SEEDS, Addresses
    from tests.fuzz.parsers import PARSERS

from tests.fuzz.account import Watched

_LONGEST = 4_096
_HUNG_S = 10
"""Where an input does not come back at all; the account has its own, stricter word on slow ones."""


def main() -> None:
    """Try as many inputs as were asked for; write the account, and exit with 0 where no fault was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.guided", description=__doc__)
    parser.add_argument("target")
    parser.add_argument("--inputs", type=int, required=True)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    run, seeds = (
        (Addresses(), SEEDS) if given.target == "addresses" else (PARSERS[given.target], PARSERS[given.target].seeds)
    )
    watched = Watched(given.target, given.seed, given.inputs, run)
    with tempfile.TemporaryDirectory() as folder:
        for place, seed in enumerate(seeds):
            (Path(folder) / f"seed-{place}").write_bytes(seed)

        def one(data: bytes) -> None:
            if watched.account.inputs >= given.inputs:
                watched.account.write(given.out)
                os._exit(0)  # libFuzzer takes any other end for a fault
            try:
                watched(data)
            except Exception as fault:
                watched.account.fault = f"{type(fault).__name__}: {fault}"[:500]
                watched.account.write(given.out)
                raise

        atheris.Setup(
            [
                sys.argv[0],
                f"-seed={given.seed}",
                f"-max_len={_LONGEST}",
                f"-timeout={_HUNG_S}",
                f"-artifact_prefix={given.out.parent}/",
                "-verbosity=0",
                folder,
            ],
            one,
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main()
