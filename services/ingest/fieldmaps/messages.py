"""What a map says: a document's items, and for each kind of message what in it is a count, a car or a sign of life."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from bowei.domain.heartbeats import Sign
from bowei.domain.lots import SpaceClass
from bowei.domain.observations import LotState, PassageKind
from bowei.observability.operator_files import STRICT, unfit
from services.ingest.fieldmaps.counting import ConstantCount, CountIn, WrittenIn
from services.ingest.fieldmaps.documents import DocumentIn
from services.ingest.fieldmaps.fields import AnyPaths, FieldIn, TextIn, WordIn, check_means
from services.ingest.fieldmaps.paths import AnyPath, ValuePath
from services.ingest.fieldmaps.placing import PlacesIn
from services.ingest.fieldmaps.replying import ReplyIn
from services.ingest.fieldmaps.signing import SigningIn
from services.ingest.fieldmaps.timing import TimeIn, Zone

_STATES = frozenset(LotState)
_WORST_FIRST = (LotState.CLOSED, LotState.OUT_OF_ORDER, LotState.FULL_AT_ENTRANCE, LotState.OPEN, LotState.UNKNOWN)
WORST: Mapping[LotState, int] = MappingProxyType({state: place for place, state in enumerate(_WORST_FIRST)})
"""Which of several states counts: the first of these."""


class StateIn(WordIn):
    """What the lot says of itself; a word that is not listed means `otherwise`."""

    otherwise: Annotated[LotState, Field(strict=False)] = LotState.UNKNOWN

    @model_validator(mode="after")
    def _check_means(self) -> Self:
        check_means(self.means, _STATES)
        return self


class KindIn(WordIn):
    """Which way a car went."""

    @model_validator(mode="after")
    def _check_means(self) -> Self:
        check_means(self.means, frozenset(PassageKind))
        return self


class SignIn(WordIn):
    """What a sign of life says."""

    @model_validator(mode="after")
    def _check_means(self) -> Self:
        check_means(self.means, frozenset(Sign))
        return self


class YesIn(WordIn):
    """A yes or no."""

    @model_validator(mode="after")
    def _check_means(self) -> Self:
        check_means(self.means, frozenset({"yes", "no"}))
        return self


class SeqIn(FieldIn):
    """A whole number that grows with each report of a lot."""


def _as_list(said: object) -> object:
    return said if isinstance(said, list) or said is None else [said]


class CountsIn(BaseModel):
    """What an item says about a lot's spaces. With `occupied` and `capacity`, free is what is left."""

    model_config = STRICT
    free: CountIn | None = None
    occupied: CountIn | None = None
    capacity: ConstantCount | CountIn | None = None
    open: CountIn | None = None
    queue_vehicles: CountIn | None = None
    classes: dict[Annotated[SpaceClass, Field(strict=False)], CountIn] = Field(default_factory=dict)
    state: Annotated[list[StateIn], BeforeValidator(_as_list), Field(max_length=5)] = Field(default_factory=list)
    method: Literal["barrier_count", "space_sensor", "camera", "manual", "model"] | None = None
    place: PlacesIn | None = None

    @model_validator(mode="after")
    def _check_says_something(self) -> Self:
        if self.free is None and self.occupied is None and not self.state:
            raise unfit("Say where free, occupied or state stands.")
        if self.free is None and self.occupied is not None and self.capacity is None:
            raise unfit("To know what is free, occupied needs capacity too: a path, or {constant: 120}.")
        return self


class CarIn(BaseModel):
    """What an item says about one car in or out."""

    model_config = STRICT
    passage_id: Annotated[list[TextIn], BeforeValidator(_as_list), Field(min_length=1, max_length=5)]
    """The sender's own number of it; of several fields, all together. Never the plate."""
    kind: KindIn | Literal["enter", "exit"]
    passed_at: TimeIn
    plate: TextIn | None = None
    shared: YesIn | None = None
    moves_count: bool | None = None
    """Whether the lot's count follows from its cars; else only where the message has no counts."""

    @model_validator(mode="after")
    def _check_no_plate_in_id(self) -> Self:
        paths = [path.text for field in self.passage_id for path in field.path]
        if self.plate is not None and any(path.text in paths for path in self.plate.path):
            raise unfit("passage_id is kept in the clear, so it must not hold the plate. Use other fields.")
        return self


class LifeIn(BaseModel):
    """A sign of life, or of its end."""

    model_config = STRICT
    sign: SignIn | Literal["heartbeat", "comms_lost", "comms_restored"] = "heartbeat"
    at: TimeIn | None = None


class WhenIn(BaseModel):
    """What must be so for a message to be of this kind."""

    model_config = STRICT
    path: AnyPaths
    """The first that holds something counts."""
    of: Literal["item", "document"] = "item"
    equals: Annotated[list[str], BeforeValidator(_as_list), Field(min_length=1, max_length=50)] | None = None
    """The texts of which it must be one; without them it must merely hold something."""
    absent: bool = False
    """It must hold nothing."""


class MessageIn(BaseModel):
    """One kind of message."""

    model_config = STRICT
    when: Annotated[list[WhenIn], BeforeValidator(_as_list), Field(max_length=5)] = Field(default_factory=list)
    items: AnyPath = ValuePath("$")
    """Where each item stands in the document; a document may be one item."""
    lot: TextIn | None = None
    """The sender's own code of the lot; without it, the feed says which lot it is."""
    observed_at: TimeIn | None = None
    seq: SeqIn | None = None
    counts: CountsIn | None = None
    car: CarIn | None = None
    life: LifeIn | None = None
    dropped: bool = False
    """Taken and not kept: such messages are none of our business."""

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        says_something = self.counts is not None or self.car is not None or self.life is not None
        if says_something is self.dropped:
            raise unfit("Say counts, car or life; or dropped: true for what is answered and not kept.")
        if not self.items.text.startswith("$"):
            raise unfit("items: write a JSON path that starts with $, such as $.data.park[*].")
        return self


class MapIn(WrittenIn):
    """A whole field map."""

    map: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9-]*$")]
    """Its name."""
    about: Annotated[str, Field(min_length=1, max_length=1_000)]
    document: DocumentIn = Field(default_factory=DocumentIn)
    timezone: Zone | None = None
    messages: Annotated[list[MessageIn], Field(min_length=1, max_length=20)]
    signing: SigningIn | None = None
    reply: ReplyIn | None = None
