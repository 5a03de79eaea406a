"""Documents of others' kinds, held against the schemas of those who made them (BOWEI_SCHEMAS)."""

from pathlib import Path
from typing import Any

import jsonschema
import yaml

from tests.manifests.checking import OTHERS_KINDS
from tests.manifests.rendering import Document


def read_schemas(folder: Path) -> dict[tuple[str, str], Any]:
    """Give the schema of each (apiVersion, kind) that a custom resource definition in `folder` serves; all closed."""
    found = {}
    for path in folder.glob("*.yaml"):
        for said in yaml.load_all(path.read_text("utf-8"), Loader=yaml.CSafeLoader):
            if said and said["kind"] == "CustomResourceDefinition" and said["spec"]["names"]["kind"] in OTHERS_KINDS:
                for version in (version for version in said["spec"]["versions"] if version["served"]):
                    key = (f"{said['spec']['group']}/{version['name']}", said["spec"]["names"]["kind"])
                    found[key] = _closed(version["schema"]["openAPIV3Schema"])
    return found


def findings(documents: list[Document], schemas: dict[tuple[str, str], Any]) -> list[str]:
    """Give what does not fit, of the kinds that are not Kubernetes' own."""
    said_wrong = []
    for said in documents:
        if said["kind"] in OTHERS_KINDS:
            schema = schemas.get((said["apiVersion"], said["kind"]))
            if schema is None:
                said_wrong.append(f"{said['kind']}: {said['apiVersion']} is not served")
                continue
            checker = jsonschema.Draft202012Validator(schema)
            said_wrong += [f"{said['kind']} {error.json_path}: {error.message}" for error in checker.iter_errors(said)]
    return said_wrong


def _closed(schema: Any, *, top: bool = True) -> Any:
    """Refuse fields that the schema does not have: the API server would drop them without a word."""
    if isinstance(schema, list):
        return [_closed(part, top=False) for part in schema]
    if not isinstance(schema, dict):
        return schema
    known = {key: _closed(part, top=False) for key, part in schema.items()}
    if known.get("x-kubernetes-int-or-string"):
        known.pop("type", None)
    fields = schema.get("properties")
    if (
        isinstance(fields, dict)
        and schema.get("type") == "object"
        and "x-kubernetes-preserve-unknown-fields" not in schema
    ):
        if top:
            known["properties"]["metadata"] = {"type": "object"}
        known.setdefault("additionalProperties", False)
    return known
