"""The command `make bench`."""

import sys
from collections.abc import Awaitable, Callable

import uvloop

from loadtests.account import Row, keep, show
from loadtests.ledger import measure as measure_ledger

BENCHES: dict[str, Callable[[], Awaitable[list[Row]]]] = {"ledger": measure_ledger}


async def main(names: list[str]) -> None:
    """Run the benches named, or all."""
    unknown = set(names) - BENCHES.keys()
    if unknown:
        sys.exit(f"No bench is called {', '.join(sorted(unknown))}. There are: {', '.join(BENCHES)}.")
    rows: list[Row] = []
    for name in names or BENCHES:
        print(f"· {name}", file=sys.stderr)
        rows += await BENCHES[name]()
    show(rows)
    print(f"kept in {keep(rows, 'latest' if not names else '-'.join(names))}", file=sys.stderr)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1:]))  # the loop of the services
