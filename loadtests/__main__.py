"""The command `make bench`."""

import sys
from collections.abc import Awaitable, Callable

import uvloop

from loadtests.account import Row, keep, show
from loadtests.board import measure as measure_board
from loadtests.decide import measure as measure_decide
from loadtests.decide import measure_large as measure_decide_large
from loadtests.endurance import measure as measure_endurance
from loadtests.ingest import measure as measure_ingest
from loadtests.ledger import measure as measure_ledger
from loadtests.pause import measure as measure_pause
from loadtests.ranking import measure as measure_ranking
from loadtests.reading import measure as measure_reading
from loadtests.roads import measure as measure_roads

BENCHES: dict[str, Callable[[], Awaitable[list[Row]]]] = {
    "ledger": measure_ledger,
    "ranking": measure_ranking,
    "decide": measure_decide,
    "decide-large": measure_decide_large,
    "ingest": measure_ingest,
    "reading": measure_reading,
    "roads": measure_roads,
    "endurance": measure_endurance,
    "board": measure_board,
    "pause": measure_pause,
}
_ONLY_BY_NAME = frozenset({"decide-large", "endurance", "board", "pause"})


async def main(names: list[str]) -> None:
    """Run the benches named, or all that don't take minutes each or a browser."""
    unknown = set(names) - BENCHES.keys()
    if unknown:
        sys.exit(f"No bench is called {', '.join(sorted(unknown))}. There are: {', '.join(BENCHES)}.")
    rows: list[Row] = []
    for name in names or [name for name in BENCHES if name not in _ONLY_BY_NAME]:
        print(f"· {name}", file=sys.stderr)
        rows += await BENCHES[name]()
    show(rows)
    print(f"kept in {keep(rows, 'latest' if not names else '-'.join(names))}", file=sys.stderr)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1:]))  # the loop of the services
