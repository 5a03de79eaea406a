"""The command `bowei evaluate traffic`: run what is missing, keep each run, write the page."""

import json
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import typer

from bowei.roads.opening import open_travel_times
from bowei.roads.travel_times import TravelTimes
from services.local.evaluate.traffic import simulator
from services.local.evaluate.traffic.comparing import Compared
from services.local.evaluate.traffic.demand import Kind, draw_trips
from services.local.evaluate.traffic.experiments import NATIVE, OPERATING, ROOM, SEEDS, VISIBLE, all_policies
from services.local.evaluate.traffic.journeys import Trace
from services.local.evaluate.traffic.measures import measure, ways_s
from services.local.evaluate.traffic.policies import Policy
from services.local.evaluate.traffic.report import draw_front, write_tables
from services.local.evaluate.traffic.results import Results, world_of
from services.local.evaluate.traffic.running import Town, build_town, simulate
from services.local.evaluate.traffic.town import STREETS, plain_network, read_streets


@dataclass(frozen=True, slots=True)
class TrafficOptions:
    """What to run, and where its results are kept."""

    results: Path
    seeds: tuple[int, ...] = SEEDS
    quick: bool = False
    """Four policies on one seed: whether all of it works."""
    at_most: int | None = None
    """Stop after so many runs: the next call goes on."""
    cache: Path | None = None
    """Where the network and each seed's yardstick are kept between calls; None: nowhere."""


def evaluate_traffic(options: TrafficOptions) -> int:
    """Run what has no result yet, all seeds of a policy before the next policy; give the exit code."""
    policies = [ROOM, VISIBLE, NATIVE, OPERATING] if options.quick else all_policies()
    seeds = options.seeds[:1] if options.quick else options.seeds
    scratch = Path(tempfile.mkdtemp(prefix="bowei-traffic-"))
    cache = options.cache or scratch
    runs = Runs(Results(options.results), build_town(cache), scratch, cache, open_travel_times(STREETS))
    try:
        for policy in policies:
            for seed in seeds:
                if options.at_most is not None and runs.done >= options.at_most:
                    return 0
                runs.run_missing(policy, seed)
    finally:
        shutil.rmtree(scratch)
    return 0


def report_traffic(options: TrafficOptions, page: Path) -> int:
    """Write the page's tables anew, and its plot beside it; give the exit code."""
    plain = plain_network(read_streets())
    worlds = {seed: world_of(plain, draw_trips(seed, plain)) for seed in options.seeds}
    compared = Compared(Results(options.results).lines, worlds)
    write_tables(page, compared)
    draw_front(compared, page.with_name(f"{page.stem}-front.svg"))
    return 0


class Runs:
    """Runs what is missing, each seed against its own run with room for all."""

    def __init__(self, results: Results, town: Town, scratch: Path, cache: Path, travel_times: TravelTimes) -> None:
        self.done = 0
        self._results = results
        self._town = town
        self._scratch = scratch
        self._cache = cache
        self._travel_times = travel_times
        self._worlds: dict[int, str] = {}

    def run_missing(self, policy: Policy, seed: int) -> None:
        """Run and keep a policy for a seed, unless there is a line of it."""
        if seed not in self._worlds:
            self._worlds[seed] = world_of(self._town.plain, draw_trips(seed, self._town.plain))
        world = self._worlds[seed]
        if self._results.find(policy, seed, world) is not None:
            return
        yardstick = self._yardstick(seed, world)
        started = time.monotonic()
        measures = measure(self._simulate(policy, seed), *yardstick)
        took_s = time.monotonic() - started
        self.done += 1
        self._results.add(policy, seed, world, measures, simulator=simulator.version(), took_s=took_s)
        typer.echo(
            f"seed {seed} {policy.name} {_told(policy)}: extra {measures.extra_mean_s:.0f} s"
            f" (p95 {measures.extra_p95_s:.0f}), refused {measures.refused}, queue {measures.queue_max}"
        )

    def _yardstick(self, seed: int, world: str) -> tuple[Mapping[str, float], Mapping[str, float]]:
        """Give everybody's way with room for all: patients', own customers'."""
        kept = self._cache / f"room-{world}.json"
        if not kept.is_file():
            free = self._simulate(ROOM, seed)
            kept.write_text(json.dumps([ways_s(free, Kind.PATIENT), ways_s(free, Kind.OWN)]), encoding="utf-8")
        patients, own = json.loads(kept.read_text(encoding="utf-8"))
        return patients, own

    def _simulate(self, policy: Policy, seed: int) -> Trace:
        return simulate(policy, seed, self._town, self._scratch, self._travel_times)


def _told(policy: Policy) -> str:
    return " ".join(f"{name}={value}" for name, value in policy.parameters.items() if name != "weights")
