"""Bodies of requests and answers of a gate's staff, beside those of a diversion."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from bowei.domain.gate import LONGEST_PAUSE, MOST_QUEUEING
from bowei.observability.instants import Instant

_STRICT = ConfigDict(extra="forbid", strict=True)
_MOST_MINUTES = int(LONGEST_PAUSE.total_seconds() // 60)


class QueueIn(BaseModel):
    """How many cars wait."""

    model_config = _STRICT | ConfigDict(json_schema_extra={"examples": [{"vehicles": 12}]})
    vehicles: Annotated[int, Field(ge=0, le=MOST_QUEUEING)]


class QueueOut(BaseModel):
    """The word, as it is kept."""

    vehicles: int
    said_at: Instant
    shown_until: Instant


class PauseIn(BaseModel):
    """For how long no car is sent elsewhere."""

    model_config = _STRICT | ConfigDict(json_schema_extra={"examples": [{"minutes": 30}]})
    minutes: Annotated[int, Field(ge=1, le=_MOST_MINUTES)]


class PauseOut(BaseModel):
    """The pause, as it is kept."""

    paused_until: Instant
