"""`bowei api`: the services' own descriptions, as they are published, and whether a change breaks who uses them."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from bowei.livestate.in_memory import InMemoryLiveState
from bowei.observability.environment import Environment
from bowei.roads.by_air import AirTravelTimes
from services.availability.app import Parts
from services.availability.app import assemble as assemble_availability
from services.availability.snapshots import Pace
from services.ingest.app import assemble as assemble_ingest
from services.ingest.fieldmaps.pushing import Pushes
from services.local.api_changes import breaking_changes
from services.registry.app import assemble as assemble_registry
from services.routing.app import assemble as assemble_routing
from services.routing.settings import settings_from

_NOWHERE = {
    "BOWEI_DATABASE_URL": "postgres://none/",
    "BOWEI_REDIS_URL": "redis://none/",
    "BOWEI_DRIVER_KEY": "only described, never served: no key",
}
"""Settings of services that are described and never start."""


def descriptions() -> Mapping[str, dict[str, Any]]:
    """Give the OpenAPI description of each service, by name; nothing is started or asked."""
    availability = Parts(InMemoryLiveState(), _never, AirTravelTimes(), Pace(), most_streams=1)
    apps = {
        "registry": assemble_registry(_nothing),
        "ingest": assemble_ingest(_nothing, citybrain=True, pushes=Pushes()),
        "routing": assemble_routing(settings_from(Environment(_NOWHERE)), _never),
        "availability": assemble_availability(availability),
    }
    return {name: app.openapi() for name, app in apps.items()}


def written(description: Mapping[str, Any]) -> str:
    """Write a description as it is published: the same for the same, a line for each thing."""
    return json.dumps(description, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def publish(folder: Path, *, breaking: bool) -> int:
    """Write each description into a folder, unless that breaks who uses the one that is there; give the exit code."""
    broken = False
    for name, description in descriptions().items():
        file = folder / f"{name}.json"
        changes = breaking_changes(json.loads(file.read_text("utf-8")), description) if file.exists() else []
        for change in changes:
            print(f"{name}: {change}", file=sys.stderr)  # noqa: T201 (for a person)
        if changes and not breaking:
            broken = True
            continue
        file.write_text(written(description), "utf-8")
    if broken:
        print(  # noqa: T201
            "Not published: this breaks who uses it. Add beside what is there; or, before 1.0 and with a word in the "
            "changelog, publish with --breaking.",
            file=sys.stderr,
        )
    return 1 if broken else 0


def _nothing(*_: object) -> NoReturn:
    """Open nothing: an app that is only described is never started."""
    raise NotImplementedError


async def _never(*_: object) -> NoReturn:
    raise NotImplementedError
