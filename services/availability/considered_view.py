"""One lot that was looked at for a gate, as it is shown."""

from pydantic import BaseModel, Field

from bowei.domain.choosing import Considered, Exclusion
from bowei.domain.observations import Bound


class ConsideredView(BaseModel):
    """One lot that was looked at: its cost by part, or why it was left out."""

    lot_id: str
    agreement_id: str
    excluded: Exclusion | None = None
    cost_s: int | None = None
    drive_s: int | None = None
    walk_s: int | None = None
    fill_s: int | None = None
    failure_s: int | None = Field(
        default=None, description="What finding no space on arrival would cost, by its chance."
    )
    fee_s: int | None = Field(default=None, description="`fee` at the hospital's value of time.")
    fee: str | None = Field(default=None, description="What a usual stay costs.")
    chance: float | None = Field(default=None, description="That a space is there on arrival.")
    unsure: bool | None = Field(
        default=None, description="Less sure than it should be: only where nothing else will do."
    )
    offered: int | None = None
    free: int | None = None
    free_bound: Bound | None = Field(None, description="`at_least`: there are `free` or more.")
    age_s: int | None = None

    @classmethod
    def of(cls, one: Considered) -> "ConsideredView":
        """Show what became of one lot."""
        view = cls(
            lot_id=one.lot_id,
            agreement_id=one.agreement_id,
            excluded=one.excluded,
            free=one.free,
            free_bound=None if one.bound is Bound.EXACT else one.bound,
            age_s=None if one.age_s is None else max(0, round(one.age_s)),
        )
        way = one.approach
        if one.excluded is None and way is not None and way.drive_s is not None:
            view.cost_s, view.offered = round(one.cost_s), one.offered
            view.drive_s, view.walk_s, view.fill_s = round(way.drive_s), round(way.walk_s), round(one.fill_s)
            view.failure_s, view.chance, view.unsure = round(one.failure_s), one.chance, one.unsure or None
            if one.fee is not None:
                view.fee_s, view.fee = round(one.fee_s), one.fee.text
        return view
