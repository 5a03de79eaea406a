"""The terminal: where to look, then the block as it lives."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from services.local.demo.counting import Figures
from services.local.demo.world import CarPark, HospitalGate, World

_HOSPITALS_SHOWN = 5
_LOTS_SHOWN = 14
_RECENT_SHOWN = 6
_LOG_WIDTH = 120
_WIDE = 110
"""Columns from which a lot's id fits beside its name: the id is what the API and the column "why" call it."""
_ROOMY = 36
"""Lines from which the tables may stand apart."""
_AROUND = 11
"""Lines taken by all but the rows: head 1, the hospitals' frame 2, the tables' heads 3 and 2, the tally 3."""


def addresses(urls: Mapping[str, str], hospital_id: str, pids: Mapping[str, int]) -> Table:
    """Give the table of addresses that a person may open; that of the console is too long for it."""
    table = Table(title="Bowei 泊位", box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("what")
    table.add_column("where", overflow="fold")
    rows = [
        ("board 诱导屏", board_address(urls, hospital_id)),
        ("driver's page 找车位", go_address(urls, hospital_id)),
        ("city map", f"{urls['availability']}/map"),
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


def board_address(urls: Mapping[str, str], hospital_id: str) -> str:
    """Give the address of a hospital's board, for drivers who look north."""
    return f"{urls['availability']}/board/{hospital_id}?facing=n"


def go_address(urls: Mapping[str, str], hospital_id: str) -> str:
    """Give the address of a driver's page, as the QR at the hospital has it."""
    return f"{urls['availability']}/go?h={hospital_id}"


def gate_address(urls: Mapping[str, str], hospital_id: str, gate_key: str) -> str:
    """Give the address of a gate's console, with its key in the fragment, which a browser sends to nobody."""
    return f"{urls['availability']}/gate/{hospital_id}#key={quote(gate_key)}"


def operator_address(urls: Mapping[str, str], party: str, secret: str) -> str:
    """Give the address of an operator's page, with the secret in the fragment, which a browser sends to nobody."""
    return f"{urls['availability']}/operator#party={quote(party)}&secret={quote(secret)}"


def pages_to_open(urls: Mapping[str, str], hospital_id: str, gate_key: str, operator: str) -> tuple[str, ...]:
    """Give the pages for people, each in a tab of its own; the board comes last: it is the one in front."""
    return (
        f"{urls['availability']}/map",
        operator,
        gate_address(urls, hospital_id, gate_key),
        go_address(urls, hospital_id),
        board_address(urls, hospital_id),
    )


class Screen:
    """Draws the block; made anew several times a second from what the world and availability say."""

    def __init__(self, world: World, figures: Figures, shown: Mapping[str, Mapping[str, Any]], seed: str) -> None:
        self._world = world
        self._figures = figures
        self._shown = shown
        self._seed = seed
        self._zone = next(iter(world.parks.values())).lot.zone

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw what fits: all lots first, then the last diversions; the tally always."""
        height = console.size.height
        roomy = height >= _ROOMY
        gates = self._busiest()
        rows = height - _AROUND - len(gates) - (4 if roomy else 0)
        lots = self._most_used(min(_LOTS_SHOWN, max(3, rows - 2)))
        recent = min(_RECENT_SHOWN, max(1, rows - len(lots)))
        yield Group(
            self._head(),
            _hospitals(gates),
            self._lots(lots, wide=options.max_width >= _WIDE, roomy=roomy),
            self._recent(recent, roomy=roomy),
            self._tally(),
        )

    def _head(self) -> Text:
        now = self._world.pace.now().astimezone(self._zone)
        return Text.assemble(
            ("Bowei 泊位", "bold"),
            f"   {now:%A %H:%M} · {self._world.pace.speed:g}× · seed {self._seed} · Ctrl-C stops everything",
        )

    def _busiest(self) -> Sequence[HospitalGate]:
        gates = sorted(self._world.gates.values(), key=lambda gate: (-gate.queue, gate.park.free))
        return gates[:_HOSPITALS_SHOWN]

    def _lots(self, parks: Sequence[CarPark], *, wide: bool, roomy: bool) -> Table:
        table = _table(roomy=roomy)
        table.add_column("lot 停车场", no_wrap=True)
        if wide:
            table.add_column("id", no_wrap=True)
        for title in ("capacity", "free\nthere", "free\nshown", "held", "offered", "age\ns"):
            table.add_column(title, justify="right", no_wrap=True)
        table.add_column("barrier", no_wrap=True)
        for park in parks:
            name, *rest = _lot_row(park, self._shown.get(park.lot.lot_id, {}))
            table.add_row(name, *([park.lot.lot_id] if wide else []), *rest)
        return table

    def _most_used(self, most: int) -> Sequence[CarPark]:
        parks = self._world.shared_parks()
        if len(parks) <= most:
            return parks
        return sorted(parks, key=lambda park: -int(self._shown.get(park.lot.lot_id, {}).get("held", 0)))[:most]

    def _recent(self, most: int, *, roomy: bool) -> Table:
        table = _table(roomy=roomy)
        table.add_column("at", no_wrap=True)
        table.add_column("diverted to 引导至", no_wrap=True)
        table.add_column("why", ratio=1, no_wrap=True)
        for one in list(self._figures.recent)[:most]:
            lot = self._world.parks[one.lot_id].lot if one.lot_id else None
            table.add_row(_clock(one.at, self._zone), lot.name.zh if lot else "--", one.why)
        return table

    def _tally(self) -> Text:
        tally = self._figures.tally
        refused = f"refused on arrival {tally.refused_on_arrival}"
        if tally.refused_unfenced:
            refused += f", {tally.refused_unfenced} more at lots without a barrier link"
        parts = (
            (f"broken promises {tally.broken_promises}", "red bold" if tally.broken_promises else "green"),
            (f"cars {tally.cars}", ""),
            (f"diverted {tally.diverted}", ""),
            (f"held {tally.held}", ""),
            (f"arrived {tally.arrived}", ""),
            (f"moved {tally.moved}", ""),
            (f"gave up {tally.gave_up}", ""),
            (f"no-shows {tally.no_shows}", ""),
            (refused, "red bold" if tally.refused_on_arrival else "green"),
        )
        # A figure stays on the line of its name.
        return Text(" · ").join(Text(words.replace(" ", "\N{NO-BREAK SPACE}"), style) for words, style in parts)


def progress_line(world: World, figures: Figures, zone: ZoneInfo) -> str:
    """Give one line of progress for a log."""
    tally, gate = figures.tally, next(iter(world.gates.values()))
    return (
        f"{_clock(world.pace.now(), zone)} cars {tally.cars}, hospital free {gate.park.free}, queue {gate.queue}, "
        f"diverted {tally.diverted}, held {tally.held}, arrived {tally.arrived}, moved {tally.moved}, "
        f"refused {tally.refused_on_arrival} (+{tally.refused_unfenced} at lots without a barrier link), "
        f"broken {tally.broken_promises}"
    )


def _table(*, roomy: bool) -> Table:
    return Table(box=box.SIMPLE_HEAD, expand=True, show_edge=roomy, pad_edge=False, collapse_padding=True)


def _hospitals(gates: Sequence[HospitalGate]) -> Panel:
    table = Table.grid(padding=(0, 2))
    for gate in gates:
        table.add_row(*_gauge(gate))
    return Panel(table, title="hospital 医院", title_align="left", box=box.ROUNDED)


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
