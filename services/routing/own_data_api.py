"""HTTP in, HTTP out, of what is kept of a driver: to be seen, and to be erased, by whoever has the driver's token."""

from fastapi import APIRouter, Response, status
from pydantic import BaseModel, Field

from bowei.domain.holds import Hold
from bowei.domain.problems import Refused
from bowei.observability.instants import Instant
from bowei.observability.problems import problem_responses
from services.routing.wiring import Driver, Wired

router = APIRouter(prefix="/v1/drivers", responses=problem_responses(401, 409, 429, 503))


class OwnHoldOut(BaseModel):
    """One hold, as it is kept."""

    diversion_id: str
    ordinal: int
    hospital_id: str
    lot_id: str
    space_class: str = Field(serialization_alias="class")
    state: str
    placed_at: Instant
    expires_at: Instant
    arrived_at: Instant | None = None
    ended_at: Instant | None = None
    reason: str | None = None
    code: str | None = Field(None, description="Kept for a day after the car has left.")

    @classmethod
    def of(cls, hold: Hold) -> "OwnHoldOut":
        """Show a hold."""
        return cls(
            diversion_id=hold.diversion_id,
            ordinal=hold.ordinal,
            hospital_id=hold.hospital_id,
            lot_id=hold.lot_id,
            space_class=str(hold.space_class),
            state=str(hold.state),
            placed_at=hold.placed_at,
            expires_at=hold.expires_at,
            arrived_at=hold.arrived_at,
            ended_at=hold.ended_at,
            reason=hold.reason,
            code=hold.code,
        )


class OwnDataOut(BaseModel):
    """All that is kept of a driver. Plates are kept as keyed hashes alone, positions not at all."""

    driver_id: str = Field(description="Random, made with the token; it names nobody.")
    holds: list[OwnHoldOut]


@router.get("/me", operation_id="get_own_data", summary="What is kept of me", response_model_exclude_none=True)
async def get_own_data(wired: Wired, driver_id: Driver, response: Response) -> OwnDataOut:
    """Give all that is kept of the driver whose token this is."""
    response.headers["Cache-Control"] = "no-store"
    holds = await wired.persons.holds_of(driver_id)
    return OwnDataOut(driver_id=driver_id, holds=[OwnHoldOut.of(hold) for hold in holds])


@router.delete(
    "/me",
    operation_id="erase_own_data",
    summary="Forget me",
    status_code=status.HTTP_204_NO_CONTENT,
)
async def erase_own_data(wired: Wired, driver_id: Driver) -> None:
    """Forget the driver now, for good. While a space is held, or the car stands in a lot, give it up or leave first.

    What is left of each hold are its lot, times and outcome, of nobody.
    """
    if not await wired.persons.erase(driver_id):
        raise Refused("driver_has_hold")
