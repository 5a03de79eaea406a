"""Bodies of requests and answers of lots' systems."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from bowei.domain.lots import LotId, SpaceClass
from bowei.observability.instants import Instant
from bowei.records.barriers import BarrierCommand, CommandKind
from bowei.records.holding import Decision

_STRICT = ConfigDict(extra="forbid", strict=True)


class CommandOut(BaseModel):
    """One command: let a car in from - until, or not any more. It is known by its code, and by its plate's hash."""

    id: int
    kind: CommandKind
    valid_from: Instant
    valid_until: Instant
    given_at: Instant
    space_class: SpaceClass = Field(serialization_alias="class")
    code: str | None = None
    plate_hash: str | None = Field(
        default=None, description="24 hexadecimal digits: HMAC-SHA256 of the plate by the plate key, cut to 12 bytes."
    )

    @classmethod
    def of(cls, command: BarrierCommand) -> "CommandOut":
        """Show a command."""
        return cls(
            id=command.command_id,
            kind=command.kind,
            valid_from=command.valid_from,
            valid_until=command.valid_until,
            given_at=command.given_at,
            space_class=command.space_class,
            code=command.code,
            plate_hash=None if command.plate_hash is None else command.plate_hash.hex(),
        )


class CommandsOut(BaseModel):
    """What a barrier has not answered yet."""

    lot_id: str
    commands: list[CommandOut]
    cursor: int = Field(description="Send it as `after` in the next request.")


class BarrierAnswerIn(BaseModel):
    """The barrier's answer."""

    model_config = _STRICT | ConfigDict(json_schema_extra={"examples": [{"accepted": False, "reason": "lane closed"}]})
    accepted: bool
    reason: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None


class BarrierAnswerOut(BaseModel):
    """The answer, as it is kept."""

    id: int
    kind: CommandKind
    accepted: bool


class ArrivalIn(BaseModel):
    """A car that showed its code."""

    model_config = _STRICT | ConfigDict(json_schema_extra={"examples": [{"lot_id": "in77", "code": "48217306"}]})
    lot_id: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    code: Annotated[str, StringConstraints(pattern=r"^[0-9]{4} ?[0-9]{4}$")]


class ArrivalOut(BaseModel):
    """Let it in."""

    lot_id: str
    state: str
    space_class: SpaceClass = Field(serialization_alias="class")

    @classmethod
    def of(cls, lot_id: LotId, decision: Decision) -> "ArrivalOut":
        """Show an arrival; whose car it is stays untold."""
        assert decision.hold is not None  # noqa: S101 (an arrival has a hold)
        return cls(lot_id=lot_id, state=str(decision.hold.state), space_class=decision.hold.space_class)
