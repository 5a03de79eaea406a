"""What drivers are told."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec
from pydantic import BaseModel, Field

from bowei.domain.announcing import Expectation
from bowei.domain.choosing import LotNow
from bowei.domain.holds import Hold, HoldState
from bowei.domain.lots import Entrance, Lot, LotId, Name
from bowei.domain.navigation import navigation_links
from bowei.domain.observations import Bound
from bowei.observability.instants import Instant, rfc3339
from services.routing import wording
from services.routing.diverting import Diversion
from services.routing.explaining import considered_lot, considered_lots
from services.routing.reasons import all_paused, why

_NOTHING_CONSIDERED = '"considered":[]'


class TextOut(BaseModel):
    """A text in both languages."""

    zh: str
    en: str


class HoldOut(BaseModel):
    """The promise: one space, until `expires_at`."""

    ordinal: int
    state: str
    lot_id: str
    space_class: str = Field(serialization_alias="class")
    placed_at: Instant
    expires_at: Instant
    extended: bool
    arrived_at: Instant | None = None
    ended_at: Instant | None = None
    reason: str | None = None
    code: str | None = Field(default=None, description="Shown at the lot instead of a plate; kept by a replacement.")


class RiskOut(BaseModel):
    """Why the space can hardly be kept, and no other is there to be had."""

    reason: str
    text: TextOut


class MovedOut(BaseModel):
    """From which lot the driver was moved, and why."""

    lot_id: str
    reason: str


class ExpectedOut(BaseModel):
    """What an announced driver finds at the hospital's own lot; unknown values are absent."""

    arrives_at: Instant
    chance: float | None = Field(default=None, description="That a space is free there then, 0 to 1.")
    free: int | None = None
    queue_vehicles: int | None = None
    full: bool = Field(description="True: ask again with the same id, and a space nearby is held.")


class EntranceOut(BaseModel):
    """Where to drive in."""

    id: str
    name: TextOut
    lat: float
    lon: float
    datum: Literal["wgs84"] = "wgs84"


class LotOut(BaseModel):
    """The lot to go to. Unknown counts are absent."""

    lot_id: str
    name: TextOut
    entrance: EntranceOut
    free: int | None = None
    free_bound: Bound | None = Field(default=None, description="`at_least`: there are `free` or more.")
    offered: int | None = Field(default=None, description="How many spaces were offered when it was chosen.")
    age_s: int | None = None


class RouteOut(BaseModel):
    """The way there: the drive (to 10 s), and the walk to the hospital's door."""

    drive_s: int | None = None
    walk_s: int
    walk_m: int
    estimated: bool = Field(description="True: the drive is a guess by air, not a way over roads.")
    walk_estimated: bool = Field(description="True: the walk is a guess by air, not a way over footways.")
    by: str = Field(description="Who found the drive: engine and roads, or `air`.")


class DiversionOut(BaseModel):
    """One answer to "the hospital is full"."""

    diversion_id: str
    outcome: Literal["held", "guided", "none", "proceed"] = Field(
        description="held: a space is (or was) held, see hold.state. guided: a lot is named, nothing is held. "
        "none: no lot had room; a hold shown beside it could not be kept, and no other lot could replace it. "
        "proceed: announced, and the hospital should have room; nothing is held, see expected."
    )
    hospital_id: str
    asked_at: str
    hold: HoldOut | None = None
    guaranteed: bool = Field(default=False, description="The lot's barrier keeps the held space.")
    at_risk: RiskOut | None = None
    moved_from: MovedOut | None = None
    expected: ExpectedOut | None = None
    watch: str | None = Field(default=None, description="Where an announced driver waits for a change (SSE).")
    lot: LotOut | None = None
    route: RouteOut | None = None
    nav: dict[str, str] | None = None
    considered: list[dict[str, Any]]
    text: TextOut
    why: TextOut = Field(description="Why this lot and not a nearer one; or why none.")


class GateDiversionOut(BaseModel):
    """A diversion of a car without an app, the token that opens it, and where its slip is."""

    diversion: DiversionOut
    driver_token: str
    slip: str | None = None


class NearOut(BaseModel):
    """How far the driver is from the entrance; the position is not kept."""

    near: bool
    distance_m: int
    arrived: bool = Field(description="True: the car is taken as arrived.")


class DriverOut(BaseModel):
    """A token for a driver that nobody knows."""

    driver_token: str
    expires_at: Instant


def diversion_out(diversion: Diversion, now: datetime) -> DiversionOut:
    """Show a diversion as it stands at `now`."""
    if diversion.expected is not None:
        return _proceeding(diversion, diversion.expected, now)
    hold, answer = diversion.decision.hold, diversion.explanation
    lot_id = hold.lot_id if hold else diversion.guided_to.lot_id if diversion.guided_to else None
    lot = diversion.known.directory.lots.get(lot_id) if lot_id else None
    shown = DiversionOut(
        diversion_id=diversion.diversion_id,
        outcome=_outcome(diversion),
        hospital_id=diversion.hospital_id,
        asked_at=str(answer.get("asked_at", "")),
        considered=[],
        text=_text(hold, lot),
        why=_name(why(answer, diversion.chosen, diversion.known.directory)),
        hold=None if hold is None else _hold_out(hold),
    )
    shown.considered = considered_lots(answer, diversion.chosen)  # ours, so there is nothing to check
    if hold is None and all_paused(shown.considered):
        shown.text = _name(wording.GATE_PAUSED)
    if hold is not None and answer is diversion.decision.answer:
        _show_life(shown, diversion, lot)
    if lot is None or diversion.chosen is None:
        return shown
    way = considered_lot(answer, lot.lot_id)
    entrance = next((one for one in lot.entrances if one.entrance_id == way.get("entrance_id")), lot.entrances[0])
    shown.guaranteed = lot.barrier_link and hold is not None and hold.state.live
    shown.lot = _lot_out(lot, entrance, diversion.known.lots.get(lot.lot_id), now)
    shown.lot.offered = way.get("offered")
    shown.route = _route_out(way, str(answer.get("by", "")))
    shown.nav = dict(navigation_links(entrance.point, lot.name.zh))
    return shown


def written(diversion: Diversion, now: datetime) -> str:
    """Write a diversion as it is answered, for a stream."""
    shown = diversion_out(diversion, now)
    # Most of the answer is what was considered, of which pydantic knows nothing: that is written by what knows JSON.
    considered, shown.considered = shown.considered, []
    rest = shown.model_dump_json(exclude_none=True, by_alias=True)
    return rest.replace(_NOTHING_CONSIDERED, f'"considered":{msgspec.json.encode(considered).decode()}', 1)


def _proceeding(diversion: Diversion, expected: Expectation, now: datetime) -> DiversionOut:
    hospital = diversion.known.directory.hospitals[diversion.hospital_id]
    text = _name(wording.expected(expected, hospital.name))
    query = urlencode({"hospital_id": hospital.hospital_id, "arrives_at": rfc3339(expected.arrives_at)})
    return DiversionOut(
        diversion_id=diversion.diversion_id,
        outcome="proceed",
        hospital_id=hospital.hospital_id,
        asked_at=rfc3339(now),
        expected=ExpectedOut(
            arrives_at=expected.arrives_at,
            chance=None if expected.chance is None else round(expected.chance, 2),
            free=expected.free,
            queue_vehicles=expected.queue,
            full=expected.full,
        ),
        watch=f"/v1/diversions/{diversion.diversion_id}/stream?{query}",
        considered=[],
        text=text,
        why=text,
    )


def _show_life(shown: DiversionOut, diversion: Diversion, lot: Lot | None) -> None:
    """Add where the driver was moved from, and what endangers the space now."""
    moved_from = diversion.decision.answer.get("moved_from")
    if moved_from is not None:
        shown.moved_from = MovedOut(**moved_from)
        left = diversion.known.directory.lots.get(LotId(shown.moved_from.lot_id))
        state = diversion.decision.hold.state if diversion.decision.hold else None
        if left is not None and state is HoldState.HELD:
            now = Name(shown.text.zh, shown.text.en)
            shown.text = _name(wording.moved(left.name, shown.moved_from.reason, now))
    if diversion.danger is not None and lot is not None:
        text = _name(wording.endangered(diversion.danger, lot.name))
        shown.at_risk = RiskOut(reason=str(diversion.danger), text=text)


def _outcome(diversion: Diversion) -> Literal["held", "guided", "none"]:
    if diversion.chosen is None:
        return "none"
    return "held" if diversion.decision.hold is not None else "guided"


def _hold_out(hold: Hold) -> HoldOut:
    return HoldOut(
        ordinal=hold.ordinal,
        state=str(hold.state),
        lot_id=hold.lot_id,
        space_class=str(hold.space_class),
        placed_at=hold.placed_at,
        expires_at=hold.expires_at,
        extended=hold.extended,
        arrived_at=hold.arrived_at,
        ended_at=hold.ended_at,
        reason=hold.reason,
        code=hold.code,
    )


def _lot_out(lot: Lot, entrance: Entrance, lot_now: LotNow | None, now: datetime) -> LotOut:
    report = lot_now.report.within(lot.capacity) if lot_now and lot_now.report else None
    free = report.countable if report is not None and report.believed_at(now) else None
    return LotOut(
        lot_id=lot.lot_id,
        name=_name(lot.name),
        entrance=EntranceOut(
            id=entrance.entrance_id, name=_name(entrance.name), lat=entrance.point.lat, lon=entrance.point.lon
        ),
        free=free,
        free_bound=report.bound
        if report is not None and free is not None and report.bound is not Bound.EXACT
        else None,
        age_s=max(0, round((now - report.observed_at).total_seconds())) if report is not None else None,
    )


def _route_out(way: Mapping[str, Any], by: str) -> RouteOut | None:
    if "walk_s" not in way:
        return None
    return RouteOut(
        drive_s=way.get("drive_s"),
        walk_s=way["walk_s"],
        walk_m=way["walk_m"],
        estimated=way["estimated"],
        walk_estimated=way.get("walk_estimated", True),  # kept by a release before walks were found
        by=by,
    )


def _name(name: Name) -> TextOut:
    return TextOut(zh=name.zh, en=name.en)


def _text(hold: Hold | None, lot: Lot | None) -> TextOut:
    if hold is not None and lot is None:
        return TextOut(zh="详情暂不可用，请以 hold 为准。", en="Details are away for a moment; see hold.")
    if lot is None:
        return TextOut(
            zh="附近暂无可共享的空车位，请稍后再试，或在院门口下客。",
            en="No shared space nearby is free now. Try again in a few minutes, or use the drop-off.",
        )
    if hold is None:
        return TextOut(
            zh=f"系统暂时无法保留车位。建议前往{lot.name.zh}，但车位未保留；稍后用同一编号重试即可保留。",
            en=f"No space can be held right now. Try {lot.name.en}: it is NOT held. Ask again with the same id.",
        )
    if hold.state is HoldState.HELD:
        return _held_text(lot, _clock_text(hold.expires_at, lot.zone))
    by_state: dict[str, TextOut] = {
        "arrived": TextOut(zh=f"您已到达{lot.name.zh}。", en=f"You have arrived at {lot.name.en}."),
        "settled": TextOut(zh=f"您的车停在{lot.name.zh}。", en=f"Your car is parked at {lot.name.en}."),
        "released": TextOut(zh="车位保留已取消。", en="The hold was given up."),
        "expired": TextOut(
            zh="车位保留已到期。仍需车位请重新申请。", en="The hold has run out. Ask again if you still need a space."
        ),
        "revoked": TextOut(
            zh=f"{lot.name.zh}无法兑现车位，暂无其他空位，请重新申请。",
            en=f"{lot.name.en} could not keep the space and no other lot has one now. Ask again.",
        ),
    }
    return by_state[str(hold.state)]


def _held_text(lot: Lot, until: str) -> TextOut:
    if lot.barrier_link:
        return TextOut(
            zh=f"已在{lot.name.zh}为您保留车位，请于{until}前到达。",
            en=f"A space is held for you at {lot.name.en} until {until}.",
        )
    return TextOut(
        zh=f"已在{lot.name.zh}为您登记车位至{until}；该停车场道闸未联网或暂无应答，仅作引导，不保证有位。",
        en=f"Noted for you until {until} at {lot.name.en}. No barrier keeps it now: guided, not guaranteed.",
    )


def _clock_text(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%H:%M")
