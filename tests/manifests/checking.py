"""What is wrong in rendered documents, as sentences; none where all is well."""

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

import kubernetes_validate

from bowei.observability.serving import _SHUTDOWN_S
from services.local.processes import SERVICES
from tests.manifests.rendering import ROOT, Document, of_kind, pods

KUBERNETES = ("1.32", "1.37")
"""The oldest and the newest Kubernetes whose schemas every document must fit."""
OTHERS_KINDS = {"Cluster", "ExternalSecret", "HTTPRoute", "PodMonitor"}
"""Kinds that are not Kubernetes' own: `crds` looks at them."""

_SETTINGS = (ROOT.parents[1] / "docs" / "settings.md").read_text("utf-8")
_NAME = "app.kubernetes.io/name"
_LITTLE = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
_MARGIN_S = 10
"""How much longer than its streams a pod may take, before it is killed."""


def findings(documents: list[Document]) -> list[str]:
    """Give all that is wrong."""
    checks = (_schemas, _rights, _settings, _secrets, _probes, _services, _edges, _scrapes, _rollout, _scaling)
    return [finding for check in checks for finding in check(documents)]


def _schemas(documents: list[Document]) -> Iterator[str]:
    """Strict: a field that Kubernetes does not know is a fault, where the API server may only drop it."""
    for said in documents:
        for version in KUBERNETES if said["kind"] not in OTHERS_KINDS else ():
            if fault := _fault(json.dumps(said), version):
                yield f"{_title(said)}: not as Kubernetes {version} has it: {fault}"


@lru_cache(maxsize=1_000)
def _fault(document: str, version: str) -> str:
    """Give what does not fit, or nothing; kept, as each look reads all schemas anew."""
    try:
        kubernetes_validate.validate(json.loads(document), version, strict=True)
    except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
        return str(error.message)
    return ""


def _rights(documents: list[Document]) -> Iterator[str]:
    """The restricted pod security standard, and more: read-only root, no token, an account and limits of its own."""
    for name, pod in pods(documents).items():
        spec = pod["spec"]
        context = spec.get("securityContext", {})
        if not (context.get("runAsNonRoot") and context.get("runAsUser", 0) > 0):
            yield f"{name}: may run as root"
        if context.get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield f"{name}: has no seccomp profile"
        if spec.get("automountServiceAccountToken") is not False:
            yield f"{name}: has a token of the cluster's"
        if any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")):
            yield f"{name}: sees its machine"
        for container in spec["containers"]:
            yield from (f"{name}: {container['name']} {finding}" for finding in _of_container(container))
    for name, pod in _ours(documents).items():
        if pod["spec"].get("serviceAccountName") not in of_kind(documents, "ServiceAccount"):
            yield f"{name}: its account is not here"


def _of_container(container: Document) -> Iterator[str]:
    if container.get("securityContext") != _LITTLE:
        yield "may do more than it must"
    resources = container.get("resources", {})
    # No limit of CPU: it would slow answers while the machine has time to spare.
    if set(resources.get("requests", ())) != {"cpu", "memory"} or "memory" not in resources.get("limits", ()):
        yield "does not say what it takes"
    if ":" not in container["image"].rpartition("/")[2] or container["image"].endswith(":latest"):
        yield f"is of any release: {container['image']}"


def _settings(documents: list[Document]) -> Iterator[str]:
    """Each variable of a container of ours is one that the page of settings has, and no secret stands in clear."""
    for name, pod in _ours(documents).items():
        container = pod["spec"]["containers"][0]
        service = name.removeprefix("bowei-")
        if service in SERVICES and container["command"] != [name]:
            yield f"{name}: runs {container['command']}"
        for variable, value in environment(container).items():
            row = _row(variable.removesuffix("_FILE"))
            if not row:
                yield f"{name}: nobody reads {variable}"
            elif ("secret" in row) != variable.endswith("_FILE"):
                yield f"{name}: {variable} is {'a secret in clear' if 'secret' in row else 'no secret'}"
            elif variable.endswith("_FILE") and value not in files(pod):
                yield f"{name}: {variable} names {value}, which is not mounted"
        if unread := set(files(pod)) - set(environment(container).values()):
            yield f"{name}: has secrets that it does not read: {', '.join(sorted(unread))}"


def _secrets(documents: list[Document]) -> Iterator[str]:
    """No secret's value is in the documents; where some come from outside, all that are mounted do."""
    if of_kind(documents, "Secret"):
        yield "a secret's value stands in the documents"
    outside = {
        (said["spec"]["target"]["name"], entry["secretKey"])
        for said in of_kind(documents, "ExternalSecret").values()
        for entry in said["spec"]["data"]
    }
    for name, pod in _ours(documents).items() if outside else ():
        for secret, key in files(pod).values():
            if secret != "bowei-postgres-app" and (secret, key) not in outside:
                yield f"{name}: nobody brings {key} of {secret}"


def _probes(documents: list[Document]) -> Iterator[str]:
    """Each service is asked at its own port: whether it lives without its stores, whether it answers with them."""
    for name, pod in _ours(documents).items():
        container = pod["spec"]["containers"][0]
        service = name.removeprefix("bowei-")
        if service not in SERVICES:
            continue
        if ports(pod) != {"http": SERVICES[service]}:
            yield f"{name}: listens at {SERVICES[service]}, not at {ports(pod)}"
        for probe, path in (("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")):
            asked = container.get(probe, {}).get("httpGet", {})
            if asked.get("path") != path:
                yield f"{name}: {probe} does not ask {path}"
            if asked.get("port") not in {"http", SERVICES[service]}:
                yield f"{name}: {probe} asks at {asked.get('port')}"


def _services(documents: list[Document]) -> Iterator[str]:
    """Each Service leads to a port of pods that are here."""
    for name, said in of_kind(documents, "Service").items():
        chosen = [pod for pod in pods(documents).values() if selects(said["spec"]["selector"], pod)]
        if not chosen:
            yield f"Service {name}: chooses no pod"
        for port in said["spec"]["ports"]:
            if any(port["targetPort"] not in ports(pod) for pod in chosen):
                yield f"Service {name}: {port['targetPort']} is no port of its pods"


def _edges(documents: list[Document]) -> Iterator[str]:
    """Routes lead to Services and ports that are here, never to the registry, metrics or health."""
    services = of_kind(documents, "Service")
    for source, _, path, service, port in routes(documents):
        offered = {
            key for said in services.get(service, {"spec": {"ports": []}})["spec"]["ports"] for key in _keys(said)
        }
        if port not in offered:
            yield f"{source}: {service} has no port {port}"
        if service == "bowei-registry" or path in {"/", "/metrics", "/livez", "/readyz"}:
            yield f"{source}: {service}{path} is open to the street"


def _scrapes(documents: list[Document]) -> Iterator[str]:
    """Whatever is scraped has such a port, and every service is."""
    for name, said in of_kind(documents, "PodMonitor").items():
        chosen = {key: pod for key, pod in pods(documents).items() if selects_by(said["spec"]["selector"], pod)}
        if set(chosen) != {f"bowei-{service}" for service in SERVICES}:
            yield f"PodMonitor {name}: scrapes {sorted(chosen)}"
        for endpoint in said["spec"]["podMetricsEndpoints"]:
            if endpoint["path"] != "/metrics" or any(endpoint["port"] not in ports(pod) for pod in chosen.values()):
                yield f"PodMonitor {name}: nothing to scrape at {endpoint['port']}{endpoint['path']}"


def _rollout(documents: list[Document]) -> Iterator[str]:
    """No service is ever fewer than it was, and an old pod has time to end its streams."""
    budgets = {selected(said["spec"]["selector"]) for said in of_kind(documents, "PodDisruptionBudget").values()}
    for name, said in of_kind(documents, "Deployment").items():
        spec = said["spec"]["template"]["spec"]
        if said["spec"].get("strategy", {}).get("rollingUpdate", {}).get("maxUnavailable") != 0:
            yield f"{name}: an old pod goes before a new one is ready"
        before_s = spec["containers"][0].get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        if not before_s or spec.get("terminationGracePeriodSeconds", 30) < before_s + _SHUTDOWN_S + _MARGIN_S:
            yield f"{name}: its streams are cut off"
        if selected(said["spec"]["selector"]) not in budgets:
            yield f"{name}: all its pods may be evicted at once"


def _scaling(documents: list[Document]) -> Iterator[str]:
    """What is scaled is here, says how much CPU it asks for (above), and has no number of pods beside."""
    for name, said in of_kind(documents, "HorizontalPodAutoscaler").items():
        target = of_kind(documents, "Deployment").get(said["spec"]["scaleTargetRef"]["name"])
        if target is None or "replicas" in target["spec"]:
            yield f"HorizontalPodAutoscaler {name}: scales nothing, or what has a number already"


def routes(documents: list[Document]) -> list[tuple[str, str, str, str, Any]]:
    """Give (title, host, path, Service, its port) of each way in."""
    ways = []
    for said in of_kind(documents, "HTTPRoute").values():
        for rule in said["spec"]["rules"]:
            for match, to in ((match, to) for match in rule["matches"] for to in rule["backendRefs"]):
                ways.append(
                    (_title(said), said["spec"]["hostnames"][0], match["path"]["value"], to["name"], to["port"])
                )
    for said in of_kind(documents, "Ingress").values():
        for rule in said["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                to = path["backend"]["service"]
                ways.append((_title(said), rule["host"], path["path"], to["name"], next(iter(to["port"].values()))))
    return ways


def environment(container: Document) -> dict[str, str]:
    """Give what a container's environment says."""
    return {entry["name"]: entry["value"] for entry in container.get("env", ())}


def files(pod: Document) -> dict[str, tuple[str, str]]:
    """Give (secret, key) of each file that a pod's first container finds mounted, by its path."""
    sources = {volume["name"]: volume.get("projected", {}).get("sources", ()) for volume in pod["spec"]["volumes"]}
    return {
        str(PurePosixPath(mount["mountPath"], item["path"])): (source["secret"]["name"], item["key"])
        for mount in pod["spec"]["containers"][0].get("volumeMounts", ())
        for source in sources[mount["name"]]
        for item in source["secret"]["items"]
    }


def ports(pod: Document) -> dict[str, int]:
    """Give a pod's ports by name."""
    return {port["name"]: port["containerPort"] for said in pod["spec"]["containers"] for port in said.get("ports", ())}


def selects(wanted: Document, pod: Document) -> bool:
    """Whether a pod has all labels that are wanted."""
    return bool(wanted.items() <= pod["metadata"]["labels"].items())


def selects_by(selector: Document, pod: Document) -> bool:
    """Whether a label selector with `matchLabels` and `In` chooses a pod."""
    labels = pod["metadata"]["labels"]
    return selects(selector.get("matchLabels", {}), pod) and all(
        labels.get(said["key"]) in said["values"] for said in selector.get("matchExpressions", ())
    )


def selected(selector: Document) -> str:
    """Give the one name that a selector chooses."""
    return str(selector["matchLabels"][_NAME])


def _ours(documents: list[Document]) -> dict[str, Document]:
    """Give the pods that run our image."""
    names = {"bowei-migrate", *(f"bowei-{service}" for service in SERVICES)}
    return {name: pod for name, pod in pods(documents).items() if name in names}


def _row(variable: str) -> str:
    """Give the row of a variable on the page of settings, or nothing."""
    rows = (line for line in _SETTINGS.splitlines() if re.match(rf"\|[^|]*`{variable}`[^|]*\|", line))
    return next(rows, "")


def _keys(port: Document) -> set[Any]:
    return {port["port"], port["name"]}


def _title(said: Document) -> str:
    return f"{said['kind']} {said['metadata']['name']}"
