"""The bodies of answers. What is unknown is absent; seconds and metres are whole; places are WGS-84."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from bowei.domain.dirt import Dirt, Doubt
from bowei.domain.forecasting import UNKNOWN_LOT
from bowei.domain.freshness import Freshness
from bowei.domain.gate import GateState
from bowei.domain.lots import Entrance, LotKind, Name, SpaceClass
from bowei.domain.observations import Bound, LotState
from bowei.domain.places import Point
from bowei.observability.instants import Instant
from services.availability import examples
from services.availability.considered_view import ConsideredView
from services.availability.forecasts import ForecastView
from services.availability.gates import GateStatus, NextLot
from services.availability.lots import Fault, Level, LotStatus, Sharing
from services.availability.snapshots import Snapshot
from services.availability.wording import WHY, Sentence, Why


class TextView(BaseModel):
    """A text in both languages."""

    zh: str
    en: str

    @classmethod
    def of(cls, text: Name | Sentence) -> "TextView":
        """Show a name or sentence."""
        return cls(zh=text.zh, en=text.en)


class PlaceView(BaseModel):
    """A place, WGS-84 degrees."""

    lat: float
    lon: float
    datum: Literal["wgs84"] = "wgs84"

    @classmethod
    def of(cls, point: Point) -> "PlaceView":
        """Show a point."""
        return cls(lat=point.lat, lon=point.lon)


class EntranceView(PlaceView):
    """Where a car enters a lot."""

    id: str
    name: TextView

    @classmethod
    def at(cls, entrance: Entrance) -> "EntranceView":
        """Show an entrance."""
        return cls(
            id=entrance.entrance_id,
            name=TextView.of(entrance.name),
            lat=entrance.point.lat,
            lon=entrance.point.lon,
        )


class FreeView(BaseModel):
    """What is known of free spaces."""

    free: int | None = Field(
        None, description="As observed, never above the registered capacity. Absent: not known, or no longer."
    )
    free_bound: Bound | None = Field(
        None,
        description="Where the number is not exact: `at_least`, there are `free` or more; `at_most`, there are "
        "`free_at_most` or fewer, maybe none, and `free` is absent.",
    )
    free_at_most: int | None = None


class SharingView(BaseModel):
    """What one agreement lends of one class now. `offered` is absent where the lot's count is unknown."""

    hospital_id: str
    agreement_id: str
    space_class: SpaceClass = Field(serialization_alias="class")
    lent: int
    held: int = Field(description="Live holds under this agreement and class.")
    offered: int | None = Field(None, description="Spaces that this hospital's next drivers could be promised now.")

    @classmethod
    def of(cls, row: Sharing) -> "SharingView":
        """Show a row."""
        return cls(
            hospital_id=row.hospital_id,
            agreement_id=row.agreement_id,
            space_class=row.space_class,
            lent=row.lent,
            held=row.held,
            offered=row.offered,
        )


class LotNowView(FreeView):
    """What changes of a lot: what it saw (`free`), what is promised (`held`), what may be promised (`offered`)."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.LOT_NOW]})

    id: str
    state: LotState
    level: Level = Field(description="How full, with hysteresis. Closed is not full; unknown is neither.")
    capacity: int
    open: int | None = None
    occupied: int | None = None
    free_by_class: Mapping[SpaceClass, int] | None = None
    held: int = Field(description="Live holds on the lot, whoever they are for.")
    offered: int | None = Field(
        None,
        description="The most standard spaces that one agreement's hospital could be promised now; hospitals draw on "
        "the same spaces, so the rows of `sharing` must not be added up. Absent: not known, or never shared.",
    )
    queue_vehicles: int | None = None
    observed_at: Instant | None = None
    received_at: Instant | None = None
    age_s: int | None = Field(None, description="Age of the observation, by the city's clock.")
    freshness: Freshness
    faults: list[Fault | Doubt | Dirt] = Field(
        description="Why numbers are missing, or what is wrong with what the lot says: docs/dirt.md."
    )

    @classmethod
    def of(cls, status: LotStatus, at: datetime) -> "LotNowView":
        """Show what is known of a lot, with its age at an instant."""
        return cls(**_now_fields(status, at))


class LotView(LotNowView):
    """A lot."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.LOT]})

    name: TextView
    kind: LotKind
    block: str | None = None
    location: PlaceView
    entrances: list[EntranceView]
    max_height_cm: int | None = None
    barrier_link: bool = Field(description="The barrier is told of holds and keeps their spaces.")
    paused: bool = Field(description="The operator takes no new holds.")
    synthetic: bool = Field(description="Invented for a demo.")
    forecast: list[ForecastView] | None = Field(
        None, description="Absent: no exact count is known, or nobody foresees."
    )
    sharing: list[SharingView]

    @classmethod
    def cut(cls, status: LotStatus, snapshot: Snapshot) -> "LotView":
        """Show one lot of a snapshot whole."""
        lot = status.lot
        foreseen = snapshot.foreseen.get(lot.lot_id, UNKNOWN_LOT)
        return cls(
            **_now_fields(status, snapshot.at),
            name=TextView.of(lot.name),
            kind=lot.kind,
            block=lot.block or None,
            location=PlaceView.of(lot.location),
            entrances=[EntranceView.at(entrance) for entrance in lot.entrances],
            max_height_cm=lot.max_height_cm,
            barrier_link=lot.barrier_link,
            paused=lot.paused,
            synthetic=lot.synthetic,
            forecast=ForecastView.all_of(status, foreseen, snapshot.at),
            sharing=[SharingView.of(row) for row in status.sharing],
        )


def _now_fields(status: LotStatus, at: datetime) -> dict[str, Any]:
    return {
        "id": status.lot.lot_id,
        "state": status.state,
        "level": status.level,
        "capacity": status.capacity,
        "open": status.open,
        "free": status.free,
        "free_bound": status.bound,
        "free_at_most": status.free_at_most,
        "occupied": None if status.free is None or status.bound else max(0, status.capacity - status.free),
        "free_by_class": status.free_by_class or None,
        "held": status.held,
        "offered": status.offered,
        "queue_vehicles": status.queue_vehicles,
        "observed_at": status.observed_at,
        "received_at": status.received_at,
        "age_s": _whole_s(status.age_at(at)),
        "freshness": status.freshness,
        "faults": list(status.faults),
    }


class CopyView(BaseModel):
    """How current an answer is."""

    as_of: Instant = Field(description="Until when the numbers are known to be current, by the city's clock.")
    stale: bool = Field(
        description="Contact with the live state was lost for 10 s or more; these are the last numbers."
    )


class SignOfLifeView(CopyView):
    """How current a screen is; sent every few seconds while nothing changes."""

    silent_s: int = Field(
        description="For how many real seconds the live state has been silent; 0 while it answers. A screen says so "
        "within 10 s, and shows `--` from 60 s on."
    )

    @classmethod
    def at(cls, snapshot: Snapshot, silent_s: float) -> "SignOfLifeView":
        """Say how current a snapshot is."""
        return cls(as_of=snapshot.as_of, stale=snapshot.stale, silent_s=int(silent_s))


class LotsView(CopyView):
    """A page of lots."""

    items: list[LotView]
    total: int
    next: str | None = Field(None, description="Address of the next page.")


class OneLotView(LotView, CopyView):
    """One lot, and how current this is."""

    @classmethod
    def cut(cls, status: LotStatus, snapshot: Snapshot) -> "OneLotView":
        """Show one lot of a snapshot, and how current that is."""
        return cls(**dict(LotView.cut(status, snapshot)), as_of=snapshot.as_of, stale=snapshot.stale)


class WhyView(TextView):
    """Why this lot."""

    code: Why


class NextView(BaseModel):
    """Where the next car should go."""

    lot_id: str
    name: TextView
    offered: int
    drive_s: int | None = None
    walk_s: int
    walk_m: int
    estimated: bool = Field(description="The drive is a guess by air, not a way over roads.")
    walk_estimated: bool = Field(description="The walk is a guess by air, not a way over footways.")
    entrance: EntranceView
    why: WhyView

    @classmethod
    def of(cls, chosen: NextLot) -> "NextView":
        """Show the choice."""
        way, why = chosen.approach, WHY[chosen.why]
        return cls(
            lot_id=chosen.lot.lot_id,
            name=TextView.of(chosen.lot.name),
            offered=chosen.offered,
            drive_s=None if way.drive_s is None else round(way.drive_s),
            walk_s=round(way.walk_s),
            walk_m=round(way.walk_m),
            estimated=way.estimated,
            walk_estimated=way.walk_estimated,
            entrance=EntranceView.at(way.entrance),
            why=WhyView(code=chosen.why, zh=why.zh, en=why.en),
        )


class GateView(FreeView, SignOfLifeView):
    """What a hospital's gate shows."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.GATE]})

    hospital_id: str
    name: TextView
    lot_id: str
    state: GateState
    lot_state: LotState = Field(description="What the hospital's own lot says of itself; closed is not full.")
    capacity: int | None = None
    queue_vehicles: int | None = Field(None, description="Cars that wait; the gate's staff knows better than its lot.")
    queue_said_at: Instant | None = Field(
        None, description="When the staff counted them; absent: the lot reports them."
    )
    paused_until: Instant | None = Field(None, description="The staff sends no car elsewhere until then.")
    observed_at: Instant | None = None
    age_s: int | None = None
    freshness: Freshness
    next: NextView | None = Field(None, description="Where the next car should go; absent: nowhere.")
    text: TextView
    considered: list[ConsideredView] = Field(description="Every lot looked at, best first, then those left out.")

    @classmethod
    def cut(cls, gate: GateStatus, snapshot: Snapshot, silent_s: float) -> "GateView":
        """Show a gate of a snapshot."""
        return cls(
            as_of=snapshot.as_of,
            stale=snapshot.stale,
            silent_s=int(silent_s),
            hospital_id=gate.hospital.hospital_id,
            name=TextView.of(gate.hospital.name),
            lot_id=gate.hospital.lot_id,
            state=gate.state,
            lot_state=gate.lot_state,
            capacity=gate.capacity,
            free=gate.free,
            free_bound=gate.bound,
            free_at_most=gate.free_at_most,
            queue_vehicles=gate.queue_vehicles,
            queue_said_at=gate.queue_said_at,
            paused_until=gate.paused_until,
            observed_at=gate.observed_at,
            age_s=_whole_s(gate.age),
            freshness=gate.freshness,
            next=None if gate.next is None else NextView.of(gate.next),
            text=TextView.of(gate.text),
            considered=[ConsideredView.of(one) for one in gate.considered],
        )


class HospitalView(FreeView):
    """A hospital, and its gate in short."""

    hospital_id: str
    name: TextView
    lot_id: str
    block: str | None = None
    door: PlaceView
    gate: PlaceView
    radius_m: int
    state: GateState
    freshness: Freshness
    text: TextView

    @classmethod
    def of(cls, gate: GateStatus) -> "HospitalView":
        """Show a hospital."""
        hospital = gate.hospital
        return cls(
            hospital_id=hospital.hospital_id,
            name=TextView.of(hospital.name),
            lot_id=hospital.lot_id,
            block=hospital.block or None,
            door=PlaceView.of(hospital.door),
            gate=PlaceView.of(hospital.gate),
            radius_m=hospital.radius_m,
            state=gate.state,
            free=gate.free,
            free_bound=gate.bound,
            free_at_most=gate.free_at_most,
            freshness=gate.freshness,
            text=TextView.of(gate.text),
        )


class HospitalsView(CopyView):
    """Every hospital."""

    items: list[HospitalView]
    total: int


class StreamSnapshotView(CopyView):
    """The first message of a stream: all that was asked for, or what changed since the last event that arrived."""

    whole: bool
    lots: list[LotNowView]
    gates: list[GateView]


class TimeView(BaseModel):
    """The clock that this city runs on."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"now": "2026-03-02T00:30:05.000Z", "speed": 60.0}]})

    now: Instant
    speed: float | None = Field(None, description="How many times as fast as real time; absent: real time.")


def _whole_s(age: timedelta | None) -> int | None:
    return None if age is None else max(0, int(age.total_seconds()))
