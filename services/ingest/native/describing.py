"""Describing: how OpenAPI shows bodies that msgspec reads, with examples to paste."""

from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from bowei.observability.problems import problem_responses
from services.ingest.native.params import Batch, BatchResult, HeartbeatItem, ObservationItem, PassageItem

_REFS = "#/components/schemas/{name}"
_TYPES: dict[str, Any] = {
    "ObservationBatch": Batch[ObservationItem],
    "PassageBatch": Batch[PassageItem],
    "HeartbeatBatch": Batch[HeartbeatItem],
    "BatchResult": BatchResult,
}
_OBSERVATION_EXAMPLES = {
    "counts": {
        "summary": "Counts of one lot",
        "value": {
            "items": [
                {
                    "lot_id": "mall-a",
                    "observed_at": "2026-03-02T00:30:03Z",
                    "seq": 12,
                    "capacity": 300,
                    "open": 280,
                    "free": 118,
                    "method": "barrier_count",
                    "free_by_class": {"disabled": 4},
                }
            ]
        },
    },
    "closed": {
        "summary": "A lot that is closed",
        "value": {"items": [{"lot_id": "mall-a", "observed_at": "2026-03-02T22:00:00+08:00", "state": "closed"}]},
    },
}
_PASSAGE_EXAMPLES = {
    "entry": {
        "summary": "A car came in",
        "value": {
            "items": [
                {
                    "lot_id": "mall-a",
                    "passage_id": "20260302-000117",
                    "kind": "enter",
                    "passed_at": "2026-03-02T00:30:03Z",
                    "plate": "浙A12345",
                }
            ]
        },
    }
}
_HEARTBEAT_EXAMPLES = {
    "alive": {"summary": "A lot is there", "value": {"items": [{"lot_id": "mall-a"}]}},
    "lost": {
        "summary": "The link to a lot broke",
        "value": {"items": [{"lot_id": "mall-a", "sent_at": "2026-03-02T00:30:03Z", "sign": "comms_lost"}]},
    },
}
_RESULT_EXAMPLE = {
    "accepted": 1,
    "results": [
        {"result": "applied", "lot_id": "mall-a"},
        {"result": "rejected", "lot_id": "mall-b", "code": "naive_time", "field": "observed_at"},
        {"result": "quarantined", "lot_id": "mall-c", "code": "free_above_capacity"},
    ],
}
_PROBLEMS = {
    400: "`malformed_json`",
    401: "`key_missing`, `key_wrong`",
    403: "`not_allowed`: the source is suspended",
    413: "`body_too_large`: more than 256 KiB",
    415: "`wrong_content_type`",
    422: "`invalid_request`: `items` is missing, empty or longer than 500",
    503: "`store_away`, `outcome_unknown`, `overloaded`: repeat the same batch after Retry-After",
}


def _described(item: str, examples: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    batch = {"schema": {"$ref": _REFS.format(name=f"{item}Batch")}, "examples": examples}
    line = {
        name: {"summary": example["summary"], "value": example["value"]["items"][0]}
        for name, example in examples.items()
    }
    lines = {"schema": {"$ref": _REFS.format(name=f"{item}Item")}, "examples": line}
    return {
        "requestBody": {"required": True, "content": {"application/json": batch, "application/x-ndjson": lines}},
        "security": [{"source_key": []}],
    }


OBSERVATIONS_DESCRIBED = _described("Observation", _OBSERVATION_EXAMPLES)
PASSAGES_DESCRIBED = _described("Passage", _PASSAGE_EXAMPLES)
HEARTBEATS_DESCRIBED = _described("Heartbeat", _HEARTBEAT_EXAMPLES)
_READ = {
    "description": "Read; each item's result, in the order sent.",
    "content": {"application/json": {"schema": {"$ref": _REFS.format(name="BatchResult")}, "example": _RESULT_EXAMPLE}},
}
RESPONSES_DESCRIBED: dict[int | str, dict[str, Any]] = {
    200: _READ,
    **problem_responses(said=_PROBLEMS),
}


def describe(app: FastAPI) -> None:
    """Make `app.openapi()` define the shapes that the operations refer to, and the key."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(
                title=app.title, version=app.version, summary=app.summary, routes=app.routes, tags=app.openapi_tags
            )
            components = schema.setdefault("components", {})
            components["schemas"] = _schemas() | components.get("schemas", {})
            components["securitySchemes"] = {"source_key": {"type": "http", "scheme": "bearer"}}
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to extend its document


def _schemas() -> dict[str, Any]:
    refs, schemas = msgspec.json.schema_components(list(_TYPES.values()), ref_template=_REFS)
    # msgspec names a generic batch by its parameters; the document has plainer names.
    for name, ref in zip(_TYPES, refs, strict=True):
        schemas[name] = schemas.pop(str(ref["$ref"]).rsplit("/", 1)[1]) | {"title": name}
    return schemas
