"""What a driver's app may send."""

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from bowei.domain.choosing import Need
from bowei.domain.lots import ID_FORM, SpaceClass, Standing
from bowei.domain.places import Datum

_STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

Identifier = Annotated[str, StringConstraints(pattern=f"^{ID_FORM}$")]
DIVERSION_ID_FORM = r"[A-Za-z0-9][A-Za-z0-9._:-]{7,63}"
DiversionId = Annotated[str, StringConstraints(min_length=8, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*$")]

Plate = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z一-鿿][0-9A-Za-z一-鿿· .-]{3,15}$")]


class PositionIn(BaseModel):
    """Where the driver is; the datum must be said."""

    model_config = _STRICT
    lat: Annotated[float, Field(ge=-90, le=90)]
    lon: Annotated[float, Field(ge=-180, le=180)]
    datum: Annotated[Datum, Field(strict=False)]


class CarIn(BaseModel):
    """What the car and its driver need."""

    model_config = _STRICT
    space_class: Annotated[SpaceClass, Field(alias="class", strict=False)] = SpaceClass.STANDARD
    height_cm: Annotated[int, Field(ge=50, le=600)] | None = None
    stay_s: Annotated[int, Field(ge=60, le=604_800)] | None = Field(
        default=None, description="How long the car will stay. Absent: as long as is usual at this hospital."
    )
    slow_walker: bool = Field(default=False, description="Each step weighs more; so it does where class is disabled.")
    standing: Annotated[Standing, Field(strict=False)] = Field(
        default=Standing.VISITOR,
        description="As the driver says. It counts where an agreement protects spaces; class disabled stands first.",
    )
    plate: Plate | None = Field(
        default=None, description="Kept only as a keyed hash; lets the lot's barrier know the car."
    )

    def need(self) -> Need:
        """Give the domain's value."""
        return Need(
            space_class=self.space_class,
            height_cm=self.height_cm,
            stay=None if self.stay_s is None else timedelta(seconds=self.stay_s),
            slow_walker=self.slow_walker,
            standing=self.standing,
        )


class DiversionIn(CarIn):
    """The hospital is full: where to?"""

    model_config = _STRICT | ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "hospital_id": "first-hospital",
                    "position": {"lat": 30.2601, "lon": 120.1617, "datum": "wgs84"},
                    "class": "standard",
                    "height_cm": 165,
                }
            ]
        }
    )
    hospital_id: Identifier
    position: PositionIn | None = Field(default=None, description="Absent: the car is at the hospital's gate.")
    announce: bool = Field(
        default=False,
        description="On the way to the hospital: divert me only if its own lot will be full when I arrive.",
    )


class GateDiversionIn(CarIn):
    """A car without an app is at the gate."""

    model_config = _STRICT | ConfigDict(
        json_schema_extra={"examples": [{"diversion_id": "gate-2-7f3kq9w2", "class": "standard", "plate": "浙A12345"}]}
    )
    diversion_id: DiversionId = Field(
        description="Made by the caller; the same id again gets the same answer. `gate-`, then at random."
    )


class ExtensionIn(BaseModel):
    """Keep the space longer."""

    model_config = _STRICT
    extend_s: Annotated[int, Field(ge=30, le=3600)]


class ArrivalIn(BaseModel):
    """The car is in the lot."""

    model_config = _STRICT
    ordinal: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None,
        description="Which hold the car came by. With it, who was moved and did not hear of it is told `hold_over`.",
    )


class RefusalIn(BaseModel):
    """The lot had no space for the car on arrival."""

    model_config = _STRICT
    ordinal: Annotated[int, Field(ge=1, le=1000, description="Which hold of the diversion failed.")]
