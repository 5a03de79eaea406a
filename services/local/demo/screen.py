"""The terminal: where to look, then the block as it lives."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich import box
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from services.local.demo.counting import Figures
from services.local.demo.world import CarPark, HospitalGate, World

_HOSPITALS_SHOWN = 5
_LOTS_SHOWN = 14
_LOG_WIDTH = 120


def addresses(urls: Mapping[str, str], hospital_id: str, pids: Mapping[str, int]) -> Table:
    """Give the table of addresses that a person may open."""
    table = Table(title="Bowei 泊位", box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("what")
    table.add_column("where", overflow="fold")
    rows = [
        ("gate of the hospital", f"{urls['availability']}/v1/hospitals/{hospital_id}/gate"),
        ("lots", f"{urls['availability']}/v1/lots"),
        ("live stream (SSE)", f"{urls['availability']}/v1/stream?hospital={hospital_id}"),
    ]
    for name, url in urls.items():
        pid = f" (pid {pids[name]})" if name in pids else ""
        rows.append((f"{name}: API{pid}", f"{url}/v1/openapi.json"))
        rows.append((f"{name}: metrics", f"{url}/metrics"))
    for row in rows:
        table.add_row(*row)
    return table


class Screen:
    """Draws the block; made anew several times a second from what the world and availability say."""

    def __init__(self, world: World, figures: Figures, shown: Mapping[str, Mapping[str, Any]], seed: str) -> None:
        self._world = world
        self._figures = figures
        self._shown = shown
        self._seed = seed
        self._zone = next(iter(world.parks.values())).lot.zone

    def __rich__(self) -> RenderableType:
        """Draw."""
        return Group(self._head(), self._hospitals(), self._lots(), self._recent(), self._tally())

    def _head(self) -> Text:
        now = self._world.pace.now().astimezone(self._zone)
        return Text.assemble(
            ("Bowei 泊位", "bold"),
            f"   {now:%A %H:%M} · {self._world.pace.speed:g}× · seed {self._seed} · Ctrl-C stops everything",
        )

    def _hospitals(self) -> Panel:
        table = Table.grid(padding=(0, 2))
        gates = sorted(self._world.gates.values(), key=lambda gate: (-gate.queue, gate.park.free))
        for gate in gates[:_HOSPITALS_SHOWN]:
            table.add_row(*_gauge(gate))
        return Panel(table, title="hospital 医院", title_align="left", box=box.ROUNDED)

    def _lots(self) -> Table:
        table = Table(box=box.SIMPLE_HEAD, expand=True)
        table.add_column("lot 停车场", ratio=3, no_wrap=True)
        for title in ("capacity", "free there", "free shown", "held", "offered", "age s"):
            table.add_column(title, justify="right")
        table.add_column("barrier")
        for park in self._most_used():
            table.add_row(*_lot_row(park, self._shown.get(park.lot.lot_id, {})))
        return table

    def _most_used(self) -> Sequence[CarPark]:
        parks = self._world.shared_parks()
        if len(parks) <= _LOTS_SHOWN:
            return parks
        return sorted(parks, key=lambda park: -int(self._shown.get(park.lot.lot_id, {}).get("held", 0)))[:_LOTS_SHOWN]

    def _recent(self) -> Table:
        table = Table(box=box.SIMPLE_HEAD, expand=True)
        table.add_column("at")
        table.add_column("diverted to 引导至", no_wrap=True)
        table.add_column("why", ratio=1, no_wrap=True)
        for one in list(self._figures.recent)[:6]:
            lot = self._world.parks[one.lot_id].lot if one.lot_id else None
            table.add_row(_clock(one.at, self._zone), lot.name.zh if lot else "--", one.why)
        return table

    def _tally(self) -> Text:
        tally = self._figures.tally
        broken = ("red bold" if tally.broken_promises else "green", f"broken promises {tally.broken_promises}")
        refused = "red bold" if tally.refused_on_arrival else "green"
        return Text.assemble(
            f"cars {tally.cars} · diverted {tally.diverted} · held {tally.held} · arrived {tally.arrived} · "
            f"gave up {tally.gave_up} · no-shows {tally.no_shows} · ",
            (f"refused on arrival {tally.refused_on_arrival}", refused),
            f" · unfenced {tally.refused_unfenced} · ",
            (broken[1], broken[0]),
        )


def progress_line(world: World, figures: Figures, zone: ZoneInfo) -> str:
    """Give one line of progress for a log."""
    tally, gate = figures.tally, next(iter(world.gates.values()))
    return (
        f"{_clock(world.pace.now(), zone)} cars {tally.cars}, hospital free {gate.park.free}, queue {gate.queue}, "
        f"diverted {tally.diverted}, held {tally.held}, arrived {tally.arrived}, "
        f"refused {tally.refused_on_arrival}+{tally.refused_unfenced}, broken {tally.broken_promises}"
    )


def _gauge(gate: HospitalGate) -> tuple[RenderableType, ...]:
    lot = gate.park.lot
    bar = ProgressBar(total=lot.capacity, completed=gate.park.parked, width=40)
    return (
        gate.hospital.name.zh,
        bar,
        f"{gate.park.free} free of {lot.capacity}",
        Text(f"queue {gate.queue}", style="yellow" if gate.queue else ""),
    )


def _lot_row(park: CarPark, shown: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        park.lot.name.zh,
        str(park.lot.capacity),
        str(park.free),
        *(str(shown.get(name, "--")) for name in ("free", "held", "offered", "age_s")),
        "linked" if park.lot.barrier_link else "none",
    )


def _clock(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%H:%M")


def console_for(*, as_json: bool) -> Console:
    """Give the console: standard error where standard output is kept for the result. Honours NO_COLOR."""
    console = Console(stderr=as_json)
    return console if console.is_terminal else Console(stderr=as_json, width=_LOG_WIDTH)
