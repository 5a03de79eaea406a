"""Who may reach whom by the NetworkPolicies, and who needs to: the two are to be the same.

A path is (from, to, port). Beside the pods there are others that exist in a cluster: the edge, Prometheus, the name
servers, stores of another namespace, the database's operator, the rest of the network, and strangers who may reach
nothing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.manifests.checking import environment, ports, routes, selects, selects_by
from tests.manifests.rendering import Document, of_kind, pods

Path = tuple[str, str, int]

POSTGRES, REDIS = 5432, 6379
_NAMESPACE, _NAME = "kubernetes.io/metadata.name", "app.kubernetes.io/name"
_HERE = "here"


@dataclass(frozen=True)
class Party:
    """A pod, or somebody in another namespace; no labels and no namespace: an address outside the cluster."""

    name: str
    namespace: str | None
    labels: dict[str, str] = field(default_factory=dict, hash=False)
    ports: dict[str, int] = field(default_factory=dict, hash=False)

    @property
    def pod(self) -> Document:
        """As selectors look at it."""
        return {"metadata": {"labels": self.labels}}


def parties(documents: list[Document]) -> list[Party]:
    """List everybody."""
    here = [Party(name, _HERE, pod["metadata"]["labels"], ports(pod)) for name, pod in pods(documents).items()]
    for name in of_kind(documents, "Cluster"):
        at = {"postgres": POSTGRES, "status": 8000, "metrics": 9187}
        here.append(Party(f"{name}-rw", _HERE, {"cnpg.io/cluster": name}, at))
    return [
        *here,
        Party("names", "kube-system", {"k8s-app": "kube-dns"}, {"names": 53}),
        Party("edge", next((said for said in ("gateway", "ingress") if _mentioned(said, documents)), "gateway")),
        Party("prometheus", "monitoring", {_NAME: "prometheus"}),
        Party("valkey", "valkey", {_NAME: "valkey"}, {"redis": REDIS, "sentinel": 26379, "bus": 16379}),
        Party("operator", "cnpg-system"),
        Party("stranger here", _HERE, {_NAME: "stranger"}, {"http": 8080}),
        Party(
            "stranger elsewhere",
            "elsewhere",
            {_NAME: "prometheus"},
            {"http": 8080, "postgres": POSTGRES, "redis": REDIS},
        ),
        Party("outside", None, {}, {"https": 443, "kubernetes": 6443, "http": 80}),
    ]


def allowed(documents: list[Document]) -> set[Path]:
    """Give each path that the policies let through and on which somebody of ours is."""
    policies = list(of_kind(documents, "NetworkPolicy").values())
    everybody = parties(documents)
    return {
        (source.name, target.name, port)
        for source in everybody
        for target in everybody
        for port_name, port in target.ports.items()
        if source != target
        and _HERE in {source.namespace, target.namespace}
        and _lets(policies, "Egress", source, target, (port_name, port))
        and _lets(policies, "Ingress", target, source, (port_name, port))
    }


def needed(documents: list[Document]) -> set[Path]:
    """Give each path that settings, routes and monitors speak of."""
    return {*_to_names(documents), *_to_stores(documents), *_from_outside(documents), *_of_cluster(documents)}


def _to_names(documents: list[Document]) -> Iterator[Path]:
    for party in parties(documents):
        if party.namespace == _HERE:
            yield party.name, "names", 53


def _to_stores(documents: list[Document]) -> Iterator[Path]:
    for name, pod in pods(documents).items():
        settings = environment(pod["spec"]["containers"][0])
        if "BOWEI_DATABASE_URL_FILE" in settings:
            yield name, _host(documents, "bowei-postgres-rw", "bowei-postgres-rw"), POSTGRES
        if "BOWEI_REDIS_URL_FILE" in settings:
            yield name, _host(documents, "bowei-valkey", "valkey"), REDIS
            if _mentioned("26379", documents):
                yield name, "valkey", 26379


def _from_outside(documents: list[Document]) -> Iterator[Path]:
    services, all_pods = of_kind(documents, "Service"), pods(documents)
    for _, _, _, service, _ in routes(documents):
        for name, pod in all_pods.items():
            if selects(services[service]["spec"]["selector"], pod):
                yield "edge", name, ports(pod)["http"]
    for monitor in of_kind(documents, "PodMonitor").values():
        for name, pod in all_pods.items():
            if selects_by(monitor["spec"]["selector"], pod):
                yield from (
                    ("prometheus", name, ports(pod)[endpoint["port"]])
                    for endpoint in monitor["spec"]["podMetricsEndpoints"]
                )


def _of_cluster(documents: list[Document]) -> Iterator[Path]:
    """The operator asks each instance; an instance asks the Kubernetes API, wherever that is."""
    for name in of_kind(documents, "Cluster"):
        yield "operator", f"{name}-rw", 8000
        yield f"{name}-rw", "outside", 443
        yield f"{name}-rw", "outside", 6443


def _lets(policies: Iterable[Document], way: str, ours: Party, other: Party, port: tuple[str, int]) -> bool:
    """Whether `ours` may do that: no policy speaks of it, or one allows it. Policies rule their own namespace only."""
    if ours.namespace != _HERE:
        return True
    speaking = [
        said["spec"]
        for said in policies
        if way in said["spec"]["policyTypes"] and selects_by(said["spec"]["podSelector"], ours.pod)
    ]
    peers = "to" if way == "Egress" else "from"
    return not speaking or any(
        _has_port(rule, port) and _has_peer(rule.get(peers), other)
        for spec in speaking
        for rule in spec.get(way.lower(), ())
    )


def _has_port(rule: Document, port: tuple[str, int]) -> bool:
    return "ports" not in rule or any(said["protocol"] == "TCP" and said["port"] in port for said in rule["ports"])


def _has_peer(peers: list[Document] | None, other: Party) -> bool:
    return peers is None or any(_is_peer(peer, other) for peer in peers)


def _is_peer(peer: Document, other: Party) -> bool:
    if "ipBlock" in peer or other.namespace is None:
        return False
    namespace: Document = {"metadata": {"labels": {_NAMESPACE: other.namespace}}}
    there = (
        selects_by(peer["namespaceSelector"], namespace) if "namespaceSelector" in peer else other.namespace == _HERE
    )
    return there and selects_by(peer.get("podSelector", {}), other.pod)


def _host(documents: list[Document], service: str, elsewhere: str) -> str:
    """Give who is behind a name: the pods of a Service that is here, or somebody `elsewhere`."""
    return service if service in of_kind(documents, "Service") else elsewhere


def _mentioned(text: str, documents: list[Document]) -> bool:
    return any(
        f"{text!r}" in repr(said) or f": {text}" in repr(said) for said in of_kind(documents, "NetworkPolicy").values()
    )
