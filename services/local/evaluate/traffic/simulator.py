"""The traffic simulator, as the evaluation needs it; the one module that knows SUMO.

One simulation runs at a time in a process: libsumo is one global simulation.
"""

import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import libsumo
import sumo
from libsumo import constants

from services.local.evaluate.traffic.journeys import Happened, Moving

STEP_S = 1.0

_ROAD, _ODOMETER, _SPEED = constants.VAR_ROAD_ID, constants.VAR_DISTANCE, constants.VAR_SPEED
_WATCHED = (_ROAD, _ODOMETER, _SPEED)


class NetworkUnusable(Exception):
    """The network could not be made; the message is the converter's."""


def version() -> str:
    """Name the simulator."""
    return str(libsumo.getVersion()[1])


def build_network(nodes: Path, edges: Path, network: Path) -> None:
    """Make a network out of plain XML.

    Raises:
        NetworkUnusable: the converter refused.
    """
    converter = Path(sumo.SUMO_HOME) / "bin" / "netconvert"
    done = subprocess.run(  # noqa: S603 (the converter of the installed wheel, on files of our own)
        [
            *(str(converter), "--node-files", str(nodes), "--edge-files", str(edges), "--output-file", str(network)),
            *("--tls.default-type", "actuated", "--junctions.corner-detail", "0", "--no-warnings"),
            # Its plane stays ours: the middle is the door.
            *("--offset.disable-normalization", "true"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode != 0 or not network.is_file():
        raise NetworkUnusable(done.stderr[-2000:])


class SumoSimulation:
    """One running simulation; see `following.Simulation`."""

    def __init__(self, gate_edge: str, gate_pos_m: float) -> None:
        self._gate = (gate_edge, gate_pos_m)

    @property
    def now_s(self) -> float:
        """The simulated time."""
        return float(libsumo.simulation.getTime())

    def step(self) -> Happened:
        """Go on by one step."""
        libsumo.simulationStep()
        departed = tuple(libsumo.simulation.getDepartedIDList())
        for car in departed:
            libsumo.vehicle.subscribe(car, _WATCHED)
        parked = tuple(libsumo.simulation.getParkingStartingVehiclesIDList())
        left = tuple(libsumo.simulation.getParkingEndingVehiclesIDList())
        for car in left:
            # Its way home is nobody's question here.
            libsumo.vehicle.remove(car)
        moving = {
            car: Moving(seen[_ROAD], seen[_ODOMETER], seen[_SPEED])
            for car, seen in libsumo.vehicle.getAllSubscriptionResults().items()
            if car not in left
        }
        for car in parked:
            if car not in left:
                libsumo.vehicle.unsubscribe(car)
        return Happened(departed, parked, left, moving)

    def spaces_taken(self, lot: str) -> int:
        """Count the cars in a lot."""
        return int(libsumo.parkingarea.getVehicleCount(lot))

    def to_gate_m(self, car: str) -> float:
        """Give the driving distance from a car to the hospital's gate, along its way."""
        return float(libsumo.vehicle.getDrivingDistance(car, *self._gate))

    def at(self, car: str) -> tuple[float, float]:
        """Give where a car is on the plane, metres."""
        x, y = libsumo.vehicle.getPosition(car)
        return float(x), float(y)

    def bound_for(self, car: str) -> str | None:
        """Name the lot that a car drives to; None: it drives to none."""
        stops = libsumo.vehicle.getStops(car, 1)
        return str(stops[0].stoppingPlaceID) if stops else None

    def send(self, car: str, lot: str) -> bool:
        """Have a car drive to another lot; False where no way leads there."""
        try:
            libsumo.vehicle.rerouteParkingArea(car, lot)
        except libsumo.TraCIException:
            return False
        return True

    def take_away(self, car: str) -> None:
        """Take a moving car out of the simulation."""
        libsumo.vehicle.unsubscribe(car)
        libsumo.vehicle.remove(car)


@contextmanager
def running(
    network: Path, routes: Path, additional: Iterable[Path], *, seed: int, gate: tuple[str, float]
) -> Iterator[SumoSimulation]:
    """Run a simulation."""
    libsumo.start(
        [
            *("sumo", "--net-file", str(network), "--route-files", str(routes)),
            *("--additional-files", ",".join(str(one) for one in additional)),
            *("--step-length", str(STEP_S), "--seed", str(seed), "--threads", "1"),
            *("--time-to-teleport", "-1", "--no-step-log", "true", "--no-warnings", "true"),
            *("--weights.tls-penalty", "8", "--duration-log.disable", "true", "--xml-validation", "never"),
        ]
    )
    try:
        yield SumoSimulation(*gate)
    finally:
        libsumo.close()
