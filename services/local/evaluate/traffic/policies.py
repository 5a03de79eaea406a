"""What is compared: how a driver learns where to park when the hospital is full.

room      the hospital has room for all: nobody is diverted, and nothing is shared (the yardstick of extra time)
wait      drive to the hospital and queue
blind     at a full lot, drive on to another; nobody knows which has room       (the simulator's own rerouter)
visible   the same, and everybody sees every lot's count, live and right         (the simulator's own rerouter)
native    the same, and whoever is on the way has the space reserved             (the simulator's own reservation)
ours      ask at `decide_m` before the gate; a space is held until one arrives   (the routing service's own code)
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from services.local.evaluate.traffic.town import LOTS

PolicyName = Literal["room", "wait", "blind", "visible", "native", "ours"]
Margin = int | Literal["law"]


@dataclass(frozen=True, slots=True)
class Weights:
    """What the simulator's rerouter weighs, each divided by the largest among the alternatives."""

    distanceto: float = 0.0
    timeto: float = 1.0
    distancefrom: float = 1.0
    """From the lot to the door: its stand-in for the walk."""
    relfreespace: float = 0.0


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy with its parameters; equal ones are the same experiment."""

    name: PolicyName
    decide_m: float = 0.0
    """Ours: where before the gate a driver asks. Peers: within which distance of the gate counts are seen."""
    weights: Weights = field(default_factory=Weights)
    margin: Margin = 0
    """Ours: spaces kept back at each lot that has customers of its own, or by the law of its restlessness."""
    app_share: float = 1.0
    """Ours: who has the app. The others see the signs, like `visible`."""
    feed_age_s: float = 0.0
    no_show: float = 0.0
    feed_lost: str | None = None
    """A lot whose feed is silent from the 60th to the 90th minute."""
    barriers: bool = False
    """Ours: barriers keep held spaces, so a lot with none but those turns others away. Without them the first who
    comes takes the space."""
    paid_ahead_s: float = 0.0
    """Ours: drivers pay before they leave the hospital's lot, this long before in the mean, and it counts a space as
    free from then on. Whoever comes before it is empty waits at the gate."""
    sure: bool = False
    """Ours: the hospital's rules take a held space for a sure one, and weigh no chance that it is gone on arrival."""

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters that matter to this policy, as far as they are not the usual ones."""
        usual, known = asdict(Policy(self.name)), asdict(self)
        return {name: known[name] for name in _MATTERING[self.name] if known[name] != usual[name]}

    @property
    def native(self) -> bool:
        """Say whether the simulator reserves spaces."""
        return self.name == "native"


UNTUNED = Weights(distanceto=1.0, timeto=0.0, distancefrom=0.0)
"""The simulator's own defaults."""

_PEER = ("decide_m", "weights")
_MATTERING: Mapping[str, Sequence[str]] = {
    "room": (),
    "wait": (),
    "blind": ("weights",),
    "visible": _PEER,
    "native": _PEER,
    "ours": (
        *_PEER,
        "margin",
        "app_share",
        "feed_age_s",
        "no_show",
        "feed_lost",
        "barriers",
        "paid_ahead_s",
        "sure",
    ),
}


def types_xml(weights: Weights) -> str:
    """Give the types of cars: those that rerouters steer, and those that they leave alone."""
    params = "".join(f'<param key="parking.{name}.weight" value="{value}"/>' for name, value in asdict(weights).items())
    return f'  <vType id="steered"/>\n  <vType id="rerouted">{params}</vType>'


def rerouters_xml(*, visible: bool, seen_on: Iterable[str], lots: Sequence[str] = ()) -> str:
    """Give the rerouters: one at each lot's own driveway, and one on the edges from which counts are seen.

    Each names all lots, its own too, and only cars of the type `rerouted` heed it: own customers of a lot are not
    sent away.
    """
    names = list(lots) or [lot.name for lot in LOTS]
    offers = "".join(f'<parkingAreaReroute id="{name}" visible="{str(visible).lower()}"/>' for name in names)
    edges = " ".join(seen_on)
    places = [(f"at_{name}", f"{name}_in") for name in names] + ([("signs", edges)] if edges else [])
    lines = [
        f'  <rerouter id="{name}" edges="{on}" vTypes="rerouted"><interval begin="0" end="1000000">{offers}'
        "</interval></rerouter>"
        for name, on in places
    ]
    return "\n".join(["<additional>", *lines, "</additional>", ""])
