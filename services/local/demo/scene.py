"""What a scene file says, as the simulated world needs it; the registry's own reader judges it first."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bowei.domain.agreements import Agreement
from bowei.domain.calendars import Calendar
from bowei.domain.directory import Directory
from bowei.domain.lots import CalendarId, Hospital, Lot, LotId
from bowei.domain.problems import Refused
from bowei.observability.yaml_text import read_yaml
from services.local.scenes.city import city_document
from services.local.setup_problem import SetupProblem
from services.registry.scene import check_scene, read_scene

SceneName = Literal["hangzhou", "city"]

_FOLDER = Path(__file__).parent.parent / "scenes"


@dataclass(frozen=True, slots=True)
class FeedSpec:
    """One source of the scene: what it speaks, and its own code of each of its lots."""

    source_id: str
    kind: str
    codes: Mapping[LotId, str]


@dataclass(frozen=True, slots=True)
class DemoScene:
    """A scene that the registry will take, and what is in it."""

    name: str
    document: Mapping[str, Any]
    lots: tuple[Lot, ...]
    hospitals: tuple[Hospital, ...]
    agreements: tuple[Agreement, ...]
    calendars: Mapping[CalendarId, Calendar]
    feeds: tuple[FeedSpec, ...]
    roads: Path | None
    """Streets to drive on; None: as the crow flies."""


def load_scene(name: SceneName, public_keys: Mapping[str, str]) -> DemoScene:
    """Load a scene that comes with the project; `public_keys` (PEM) are put into its City Brain sources.

    Raises:
        SetupProblem: `scene_unusable`, with the first fault that the registry would find.
    """
    document = city_document() if name == "city" else _document(_FOLDER / f"{name}.yaml")
    return read_document(name, document, public_keys, roads=_streets(name))


def read_document(
    name: str, document: dict[str, Any], public_keys: Mapping[str, str], *, roads: Path | None = None
) -> DemoScene:
    """Read a scene's document.

    Raises:
        SetupProblem: `scene_unusable`.
    """
    for source in document.get("sources", []):
        if source.get("kind") == "citybrain" and source["source_id"] in public_keys:
            source["public_key"] = public_keys[source["source_id"]]
    try:
        checked = check_scene(read_scene(document), Directory.empty(), ())
    except Refused as refusal:
        fault = refusal.errors[0] if refusal.errors else None
        where = f" ({fault.field}: {fault.code})" if fault else ""
        raise SetupProblem(
            "scene_unusable", f"The scene {name} would be refused: {refusal.code}{where}.", "Mend the scene file."
        ) from refusal
    feeds = tuple(
        FeedSpec(source.source_id, str(source.kind), {lot_id: code for code, lot_id in source.lots})
        for source in checked.sources
    )
    calendars = {calendar.calendar_id: calendar for calendar in checked.calendars}
    return DemoScene(name, document, checked.lots, checked.hospitals, checked.agreements, calendars, feeds, roads)


def _document(file: Path) -> dict[str, Any]:
    document = read_yaml(file.read_bytes())
    if not isinstance(document, dict):
        raise SetupProblem("scene_unusable", f"{file.name} is no scene.", "Begin with docs/scene-file.md.")
    return document


def _streets(name: str) -> Path | None:
    streets = _FOLDER / f"{name}_streets.geojson"
    return streets if streets.exists() else None
