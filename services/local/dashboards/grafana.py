"""Dashboards as Grafana reads them: one file for each and each language."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from services.local.dashboards.boards import DASHBOARDS
from services.local.dashboards.panels import Dashboard, Look, Panel, Query

LANGUAGES = ("zh", "en")
_SCHEMA = 39
_WIDTH, _NUMBER_WIDTH, _LINES_WIDTH = 24, 6, 12
_NUMBER_HEIGHT, _LINES_HEIGHT = 4, 8
_CHOICE_OF_SOURCE = {"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"}
_SOURCE = {"type": "prometheus", "uid": "${source}"}


def rendered() -> Mapping[str, str]:
    """Give the text of every file by its name."""
    return {
        f"{dashboard.dashboard_id}-{language}.json": _text(_document(dashboard, language))
        for dashboard in DASHBOARDS
        for language in LANGUAGES
    }


def write_dashboards(folder: Path) -> None:
    """Write every file into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in rendered().items():
        (folder / name).write_text(text, "utf-8")


def _document(dashboard: Dashboard, language: str) -> Mapping[str, Any]:
    return {
        "uid": f"{dashboard.dashboard_id}-{language}",
        "title": getattr(dashboard.title, language),
        "tags": ["bowei"],
        "schemaVersion": _SCHEMA,
        "editable": False,
        "refresh": "10s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "templating": {
            "list": [{"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"}]
        },
        "panels": list(_panels(dashboard.panels, language)),
    }


def _panels(panels: Sequence[Panel], language: str) -> Iterator[Mapping[str, Any]]:
    left, top, row = 0, 0, 0
    for number, panel in enumerate(panels, start=1):
        is_number = panel.look is Look.NUMBER
        width, height = (_NUMBER_WIDTH, _NUMBER_HEIGHT) if is_number else (_LINES_WIDTH, _LINES_HEIGHT)
        if left + width > _WIDTH:
            left, top, row = 0, top + row, 0
        yield _panel(number, panel, language, {"x": left, "y": top, "w": width, "h": height})
        left, row = left + width, max(row, height)


def _panel(number: int, panel: Panel, language: str, place: Mapping[str, int]) -> Mapping[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.red_from is not None:
        steps.append({"color": "red", "value": panel.red_from})
    return {
        "id": number,
        "type": panel.look,
        "title": getattr(panel.title, language),
        "gridPos": place,
        "datasource": _SOURCE,
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": steps}},
            "overrides": [],
        },
        "targets": [_target(place, query) for place, query in enumerate(panel.queries)],
    }


def _target(place: int, query: Query) -> Mapping[str, Any]:
    return {
        "refId": chr(ord("A") + place),
        "datasource": _SOURCE,
        "expr": query.expression,
        "legendFormat": query.legend,
    }


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"
