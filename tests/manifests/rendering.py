"""The overlays, rendered: the few features of kustomize that deploy/k8s uses, and a refusal of all others.

resources, components, namespace, images, and patches by RFC 6902. Each means the same whoever implements it, and a
test compares the result with `kubectl kustomize` where that is.
"""

import re
from pathlib import Path
from typing import Any

import yaml
from jsonpath import patch as json_patch

Document = dict[str, Any]

ROOT = Path(__file__).parents[2] / "deploy" / "k8s"
OVERLAYS = tuple(sorted(path.name for path in (ROOT / "overlays").iterdir()))

_KEYS = {"apiVersion", "kind", "resources", "components", "namespace", "images", "patches"}
_KINDS = {"Kustomization", "Component"}


class NotRendered(Exception):
    """A feature that is not read here, or a patch that changes nothing."""


def render(overlay: str) -> list[Document]:
    """Give all documents of an overlay, as would be applied."""
    return _build(ROOT / "overlays" / overlay, [])


def _build(folder: Path, before: list[Document]) -> list[Document]:
    """Build a folder; a component changes what was there `before` it too."""
    said = yaml.safe_load((folder / "kustomization.yaml").read_text("utf-8"))
    if strange := set(said) - _KEYS:
        raise NotRendered(f"{folder.name}: {', '.join(sorted(strange))}")
    if said["kind"] not in _KINDS:
        raise NotRendered(f"{folder.name}: {said['kind']}")
    documents = list(before)
    for name in said.get("resources", ()):
        path = folder / name
        documents += _build(path, []) if path.is_dir() else _read(path)
    for name in said.get("components", ()):
        documents = _build(folder / name, documents)
    for patch in said.get("patches", ()):
        _change(documents, folder, patch)
    if namespace := said.get("namespace"):
        for document in documents:
            _settle(document, namespace)
    for image in said.get("images", ()):
        _name_images(documents, image)
    return documents


def _read(path: Path) -> list[Document]:
    return [document for document in yaml.safe_load_all(path.read_text("utf-8")) if document]


def _change(documents: list[Document], folder: Path, patch: Document) -> None:
    if strange := set(patch) - {"path", "patch", "target"} | set(patch["target"]) - {"kind", "name"}:
        raise NotRendered(f"{folder.name}: a patch's {', '.join(sorted(strange))}")
    text = (folder / patch["path"]).read_text("utf-8") if "path" in patch else patch["patch"]
    kind, name = (re.compile(patch["target"].get(key, ".*")) for key in ("kind", "name"))
    found = [said for said in documents if kind.fullmatch(said["kind"]) and name.fullmatch(said["metadata"]["name"])]
    if not found:
        raise NotRendered(f"{folder.name}: a patch of nothing: {patch['target']}")
    for document in found:
        # Loaded anew for each, so that no two documents share a part.
        json_patch.apply(yaml.safe_load(text), document)


def _settle(document: Document, namespace: str) -> None:
    if document["kind"] == "Namespace":
        document["metadata"]["name"] = namespace
    else:
        document["metadata"]["namespace"] = namespace


def _name_images(documents: list[Document], image: Document) -> None:
    if strange := set(image) - {"name", "newName", "newTag"}:
        raise NotRendered(f"images: {', '.join(sorted(strange))}")
    named = f"{image.get('newName', image['name'])}:{image['newTag']}"
    for pod in pods(documents).values():
        for container in pod["spec"]["containers"]:
            if container["image"] == image["name"]:
                container["image"] = named


def pods(documents: list[Document]) -> dict[str, Document]:
    """Give the template of each workload's pods, by the workload's name."""
    return {
        said["metadata"]["name"]: said["spec"]["template"]
        for said in documents
        if said["kind"] in {"Deployment", "StatefulSet", "Job"}
    }


def of_kind(documents: list[Document], kind: str) -> dict[str, Document]:
    """Give the documents of one kind by name."""
    return {said["metadata"]["name"]: said for said in documents if said["kind"] == kind}
