"""A scene: all that the parties of a neighbourhood agreed on, in one document (docs/scene-file.md).

It is read in two steps: its form (`read_scene`), then all that can't be true of it together with what is registered
already (`check_scene`). Both name every fault by its path in the document.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, ValidationError, model_validator
from shapely.geometry import Polygon

from bowei.domain.agreements import Agreement, AgreementId
from bowei.domain.calendars import Calendar
from bowei.domain.directory import Directory
from bowei.domain.lots import CalendarId, Hospital, HospitalId, Lot, LotId, SourceId
from bowei.domain.problems import FieldError, Refused
from bowei.observability.validation import refused_for
from bowei.records.registering import Source
from services.registry import plausible
from services.registry.agreement_params import AgreementIn
from services.registry.enrolling import enrolled, faults_of_source
from services.registry.params import (
    STRICT,
    CalendarIn,
    HospitalIn,
    Identifier,
    LotFields,
    NameIn,
    SourceIn,
    Words,
    Zone,
    wrong,
)

_MOST_ERRORS = 50


class AboutIn(BaseModel):
    """What the scene is."""

    model_config = STRICT
    name: NameIn
    timezone: Zone
    note: Words | None = None


class AreaIn(BaseModel):
    """A GeoJSON polygon: rings of [longitude, latitude], WGS-84, closed."""

    model_config = STRICT
    type: Literal["Polygon"]
    coordinates: Annotated[
        list[Annotated[list[Annotated[list[float], Field(min_length=2, max_length=2)]], Field(max_length=1_000)]],
        Field(min_length=1, max_length=20),
    ]

    @model_validator(mode="after")
    def _check_shape(self) -> Self:
        places = [place for ring in self.coordinates for place in ring]
        if any(abs(lat) > 90 for _, lat in places):
            raise wrong("swapped_axes")
        closed = all(len(ring) >= 4 and ring[0] == ring[-1] for ring in self.coordinates)
        if any(abs(lon) > 180 for lon, _ in places) or not closed or not self.polygon().is_valid:
            raise wrong("bad_polygon")
        return self

    def polygon(self) -> Polygon:
        """Give the shape, in (lon, lat) degrees."""
        return Polygon(self.coordinates[0], self.coordinates[1:])


class BlockIn(BaseModel):
    """A neighbourhood whose parties share."""

    model_config = STRICT
    block_id: Identifier
    name: NameIn
    area: AreaIn | None = None


class SceneCalendarIn(CalendarIn):
    """A calendar of a scene."""

    calendar_id: Identifier


class SceneLotIn(LotFields):
    """A lot of a scene."""

    lot_id: Identifier
    timezone: Zone | None = None


class SceneHospitalIn(HospitalIn):
    """A hospital of a scene."""

    hospital_id: Identifier


class SceneAgreementIn(AgreementIn):
    """An agreement of a scene."""

    agreement_id: Identifier


class SceneSourceIn(SourceIn):
    """A source of a scene."""

    source_id: Identifier


class SceneIn(BaseModel):
    """A whole scene."""

    model_config = STRICT
    scene: AboutIn
    blocks: Annotated[list[BlockIn], Field(max_length=200)] = Field(default_factory=list)
    calendars: Annotated[list[SceneCalendarIn], Field(max_length=50)] = Field(default_factory=list)
    lots: Annotated[list[SceneLotIn], Field(max_length=2_000)] = Field(default_factory=list)
    hospitals: Annotated[list[SceneHospitalIn], Field(max_length=200)] = Field(default_factory=list)
    agreements: Annotated[list[SceneAgreementIn], Field(max_length=5_000)] = Field(default_factory=list)
    sources: Annotated[list[SceneSourceIn], Field(max_length=2_000)] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Scene:
    """A scene that may be registered, and the keys that were made for its new sources."""

    calendars: tuple[Calendar, ...]
    lots: tuple[Lot, ...]
    hospitals: tuple[Hospital, ...]
    agreements: tuple[Agreement, ...]
    sources: tuple[Source, ...]
    keys: Mapping[str, str]


def read_scene(document: object) -> SceneIn:
    """Read the form of a scene from what YAML or JSON gave.

    Raises:
        Refused: invalid_request, with the path of each fault.
    """
    try:
        return SceneIn.model_validate(document)
    except ValidationError as error:
        raise refused_for(error.errors(include_url=False, include_input=False)) from None


def check_scene(sent: SceneIn, directory: Directory, sources: Sequence[Source]) -> Scene:
    """Judge a scene together with what is registered, and give what to register.

    Raises:
        Refused: invalid_request, with the path of each fault.
    """
    lots = tuple(_lot(lot, sent, directory) for lot in sent.lots)
    hospitals = tuple(hospital.hospital(hospital.hospital_id) for hospital in sent.hospitals)
    paused = {agreement.agreement_id: agreement.paused for agreement in directory.agreements}
    agreements = tuple(
        agreement.agreement(agreement.agreement_id, paused_now=paused.get(AgreementId(agreement.agreement_id), False))
        for agreement in sent.agreements
    )
    all_lots = dict(directory.lots) | {lot.lot_id: lot for lot in lots}
    all_hospitals = dict(directory.hospitals) | {hospital.hospital_id: hospital for hospital in hospitals}
    all_calendars = {*directory.calendars, *(CalendarId(calendar.calendar_id) for calendar in sent.calendars)}
    faults = tuple(
        islice(_faults(sent, lots, hospitals, agreements, all_lots, all_hospitals, all_calendars), _MOST_ERRORS)
    )
    if faults:
        raise Refused("invalid_request", errors=faults)
    known = {source.source_id: source for source in sources}
    enrolments = [enrolled(source.source_id, source, known.get(SourceId(source.source_id))) for source in sent.sources]
    return Scene(
        calendars=tuple(calendar.calendar(calendar.calendar_id) for calendar in sent.calendars),
        lots=lots,
        hospitals=hospitals,
        agreements=agreements,
        sources=tuple(source for source, _ in enrolments),
        keys={source.source_id: key for source, key in enrolments if key is not None},
    )


def _lot(sent: SceneLotIn, scene: SceneIn, directory: Directory) -> Lot:
    known = directory.lots.get(LotId(sent.lot_id))
    return sent.lot(sent.lot_id, sent.timezone or scene.scene.timezone, paused_now=known is not None and known.paused)


def _faults(
    sent: SceneIn,
    lots: Sequence[Lot],
    hospitals: Sequence[Hospital],
    agreements: Sequence[Agreement],
    all_lots: Mapping[LotId, Lot],
    all_hospitals: Mapping[HospitalId, Hospital],
    all_calendars: Collection[CalendarId],
) -> Iterator[FieldError]:
    yield from _repeated_ids(sent)
    areas = {block.block_id: None if block.area is None else block.area.polygon() for block in sent.blocks}
    for index, lot in enumerate(lots):
        yield from plausible.under(f"lots[{index}]", plausible.of_lot(lot, areas.get(lot.block)))
        yield from plausible.under(f"lots[{index}]", plausible.of_lots_calendar(lot, all_calendars))
        others = (hospital for hospital in all_hospitals.values() if hospital not in hospitals)
        yield from plausible.under(f"lots[{index}]", plausible.of_own_lot(lot, others))
    for index, hospital in enumerate(hospitals):
        yield from plausible.under(f"hospitals[{index}]", plausible.of_hospital(hospital, all_lots))
    for kind, blocks in (("lots", [lot.block for lot in lots]), ("hospitals", [one.block for one in hospitals])):
        for index, block in enumerate(blocks):
            if block and block not in areas:
                yield FieldError(f"{kind}[{index}].block", "unknown_block")
    for index, agreement in enumerate(agreements):
        found = plausible.of_agreement(agreement, all_lots, all_hospitals)
        yield from plausible.under(f"agreements[{index}]", found)
    for index, source in enumerate(sent.sources):
        yield from plausible.under(f"sources[{index}]", faults_of_source(source, all_lots))


def _repeated_ids(sent: SceneIn) -> Iterator[FieldError]:
    groups = (
        ("blocks", "block_id", [block.block_id for block in sent.blocks]),
        ("calendars", "calendar_id", [calendar.calendar_id for calendar in sent.calendars]),
        ("lots", "lot_id", [lot.lot_id for lot in sent.lots]),
        ("hospitals", "hospital_id", [hospital.hospital_id for hospital in sent.hospitals]),
        ("agreements", "agreement_id", [agreement.agreement_id for agreement in sent.agreements]),
        ("sources", "source_id", [source.source_id for source in sent.sources]),
    )
    for group, field, names in groups:
        for index in plausible.repeated(names):
            yield FieldError(f"{group}[{index}].{field}", "duplicate_id")
