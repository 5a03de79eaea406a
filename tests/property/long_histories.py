"""Many more histories than a test run has time for; stops at a number of calls to the real ledger, and can go on later.

    python -m tests.property.long_histories --calls 300000 --out loadtests/results/histories.jsonl

One line is kept per seed: how many histories, calls to the real ledger and to the twin (counted apart), seconds.
"""

import argparse
import asyncio
import json
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path

from hypothesis import seed
from hypothesis.stateful import run_state_machine_as_test

from services.local.data_folder import throwaway_data_folder
from services.local.servers import embedded_servers
from tests.property.real_ledger import real_ledger
from tests.property.test_ledger_histories import Histories, history_settings

_HISTORIES_PER_SEED = 100


def main() -> None:
    """Run seeds until enough calls were made; a history that disagrees ends the run with its traceback."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=300_000)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    kept = [json.loads(line) for line in options.out.read_text("utf-8").splitlines()] if options.out.exists() else []
    done = {line["seed"] for line in kept}
    calls = sum(line["real_calls"] for line in kept)
    with throwaway_data_folder() as data, asyncio.Runner() as runner:
        running = AsyncExitStack()
        servers = runner.run(running.enter_async_context(embedded_servers(data, environment={})))
        try:
            with real_ledger(servers) as Histories.real:
                number = 0
                while calls < options.calls:
                    number += 1
                    if number not in done:
                        line = _run_seed(number)
                        calls += int(line["real_calls"])
                        with options.out.open("a", encoding="utf-8") as out:
                            out.write(json.dumps(line) + "\n")
                        print(f"seed {number}: {calls} of {options.calls} calls", file=sys.stderr)  # noqa: T201
        finally:
            runner.run(running.aclose())


def _run_seed(number: int) -> dict[str, float]:
    Histories.real_calls = Histories.twin_calls = 0
    started = time.monotonic()

    @seed(number)
    class Seeded(Histories):
        """The histories of one seed."""

    run_state_machine_as_test(Seeded, settings=history_settings(_HISTORIES_PER_SEED))
    return {
        "seed": number,
        "histories": _HISTORIES_PER_SEED,
        "real_calls": Histories.real_calls,
        "twin_calls": Histories.twin_calls,
        "seconds": round(time.monotonic() - started, 1),
    }


if __name__ == "__main__":
    main()
