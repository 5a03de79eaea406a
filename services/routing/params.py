"""What a driver's app may send."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from bowei.domain.lots import ID_FORM, SpaceClass, Standing
from bowei.domain.places import Datum

_STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

Identifier = Annotated[str, StringConstraints(pattern=f"^{ID_FORM}$")]
DiversionId = Annotated[str, StringConstraints(min_length=8, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*$")]


class PositionIn(BaseModel):
    """Where the driver is; the datum must be said."""

    model_config = _STRICT
    lat: Annotated[float, Field(ge=-90, le=90)]
    lon: Annotated[float, Field(ge=-180, le=180)]
    datum: Annotated[Datum, Field(strict=False)]


class DiversionIn(BaseModel):
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
    plate: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z一-鿿][0-9A-Za-z一-鿿· .-]{3,15}$")] | None = Field(
        default=None, description="Kept only as a keyed hash; lets the lot's barrier know the car."
    )


class ExtensionIn(BaseModel):
    """Keep the space longer."""

    model_config = _STRICT
    extend_s: Annotated[int, Field(ge=30, le=3600)]


class RefusalIn(BaseModel):
    """The lot had no space for the car on arrival."""

    model_config = _STRICT
    ordinal: Annotated[int, Field(ge=1, le=1000, description="Which hold of the diversion failed.")]
