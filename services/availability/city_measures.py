"""The city in figures, as everybody sees it: spaces by block, and each hospital's gate. Counted when somebody looks."""

from collections import defaultdict
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from bowei.domain.gate import GateState
from services.availability.snapshots import Snapshot, Snapshots

MOST_BLOCKS = 100
MOST_HOSPITALS = 100
_OTHER = "other"
"""All blocks past the first hundred, and lots of none."""


class CityCollector(Collector):
    """Counts what is shown. What is not known is not counted, and how many lots that are is said."""

    def __init__(self) -> None:
        self._snapshots: Snapshots | None = None

    def look_at(self, snapshots: Snapshots) -> None:
        """Count these from now on."""
        self._snapshots = snapshots

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Count. Before anything was copied there is nothing to count."""
        if self._snapshots is None or not self._snapshots.loaded:
            return
        snapshot = self._snapshots.latest()
        yield from _blocks(snapshot)
        yield from _gates(snapshot)


def _blocks(snapshot: Snapshot) -> Iterator[GaugeMetricFamily]:
    spaces: dict[tuple[str, str], int] = defaultdict(int)
    unknown: dict[str, int] = defaultdict(int)
    named = {block for block in sorted({status.lot.block for status in snapshot.lots.values()})[:MOST_BLOCKS] if block}
    for status in snapshot.lots.values():
        block = status.lot.block if status.lot.block in named else _OTHER
        counts = {"capacity": status.capacity, "free": status.free, "held": status.held, "offered": status.offered}
        unknown[block] += status.free is None
        for of, count in counts.items():
            spaces[block, of] += count or 0
    family = GaugeMetricFamily(
        "bowei_availability_spaces",
        "How many spaces do the lots of a block have, show free, hold and offer? Unknown ones are left out.",
        labels=("block", "of"),
    )
    for labels, count in sorted(spaces.items()):
        family.add_metric(labels, count)
    yield family
    unknown_family = GaugeMetricFamily(
        "bowei_availability_lots_unknown", "Of how many lots of a block is no free count known?", labels=("block",)
    )
    for block, count in sorted(unknown.items()):
        unknown_family.add_metric((block,), count)
    yield unknown_family


def _gates(snapshot: Snapshot) -> Iterator[GaugeMetricFamily]:
    free = GaugeMetricFamily(
        "bowei_availability_gate_free_spaces",
        "How many spaces are free at a hospital? Absent: unknown.",
        labels=("hospital",),
    )
    queue = GaugeMetricFamily(
        "bowei_availability_gate_queue_vehicles",
        "How many cars wait at a hospital's gate, as its staff or its lot says? Absent: not said.",
        labels=("hospital",),
    )
    state = GaugeMetricFamily(
        "bowei_availability_gate_state",
        "In which state is a hospital's gate (1), and in which not (0)?",
        labels=("hospital", "state"),
    )
    for hospital_id in sorted(snapshot.gates)[:MOST_HOSPITALS]:
        gate = snapshot.gates[hospital_id]
        if gate.free is not None:
            free.add_metric((hospital_id,), gate.free)
        if gate.queue_vehicles is not None:
            queue.add_metric((hospital_id,), gate.queue_vehicles)
        for one in GateState:
            state.add_metric((hospital_id, one), float(gate.state is one))
    yield from (free, queue, state)
