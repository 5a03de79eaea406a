"""deploy/k8s renders, fits Kubernetes' and others' schemas and the code, and lets through what is needed and no more.

Each gate is shown to find a planted fault.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.manifests import crds
from tests.manifests.checking import findings
from tests.manifests.paths import allowed, needed
from tests.manifests.rendering import OVERLAYS, ROOT, Document, NotRendered, of_kind, render

_SCHEMAS = os.environ.get("BOWEI_SCHEMAS")
needs_schemas = pytest.mark.skipif(_SCHEMAS is None, reason="BOWEI_SCHEMAS is not set")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_is_as_kubernetes_and_the_code_want_it(overlay: str) -> None:
    """Fields, rights, settings, secrets, probes, ports, routes, scrapes, roll-out."""
    assert findings(render(overlay)) == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_policies_let_through_each_path_that_is_needed_and_no_other(overlay: str) -> None:
    """Neither a stranger here nor one elsewhere reaches anything of ours."""
    documents = render(overlay)
    assert allowed(documents) == needed(documents)


@needs_schemas
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_documents_of_others_kinds_fit_their_schemas(overlay: str) -> None:
    """PodMonitor, HTTPRoute, ExternalSecret, Cluster: each field is one that its makers know."""
    assert crds.findings(render(overlay), _others_schemas()) == []


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on this machine")
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_is_rendered_as_kubectl_renders_it(overlay: str) -> None:
    """What the other tests look at is what would be applied."""
    command = ["kubectl", "kustomize", str(ROOT / "overlays" / overlay)]
    rendered = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    theirs = [said for said in yaml.safe_load_all(rendered) if said]
    assert _by_title(render(overlay)) == _by_title(theirs)
    assert len(theirs) == len(_by_title(theirs))


def test_every_component_is_in_an_overlay() -> None:
    """None is shipped that no test looks at."""
    used = {
        Path(name).name
        for overlay in OVERLAYS
        for name in yaml.safe_load((ROOT / "overlays" / overlay / "kustomization.yaml").read_text("utf-8"))[
            "components"
        ]
    }
    assert used == {path.name for path in (ROOT / "components").iterdir()}


def test_a_feature_of_kustomize_that_is_not_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never rendered as if it said nothing."""
    folder = tmp_path / "overlays" / "strange"
    folder.mkdir(parents=True)
    (folder / "kustomization.yaml").write_text("kind: Kustomization\nnamePrefix: a-\n", "utf-8")
    monkeypatch.setattr("tests.manifests.rendering.ROOT", tmp_path)
    with pytest.raises(NotRendered, match="namePrefix"):
        render("strange")


def _container(documents: list[Document], name: str) -> Document:
    found: Document = of_kind(documents, "Deployment")[name]["spec"]["template"]["spec"]["containers"][0]
    return found


def _wrong_port(documents: list[Document]) -> None:
    _container(documents, "bowei-ingest")["ports"][0]["containerPort"] = 8100


def _wrong_target_port(documents: list[Document]) -> None:
    of_kind(documents, "Service")["bowei-routing"]["spec"]["ports"][0]["targetPort"] = "web"


def _wrong_variable(documents: list[Document]) -> None:
    _container(documents, "bowei-routing")["env"][2]["name"] = "BOWEI_REDIS_ADDRESS_FILE"


def _secret_in_clear(documents: list[Document]) -> None:
    _container(documents, "bowei-ingest")["env"].append({"name": "BOWEI_PLATE_KEY", "value": "planted"})


def _file_not_mounted(documents: list[Document]) -> None:
    _container(documents, "bowei-routing")["env"][3]["value"] = "/run/secrets/bowei/driver"


def _secret_from_nobody(documents: list[Document]) -> None:
    of_kind(documents, "ExternalSecret")["bowei-routing"]["spec"]["data"].pop()


def _no_probe_path(documents: list[Document]) -> None:
    del _container(documents, "bowei-availability")["readinessProbe"]["httpGet"]["path"]


def _liveness_by_stores(documents: list[Document]) -> None:
    _container(documents, "bowei-availability")["livenessProbe"]["httpGet"]["path"] = "/readyz"


def _misspelt(documents: list[Document]) -> None:
    container = _container(documents, "bowei-registry")
    container["readynessProbe"] = container["readinessProbe"]


def _writable(documents: list[Document]) -> None:
    _container(documents, "bowei-registry")["securityContext"]["readOnlyRootFilesystem"] = False


def _root(documents: list[Document]) -> None:
    del of_kind(documents, "Deployment")["bowei-routing"]["spec"]["template"]["spec"]["securityContext"]["runAsUser"]


def _token(documents: list[Document]) -> None:
    del of_kind(documents, "Job")["bowei-migrate"]["spec"]["template"]["spec"]["automountServiceAccountToken"]


def _any_release(documents: list[Document]) -> None:
    _container(documents, "bowei-registry")["image"] = "registry:5000/bowei"


def _gap(documents: list[Document]) -> None:
    of_kind(documents, "Deployment")["bowei-routing"]["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] = 1


def _cut_off(documents: list[Document]) -> None:
    of_kind(documents, "Deployment")["bowei-routing"]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 20


def _evicted(documents: list[Document]) -> None:
    documents.remove(of_kind(documents, "PodDisruptionBudget")["bowei-ingest"])


def _metrics_open(documents: list[Document]) -> None:
    rule = of_kind(documents, "HTTPRoute")["bowei-availability"]["spec"]["rules"][0]
    rule["matches"].append({"path": {"type": "PathPrefix", "value": "/"}})


def _route_to_nobody(documents: list[Document]) -> None:
    of_kind(documents, "HTTPRoute")["bowei-ingest"]["spec"]["rules"][0]["backendRefs"][0]["port"] = 8101


def _scraped_nowhere(documents: list[Document]) -> None:
    of_kind(documents, "PodMonitor")["bowei"]["spec"]["podMetricsEndpoints"][0]["port"] = "metrics"


def _scaled_nothing(documents: list[Document]) -> None:
    of_kind(documents, "Deployment")["bowei-routing"]["spec"]["replicas"] = 3


_FAULTS: dict[Callable[[list[Document]], None], str] = {
    _wrong_port: "bowei-ingest: listens at 8101",
    _wrong_target_port: "Service bowei-routing: web is no port",
    _wrong_variable: "bowei-routing: nobody reads BOWEI_REDIS_ADDRESS_FILE",
    _secret_in_clear: "bowei-ingest: BOWEI_PLATE_KEY is a secret in clear",
    _file_not_mounted: "bowei-routing: BOWEI_DRIVER_KEY_FILE names /run/secrets/bowei/driver, which is not mounted",
    _secret_from_nobody: "bowei-routing: nobody brings plate-key",
    _no_probe_path: "bowei-availability: readinessProbe does not ask /readyz",
    _liveness_by_stores: "bowei-availability: livenessProbe does not ask /livez",
    _misspelt: "Deployment bowei-registry: not as Kubernetes 1.32 has it",
    _writable: "bowei-registry: registry may do more than it must",
    _root: "bowei-routing: may run as root",
    _token: "bowei-migrate: has a token",
    _any_release: "bowei-registry: registry is of any release",
    _gap: "bowei-routing: an old pod goes before",
    _cut_off: "bowei-routing: its streams are cut off",
    _evicted: "bowei-ingest: all its pods may be evicted",
    _metrics_open: "bowei-availability/ is open to the street",
    _route_to_nobody: "HTTPRoute bowei-ingest: bowei-ingest has no port 8101",
    _scraped_nowhere: "PodMonitor bowei: nothing to scrape at metrics/metrics",
    _scaled_nothing: "HorizontalPodAutoscaler bowei-routing: scales nothing",
}


@pytest.mark.parametrize(("plant", "finding"), _FAULTS.items(), ids=[plant.__name__ for plant in _FAULTS])
def test_a_planted_fault_is_found(plant: Callable[[list[Document]], None], finding: str) -> None:
    """One change to what is rendered for a city, one finding that names it."""
    documents = render("prod")
    plant(documents)
    found = findings(documents)
    assert any(finding in said for said in found), found


def test_a_blocked_path_and_an_open_one_are_found() -> None:
    """A policy that is taken away, one that chooses too few, one that lets in all."""
    documents = render("prod")
    documents.remove(of_kind(documents, "NetworkPolicy")["to-valkey"])
    assert ("bowei-ingest", "valkey", 6379) in needed(documents) - allowed(documents)

    documents = render("prod")
    of_kind(documents, "NetworkPolicy")["from-prometheus"]["spec"]["podSelector"]["matchExpressions"][0]["values"].pop()
    assert needed(documents) - allowed(documents) == {("prometheus", "bowei-availability", 8103)}

    documents = render("prod")
    of_kind(documents, "NetworkPolicy")["from-edge"]["spec"]["ingress"] = [{}]
    assert ("stranger here", "bowei-routing", 8102) not in allowed(documents), "a stranger of ours may send nothing"
    assert ("stranger elsewhere", "bowei-routing", 8102) in allowed(documents) - needed(documents)

    documents = render("dev")
    documents.remove(of_kind(documents, "NetworkPolicy")["nothing"])
    assert ("stranger elsewhere", "bowei-registry", 8100) in allowed(documents) - needed(documents)


_MISTAKES: tuple[tuple[str, str, Callable[[Any], object]], ...] = (
    ("HTTPRoute", "bowei-routing", lambda spec: spec["rules"][0].update(backendRef=[])),
    ("PodMonitor", "bowei", lambda spec: spec.update(podMetricsEndpointz=[])),
    ("Cluster", "bowei-postgres", lambda spec: spec["postgresql"]["synchronous"].update(number="one")),
    ("ExternalSecret", "bowei-ingest", lambda spec: spec["data"][0].pop("remoteRef")),
)


@needs_schemas
@pytest.mark.parametrize(("kind", "name", "plant"), _MISTAKES, ids=[kind for kind, _, _ in _MISTAKES])
def test_a_fault_in_a_document_of_anothers_kind_is_found(kind: str, name: str, plant: Callable[[Any], object]) -> None:
    """Fields that nobody knows, a word for a number, and what must be said."""
    documents = render("prod")
    plant(of_kind(documents, kind)[name]["spec"])
    found = crds.findings(documents, _others_schemas())
    assert found
    assert all(said.startswith(kind) for said in found)


def _others_schemas() -> dict[tuple[str, str], Any]:
    assert _SCHEMAS is not None
    return crds.read_schemas(Path(_SCHEMAS) / "kubernetes-crds")


def _by_title(documents: list[Document]) -> dict[tuple[str, str], Document]:
    return {(said["kind"], said["metadata"]["name"]): said for said in documents}
