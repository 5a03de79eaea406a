"""What may be said of roads: speeds in a batch, and closed areas as GeoJSON."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, ValidationInfo, field_validator, model_validator
from shapely.geometry import MultiPolygon, Polygon

from bowei.domain.places import Datum, Point, to_wgs84
from bowei.domain.plausible_places import fault_of_pair
from bowei.domain.road_conditions import (
    KMH_MAX,
    KMH_MIN,
    LONGEST_CLOSURE,
    SHARE_MAX,
    SHARE_MIN,
    Closure,
    RoadSpeed,
)
from services.registry.params import STRICT, NameIn, Words, wrong

MOST_SPEEDS = 100_000
"""Of one batch: both directions of every road of a large city."""

_MOST_LINE_POINTS = 1_000
_MOST_AREA_KM2 = 100.0
_KM2_PER_SQUARE_DEGREE = 111.195**2
"""At the equator, where a square degree is largest."""

_LARGEST_WAY = 2**62


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise wrong("naive_time")
    return at


_Time = Annotated[datetime, Field(strict=False), AfterValidator(_aware)]
_Pair = Annotated[list[float], Field(min_length=2, max_length=2)]
_LEAST_IN_RING = 4
_Rings = Annotated[list[Annotated[list[_Pair], Field(max_length=1_000)]], Field(min_length=1, max_length=20)]
_AnyDatum = Annotated[Datum, Field(strict=False)]


class Along(StrEnum):
    """In which direction of a way as the map draws it."""

    FORWARD = "forward"
    BACKWARD = "backward"
    BOTH = "both"


_SIGNS: Mapping[Along | None, tuple[int, ...]] = {Along.FORWARD: (1,), Along.BACKWARD: (-1,), Along.BOTH: (1, -1)}


class SpeedIn(BaseModel):
    """The speed of one road. By `way` as the map numbers it, with its direction there; or along a `line`."""

    model_config = STRICT
    way: Annotated[int, Field(ge=1, le=_LARGEST_WAY)] | None = None
    direction: Annotated[Along, Field(strict=False)] | None = None
    line: Annotated[list[_Pair], Field(min_length=2, max_length=_MOST_LINE_POINTS)] | None = Field(
        default=None, description="[longitude, latitude] of points along the road, in the direction of driving."
    )
    datum: _AnyDatum | None = Field(default=None, description="Of the line.")
    kmh: Annotated[float, Field(ge=KMH_MIN, le=KMH_MAX)] | None = None
    share: Annotated[float, Field(ge=SHARE_MIN, le=SHARE_MAX)] | None = Field(
        default=None, description="Of the road's usual speed: 0.5 takes twice as long."
    )

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        no_way, no_line = self.way is None, self.line is None
        if no_way is no_line or no_way is not (self.direction is None) or no_line is not (self.datum is None):
            raise wrong("one_road_needed")
        if (self.kmh is None) is (self.share is None):
            raise wrong("one_speed_needed")
        if self.line is not None and self.datum is not None:
            for pair in self.line:
                _check_pair(pair, self.datum)
        return self

    def speeds(self) -> list[RoadSpeed]:
        """Give the domain's values, one for each direction."""
        if self.line is not None and self.datum is not None:
            return [RoadSpeed(line=_points(self.line, self.datum), kmh=self.kmh, share=self.share)]
        way = self.way or 0
        return [RoadSpeed(way=sign * way, kmh=self.kmh, share=self.share) for sign in _SIGNS[self.direction]]


class SpeedsIn(BaseModel):
    """Speeds of roads until an instant; roads that are not named stay as they are."""

    model_config = STRICT
    valid_until: _Time = Field(examples=["2026-03-02T01:05:00Z"])
    speeds: Annotated[list[SpeedIn], Field(min_length=1, max_length=MOST_SPEEDS)] = Field(
        examples=[
            [
                {"way": 173846211, "direction": "forward", "kmh": 12.5},
                {"way": 24611093, "direction": "both", "share": 0.4},
                {"line": [[120.1680, 30.2847], [120.1684, 30.2903]], "datum": "gcj02", "kmh": 8},
            ]
        ]
    )


class PolygonIn(BaseModel):
    """A GeoJSON polygon: closed rings of [longitude, latitude], the outer one first."""

    model_config = STRICT
    type: Literal["Polygon"]
    coordinates: _Rings

    def polygons(self) -> list[_Rings]:
        """Give the one there is."""
        return [self.coordinates]


class MultiPolygonIn(BaseModel):
    """Several GeoJSON polygons."""

    model_config = STRICT
    type: Literal["MultiPolygon"]
    coordinates: Annotated[list[_Rings], Field(min_length=1, max_length=20)]

    def polygons(self) -> list[_Rings]:
        """Give each."""
        return self.coordinates


class ClosureIn(BaseModel):
    """An area whose roads are closed for a while: every road that touches it."""

    model_config = STRICT
    datum: _AnyDatum
    area: Annotated[PolygonIn | MultiPolygonIn, Field(discriminator="type")]
    starts_at: _Time
    ends_at: _Time
    reason: NameIn
    by: Words = Field(description="Who closed it.", examples=["杭州市公安局交通警察局"])

    @field_validator("area")
    @classmethod
    def _check_area(cls, area: PolygonIn | MultiPolygonIn, info: ValidationInfo) -> PolygonIn | MultiPolygonIn:
        polygons = area.polygons()
        for pair in (pair for rings in polygons for ring in rings for pair in ring):
            _check_pair(pair, info.data.get("datum", Datum.WGS84))
        if any(len(ring) < _LEAST_IN_RING or ring[0] != ring[-1] for rings in polygons for ring in rings):
            raise wrong("bad_polygon")
        shape = MultiPolygon([Polygon(rings[0], rings[1:]) for rings in polygons])
        if not shape.is_valid or shape.area == 0:
            raise wrong("bad_polygon")
        if shape.area * _KM2_PER_SQUARE_DEGREE > _MOST_AREA_KM2:
            raise wrong("area_too_large")
        return area

    @field_validator("ends_at")
    @classmethod
    def _check_period(cls, ends_at: datetime, info: ValidationInfo) -> datetime:
        starts_at = info.data.get("starts_at")
        if starts_at is not None and not timedelta() < ends_at - starts_at <= LONGEST_CLOSURE:
            raise wrong("bad_period")
        return ends_at

    def closure(self, closure_id: str) -> Closure:
        """Give the domain's value."""
        return Closure(
            closure_id=closure_id,
            area=tuple(tuple(_points(ring, self.datum) for ring in rings) for rings in self.area.polygons()),
            starts_at=self.starts_at.astimezone(UTC),
            ends_at=self.ends_at.astimezone(UTC),
            reason=self.reason.name(),
            by=self.by,
        )


def _check_pair(pair: Sequence[float], datum: Datum) -> None:
    lon, lat = pair
    if code := fault_of_pair(lat, lon, datum):
        raise wrong(code)


def _points(pairs: Sequence[Sequence[float]], datum: Datum) -> tuple[Point, ...]:
    return tuple(to_wgs84(lat, lon, datum) for lon, lat in pairs)
