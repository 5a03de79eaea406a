"""The published descriptions are the code's, and a change that breaks who uses them is told from one that does not."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.local.api_changes import breaking_changes
from services.local.api_publishing import descriptions, publish, written

_PUBLISHED = Path(__file__).parents[2] / "docs" / "api"
_Change = Callable[[dict[str, Any]], None]


def _described() -> dict[str, Any]:
    asked = {
        "type": "object",
        "required": ["lot"],
        "properties": {
            "lot": {"type": "string", "maxLength": 64},
            "class": {"enum": ["standard", "ev"], "type": "string"},
            "free": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}]},
        },
    }
    told = {
        "type": "object",
        "required": ["id", "places"],
        "properties": {
            "id": {"type": "string"},
            "note": {"type": "string"},
            "places": {"type": "array", "items": {"$ref": "#/components/schemas/Place"}},
        },
    }
    place = {"type": "object", "required": ["lat"], "properties": {"lat": {"type": "number"}}}
    operation = {
        "operationId": "put_it",
        "parameters": [
            {"name": "limit", "in": "query", "required": False, "schema": {"type": "integer", "maximum": 9}}
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/In"}}},
        },
        "responses": {"200": {"content": {"application/json": {"schema": told}}}, "404": {}},
    }
    return {"paths": {"/v1/it": {"put": operation}}, "components": {"schemas": {"In": asked, "Place": place}}}


def _put(described: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = described["paths"]["/v1/it"]["put"]
    return operation


def _in(described: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = described["components"]["schemas"]["In"]
    return schema


def _told(described: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = _put(described)["responses"]["200"]["content"]["application/json"]["schema"]
    return schema


def _place(described: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = described["components"]["schemas"]["Place"]
    return schema


BREAKING: dict[str, _Change] = {
    "an operation is gone": lambda d: d["paths"]["/v1/it"].pop("put"),
    "another operation id": lambda d: _put(d).update(operationId="set_it"),
    "a parameter is gone": lambda d: _put(d).update(parameters=[]),
    "a parameter must be sent": lambda d: _put(d)["parameters"][0].update(required=True),
    "a new parameter must be sent": lambda d: _put(d)["parameters"].append(
        {"name": "why", "in": "query", "required": True, "schema": {"type": "string"}}
    ),
    "a lower limit": lambda d: _put(d)["parameters"][0]["schema"].update(maximum=8),
    "another form of body": lambda d: _put(d)["requestBody"].update(content={"text/csv": {"schema": {}}}),
    "a field may no longer be sent": lambda d: _in(d)["properties"].pop("class"),
    "a field must be sent": lambda d: _in(d)["required"].append("class"),
    "a value may no longer be sent": lambda d: _in(d)["properties"]["class"].update(enum=["standard"]),
    "another type may be sent": lambda d: _in(d)["properties"]["lot"].update(type="integer"),
    "a shorter text": lambda d: _in(d)["properties"]["lot"].update(maxLength=63),
    "a form that was not asked for": lambda d: _in(d)["properties"]["lot"].update(pattern="^x"),
    "a higher least of what may be absent": lambda d: _in(d)["properties"]["free"]["anyOf"][0].update(minimum=1),
    "an answer is gone": lambda d: _put(d)["responses"].pop("200"),
    "a field of the answer is gone": lambda d: _told(d)["properties"].pop("note"),
    "a field is not always there": lambda d: _told(d)["required"].remove("id"),
    "another type is answered": lambda d: _told(d)["properties"]["id"].update(type="integer"),
    "deep in the answer": lambda d: _place(d)["properties"].pop("lat"),
}
ADDING: dict[str, _Change] = {
    "nothing": lambda _: None,
    "an operation": lambda d: d["paths"].update({"/v1/more": {"get": {"operationId": "more"}}}),
    "a parameter that may be left out": lambda d: _put(d)["parameters"].append(
        {"name": "why", "in": "query", "required": False, "schema": {"type": "string"}}
    ),
    "a higher limit": lambda d: _put(d)["parameters"][0]["schema"].update(maximum=10),
    "a field that may be left out": lambda d: _in(d)["properties"].update(more={"type": "string"}),
    "a field that need not be sent any more": lambda d: _in(d)["required"].remove("lot"),
    "a value": lambda d: _in(d)["properties"]["class"]["enum"].append("disabled"),
    "another form of body beside": lambda d: _put(d)["requestBody"]["content"].update({"text/csv": {"schema": {}}}),
    "a field of the answer": lambda d: _told(d)["properties"].update(more={"type": "string"}),
    "a field that is always there": lambda d: _told(d)["required"].append("note"),
    "another refusal": lambda d: _put(d)["responses"].update({"409": {}}),
    "fewer refusals": lambda d: _put(d)["responses"].pop("404"),
    "deep in the answer": lambda d: _place(d)["properties"].update(lon={"type": "number"}),
}


@pytest.mark.parametrize("change", BREAKING.values(), ids=BREAKING)
def test_what_breaks_somebody_is_found(change: _Change) -> None:
    """Each alone, and said in words."""
    before, after = _described(), _described()
    change(after)
    assert len(breaking_changes(before, after)) == 1


@pytest.mark.parametrize("change", ADDING.values(), ids=ADDING)
def test_what_only_adds_breaks_nobody(change: _Change) -> None:
    """However much is added."""
    before, after = _described(), _described()
    change(after)
    assert breaking_changes(before, after) == []


@pytest.mark.parametrize("service", ["registry", "ingest", "routing", "availability"])
def test_what_is_published_is_what_the_service_says(service: str) -> None:
    """After a change: `bowei api publish docs/api`, which refuses what breaks somebody."""
    assert (_PUBLISHED / f"{service}.json").read_text("utf-8") == written(descriptions()[service])


def test_what_breaks_somebody_is_not_published_by_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file stays; said twice, it is written."""
    older = copy.deepcopy(descriptions()["ingest"])
    older["paths"]["/v1/gone"] = {"get": {"operationId": "gone"}}
    file = tmp_path / "ingest.json"
    file.write_text(json.dumps(older))
    assert publish(tmp_path, breaking=False) == 1
    assert "GET /v1/gone is gone" in capsys.readouterr().err
    assert json.loads(file.read_text()) == older
    assert publish(tmp_path, breaking=True) == 0
    assert file.read_text("utf-8") == written(descriptions()["ingest"])
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        "availability.json",
        "ingest.json",
        "registry.json",
        "routing.json",
    ]
