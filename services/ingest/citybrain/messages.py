"""What lots say: one value per call, read from its JSON object.

Only syntax is judged here. Whether a count can be true (more free than the lot has, say) is for the rules of belief,
which keep what was said. Plates come out only in `plate`, hidden from repr, for the caller to hash at once; colour of
plate, attendant, booth and payment details are left where they were: Bowei has no use for them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType

from bowei.domain.observations import PassageKind
from bowei.domain.places import Datum, Point
from services.ingest.citybrain.fields import Fields, MapPoint, check_datums_agree
from services.ingest.citybrain.methods import DROPPED, Method
from services.ingest.citybrain.problems import CityBrainProblem, ProblemCode

_PLATE_LENGTH_MAX = 16


class StayKind(StrEnum):
    """On what terms a car parks (`parkingType` of a car's record)."""

    TEMPORARY = "1"
    MONTHLY = "2"
    SHARED = "3"
    SPECIAL = "4"
    UNKNOWN = "unknown"


class AttachedType(StrEnum):
    """What a lot was built for (`attachedType`, 配建类型)."""

    RESIDENTIAL = "01"
    SPORT = "02"
    HOTEL = "03"
    OFFICE = "04"
    CATERING = "05"
    HOSPITAL = "06"
    SCHOOL = "07"
    INDUSTRY = "08"
    SIGHTS = "09"
    CINEMA = "10"
    CULTURE = "11"
    MARKET = "12"
    MALL = "13"
    FINANCE = "14"
    COMMERCE = "15"
    HUB = "16"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Counts:
    """Spaces usable now, of them open to the public, and observed empty, as the lot says."""

    capacity: int
    open: int
    free: int


@dataclass(frozen=True, slots=True)
class ParkingState:
    """The lot's counts, on a timer or after its network came back; overrides what came before."""

    lot_code: str
    counts: Counts
    uploaded_at: datetime


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The lot is there; nothing else is said."""

    lot_code: str
    uploaded_at: datetime


@dataclass(frozen=True, slots=True)
class CarArrival:
    """A car came in. `uid` names its stay and is the same in every retry and in its CarDeparture."""

    uid: str
    arrival_id: str | None
    plate: str | None = field(repr=False)
    lot_code: str
    entrance: str | None
    counts: Counts
    arrived_at: datetime
    stay_kind: StayKind
    uploaded_at: datetime


@dataclass(frozen=True, slots=True)
class CarDeparture:
    """A car went out. `arrived_at` is absent where the lot missed the car's entry."""

    uid: str
    departure_id: str | None
    plate: str | None = field(repr=False)
    lot_code: str
    entrance: str | None
    exit: str | None
    counts: Counts
    arrived_at: datetime | None
    left_at: datetime
    stay_kind: StayKind
    charged_fen: int | None
    due_fen: int | None
    uploaded_at: datetime


@dataclass(frozen=True, slots=True)
class CheckRecord:
    """The lot's own tally of one day, to reconcile with."""

    lot_code: str
    day: date
    arrived_count: int
    left_count: int
    paid_fen: int
    uploaded_at: datetime


@dataclass(frozen=True, slots=True)
class ParkingInfo:
    """The lot describes itself: where it is, what it belongs to, how many spaces of which use."""

    lot_code: str
    name: str
    address: str | None
    region_code: str | None
    area_code: str | None
    opening_hours: str | None
    fee_scale: str | None
    attached_type: AttachedType
    on_street: bool | None
    capacity: int
    open: int
    temporary_count: int | None
    monthly_count: int | None
    visitor_count: int | None
    charging_count: int | None
    bmap: MapPoint | None
    gmap: MapPoint | None
    uploaded_at: datetime

    @property
    def location(self) -> Point | None:
        """Where the lot is, in WGS-84; from gmap if there, because GCJ-02 converts more exactly than BD-09."""
        stated = self.gmap or self.bmap
        return stated.to_point() if stated else None


@dataclass(frozen=True, slots=True)
class UidRequest:
    """The lot asks which uids of one day arrived here, to send the missing ones again."""

    lot_code: str
    day: date
    kind: PassageKind
    uploaded_at: datetime


@dataclass(frozen=True, slots=True)
class Dropped:
    """A call that is answered with yes and not kept."""

    method: Method


Upload = ParkingState | Heartbeat | CarArrival | CarDeparture | CheckRecord | ParkingInfo | UidRequest
"""Everything a lot says that is kept or answered from what was kept."""


def read_upload(method: Method, data: Mapping[str, object]) -> Upload | Dropped:
    """Read the object under `data` as what the call says it is; unknown fields are ignored.

    Raises:
        CityBrainProblem: `missing_field`, `bad_number`, `bad_time`, `bad_id`, `bad_text`, `bad_coordinates`,
            `datums_disagree`; the detail names the field.
    """
    if method in DROPPED:
        return Dropped(method)
    return _READERS[method](Fields(data))


def _counts(fields: Fields) -> Counts:
    return Counts(fields.count("totalBerthNum"), fields.count("openBerthNum"), fields.count("freeBerthNum"))


def _stay_kind(fields: Fields) -> StayKind:
    try:
        return StayKind(fields.choice("parkingType") or "")
    except ValueError:
        return StayKind.UNKNOWN


def _attached_type(fields: Fields) -> AttachedType:
    try:
        return AttachedType((fields.choice("attachedType") or "").zfill(2))
    except ValueError:
        return AttachedType.UNKNOWN


def _parking_state(fields: Fields) -> ParkingState:
    return ParkingState(fields.code("parkingCode"), _counts(fields), fields.instant("uploadTime"))


def _heartbeat(fields: Fields) -> Heartbeat:
    return Heartbeat(fields.code("parkingCode"), fields.instant("uploadTime"))


def _car_in(fields: Fields) -> CarArrival:
    return CarArrival(
        uid=fields.code("uid"),
        arrival_id=fields.optional_code("arriveID"),  # v1 has none
        plate=fields.optional_text("plateNo", _PLATE_LENGTH_MAX),
        lot_code=fields.code("parkingCode"),
        entrance=fields.optional_text("entryNum", 64),
        counts=_counts(fields),
        arrived_at=fields.instant("arriveTime"),
        stay_kind=_stay_kind(fields),
        uploaded_at=fields.instant("uploadTime"),
    )


def _car_out(fields: Fields) -> CarDeparture:
    return CarDeparture(
        uid=fields.code("uid"),
        departure_id=fields.optional_code("endID"),  # v1 has none
        plate=fields.optional_text("plateNo", _PLATE_LENGTH_MAX),
        lot_code=fields.code("parkingCode"),
        entrance=fields.optional_text("entryNum", 64),
        exit=fields.optional_text("outNum", 64),
        counts=_counts(fields),
        arrived_at=fields.optional_instant("arriveTime"),
        left_at=fields.instant("endTime"),
        stay_kind=_stay_kind(fields),
        charged_fen=fields.optional_fen("chargeFee"),
        due_fen=fields.optional_fen("shouldPay", "shouldpay"),  # v1 spells it small
        uploaded_at=fields.instant("uploadTime"),
    )


def _check_record(fields: Fields) -> CheckRecord:
    return CheckRecord(
        lot_code=fields.code("parkingCode"),
        day=fields.day("checkDate"),
        arrived_count=fields.count("arriveNum"),
        left_count=fields.count("leaveNum"),
        paid_fen=fields.fen("payTotal"),
        uploaded_at=fields.instant("uploadTime"),
    )


def _parking_info(fields: Fields) -> ParkingInfo:
    bmap, gmap = fields.map_point("bmap", Datum.BD09), fields.map_point("gmap", Datum.GCJ02)
    check_datums_agree(bmap, gmap)
    locate = fields.choice("parkingLocate")
    return ParkingInfo(
        lot_code=fields.code("parkingCode"),
        name=fields.text("parkingName", 128),
        address=fields.optional_text("address", 256),
        region_code=fields.optional_code("regionCode"),
        area_code=fields.optional_code("areaCode"),
        opening_hours=fields.optional_text("openTime", 256),
        fee_scale=fields.optional_text("feeScale", 1024),
        attached_type=_attached_type(fields),
        on_street={"1": False, "2": True}.get(locate or ""),
        capacity=fields.count("totalBerthNum"),
        open=fields.count("openBerthNum"),
        temporary_count=fields.optional_count("tempTotalNum"),
        # The first v1 documents print intrinsicTotal, and visitorTotalNu where they mean charging points.
        monthly_count=fields.optional_count("intrinsicTotalNum", "intrinsicTotal"),
        visitor_count=fields.optional_count("visitorTotalNum"),
        charging_count=fields.optional_count("chargeTotalNum", "visitorTotalNu"),
        bmap=bmap,
        gmap=gmap,
        uploaded_at=fields.instant("uploadTime"),
    )


def _uid_request(fields: Fields) -> UidRequest:
    ways = {"0": PassageKind.ENTER, "1": PassageKind.EXIT}
    way = ways.get(fields.choice("type") or "")
    if way is None:
        raise CityBrainProblem(ProblemCode.BAD_NUMBER, "type")
    return UidRequest(fields.code("parkingCode"), fields.day("accountDate"), way, fields.instant("uploadTime"))


_READERS: Mapping[Method, Callable[[Fields], Upload]] = MappingProxyType(
    {
        Method.PARKING_STATE: _parking_state,
        Method.HEARTBEAT: _heartbeat,
        Method.CAR_IN: _car_in,
        Method.CAR_OUT: _car_out,
        Method.CHECK_RECORD: _check_record,
        Method.PARKING_INFO: _parking_info,
        Method.DOWN_UID: _uid_request,
    }
)
