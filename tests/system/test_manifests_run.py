"""What deploy/k8s says is run: each container as a process, on real stores, probed, used and scraped as it says.

`dev` on one Postgres and one Redis; `prod` and `prod-ingress` on a Postgres with a synchronous standby, and on Redis
under Sentinel and as a cluster.
"""

import asyncio
import contextlib
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from services.local.servers import Servers
from services.local.servers.postgres_server import PostgresPlace
from services.local.token_keys_file import add_key
from tests.contract.live_state_servers import running_cluster, running_sentinels
from tests.manifests import checking, paths
from tests.manifests.kubelet import Machine, NotRun, relayed
from tests.manifests.rendering import Document, of_kind, pods, render
from tests.system.replicated_ledger import ReplicatedLedger, short_folder, stopped_ledger
from tests.system.routing_city import until

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives each pod a loopback address of its own"),
]

_SERVICES = ("bowei-registry", "bowei-ingest", "bowei-routing", "bowei-availability")
_WITHIN_S = 40.0
_TOKEN = secrets.token_urlsafe(32)
_PAGES = {"/go": "/go", "/gate": "/gate/first", "/board": "/board/first", "/map": "/map", "/pages": "/map"}
_SCENE = """
scene: {name: {zh: 街区, en: Block}, timezone: Asia/Shanghai}
lots:
  - lot_id: own
    kind: hospital
    name: {zh: 市一医院停车场, en: First Hospital car park}
    capacity: 127
    location: {lat: 30.2576, lon: 120.1621, datum: wgs84}
    entrances:
      - {entrance_id: main, name: {zh: 正门, en: Main gate}, location: {lat: 30.2577, lon: 120.1619, datum: wgs84}}
  - lot_id: mall
    kind: mall
    name: {zh: 商场, en: Mall}
    capacity: 600
    location: {lat: 30.2552, lon: 120.1582, datum: wgs84}
    entrances:
      - {entrance_id: east, name: {zh: 东口, en: East}, location: {lat: 30.2553, lon: 120.1583, datum: wgs84}}
hospitals:
  - hospital_id: first
    name: {zh: 市一医院, en: First Hospital}
    lot_id: own
    door: {lat: 30.2575, lon: 120.1623, datum: wgs84}
    gate: {lat: 30.2578, lon: 120.1618, datum: wgs84}
agreements:
  - {agreement_id: mall-first, lot_id: mall, hospital_id: first, windows: [{class: standard, spaces: 300}]}
sources:
  - {source_id: mall, kind: native, trusted: true, lots: {mall: mall}}
"""


def _secrets(folder: Path, database_url: str, redis_url: str) -> dict[tuple[str, str], str]:
    """Give what an operator puts into the secrets."""
    add_key(folder / "token-keys")
    plate = secrets.token_urlsafe(32)
    return {
        ("bowei-postgres-app", "uri"): database_url,
        ("bowei-registry", "admin-token"): _TOKEN,
        ("bowei-registry", "token-keys"): (folder / "token-keys").read_text("utf-8"),
        ("bowei-ingest", "redis-url"): redis_url,
        ("bowei-ingest", "plate-key"): plate,
        ("bowei-routing", "redis-url"): redis_url,
        ("bowei-routing", "driver-key"): secrets.token_urlsafe(32),
        ("bowei-routing", "plate-key"): plate,
        ("bowei-availability", "redis-url"): redis_url,
    }


@contextlib.asynccontextmanager
async def _dev(folder: Path, servers: Servers, database_url: str, redis_url: str) -> AsyncIterator[Machine]:
    """The overlay `dev` on servers behind the addresses of its own stores, by the names of their Services."""
    number = parse_qs(urlsplit(redis_url).query)["db"][0]
    held = _secrets(folder, _by_name(database_url), f"redis://bowei-valkey:6379/{number}")
    machine = Machine(render("dev"), folder, held)
    copy = Path(urlsplit(servers.redis_url).path)
    async with (
        relayed((machine.addresses["bowei-postgres-rw"], 5432), _socket(database_url)),
        relayed((machine.addresses["bowei-valkey"], 6379), copy),
    ):
        try:
            yield machine
        finally:
            await machine.close()


@pytest.fixture
def template() -> Iterator[PostgresPlace]:
    """A ledger that is stopped, to be copied."""
    with stopped_ledger({}) as place:
        yield place


@contextlib.asynccontextmanager
async def _prod(overlay: str, folder: Path, template: PostgresPlace) -> AsyncIterator[Machine]:
    """An overlay for a city, on a primary that waits for its standby, and on the Redis that the overlay expects."""
    async with _replicated(template) as ledger, _LIVE[overlay](folder) as (redis_url, places):
        machine = Machine(render(overlay), folder, _secrets(folder, _by_name(ledger.primary.url), redis_url))
        # What operators bring, where the documents say it is.
        machine.places |= {("127.0.0.1", at): ("valkey", port) for at, port in places.items()}
        address = machine.add("bowei-postgres-rw", 5432)
        async with relayed((address, 5432), _socket(ledger.primary.url)):
            try:
                yield machine
            finally:
                await machine.close()


@contextlib.asynccontextmanager
async def _replicated(template: PostgresPlace) -> AsyncIterator[ReplicatedLedger]:
    with short_folder() as sockets:
        ledger = ReplicatedLedger(template, sockets)
        try:
            await ledger.start()
            yield ledger
        finally:
            ledger.close()


@contextlib.asynccontextmanager
async def _sentinels(folder: Path) -> AsyncIterator[tuple[str, dict[int, int]]]:
    """Give the address of Redis under three sentinels, and what each port of this machine is for the documents."""
    async with running_sentinels(folder) as live:
        watching = {node.port: 26379 for node in live.sentinels}
        yield live.url, watching | {node.port: 6379 for node in live.servers}


@contextlib.asynccontextmanager
async def _cluster(folder: Path) -> AsyncIterator[tuple[str, dict[int, int]]]:
    """The same for a cluster of six."""
    async with running_cluster(folder) as live:
        yield live.url, {node.port: 6379 for node in live.nodes}


_LIVE = {"prod": _sentinels, "prod-ingress": _cluster}


def _by_name(url: str) -> str:
    """Give the address of a database behind the Service's name."""
    said = urlsplit(url)
    return f"postgresql://{said.username}:{said.password}@bowei-postgres-rw:5432{said.path}"


def _socket(url: str) -> Path:
    return Path(parse_qs(urlsplit(url).query)["host"][0], ".s.PGSQL.5432")


async def _used(machine: Machine, operator: str | None, street: str | None) -> None:
    """Do what a city does, through the Services: register, report, look, divert."""
    async with machine.client(operator, "bowei-registry") as registry:
        answer = await registry.put(
            "/v1/scene",
            content=_SCENE.encode(),
            headers={"Authorization": f"Bearer {_TOKEN}", "Content-Type": "application/yaml"},
        )
        assert answer.status_code == 200, answer.text
        key = answer.json()["keys"]["mall"]

    async def reported() -> int:
        async with machine.client(street, "bowei-ingest") as ingest:
            item = {"lot_id": "mall", "observed_at": datetime.now(UTC).isoformat(), "free": 418}
            headers = {"Authorization": f"Bearer {key}"}
            answer = await ingest.post("/v1/observations", json={"items": [item]}, headers=headers)
            return sum(result["result"] == "applied" for result in answer.json().get("results", ()))

    await until(reported, lambda applied: applied == 1)

    async def shown() -> str:
        async with machine.client(street, "bowei-availability") as availability:
            return (await availability.get("/v1/lots")).text

    await until(shown, lambda text: '"mall"' in text and "418" in text)

    async with machine.client(street, "bowei-routing") as routing:
        token = (await routing.post("/v1/drivers")).json()["driver_token"]

        async def diverted() -> str:
            headers = {"Authorization": f"Bearer {token}"}
            answer = await routing.put("/v1/diversions/by-test-0001", json={"hospital_id": "first"}, headers=headers)
            return answer.text

        await until(diverted, lambda text: '"mall"' in text)


async def _drained(machine: Machine) -> None:
    """A stream is open while the pod is told to go: it ends in time, and whoever listened is told by the end of it."""
    async with machine.client(None, "bowei-availability") as client, client.stream("GET", "/v1/stream") as stream:
        assert stream.status_code == 200
        lines = stream.aiter_lines()
        assert await anext(lines)
        await machine.end("bowei-availability")
        with contextlib.suppress(Exception):
            async for _ in lines:
                pass
    for name in ("bowei-routing", "bowei-ingest", "bowei-registry"):
        await machine.end(name)


async def test_the_overlay_to_try_things_runs_as_it_says(
    servers: Servers, fresh_database: str, fresh_redis: str, tmp_path: Path
) -> None:
    """From an empty database: the job, the services, a driver who is diverted; every connection is one that is let."""
    async with _dev(tmp_path, servers, fresh_database, fresh_redis) as machine:
        await _run(machine)
        # By `kubectl port-forward`, which no policy rules.
        await _used(machine, operator=None, street=None)
        _assert_connections_are_as_needed(machine)
        assert _blocked_without(machine, "to-valkey") == {(name, "bowei-valkey", 6379) for name in _SERVICES[1:]}
        await _drained(machine)


@pytest.mark.parametrize("overlay", _LIVE)
async def test_an_overlay_for_a_city_runs_as_it_says(overlay: str, template: PostgresPlace, tmp_path: Path) -> None:
    """As the edge reaches it, on stores that fail over; what is scraped are metrics; no other path leads in."""
    async with _prod(overlay, tmp_path, template) as machine:
        await _run(machine)
        await _used(machine, operator=None, street="edge")
        _assert_connections_are_as_needed(machine)
        await _routed(machine)
        assert await _scraped(machine) == set(_SERVICES)
        with pytest.raises(NotRun, match="edge may not reach bowei-registry"):
            async with machine.client("edge", "bowei-registry"):
                pass
        await _drained(machine)


async def _run(machine: Machine) -> None:
    await machine.run_job("bowei-migrate", _WITHIN_S)
    await asyncio.gather(*(machine.start(name, _WITHIN_S) for name in _SERVICES))


def _assert_connections_are_as_needed(machine: Machine) -> None:
    made = machine.look()
    wanted = {path for path in paths.needed(machine.documents) if path[0] in _SERVICES and path[1] != "names"}
    # Not kept, so that a look may come between: availability asks Postgres for the clock, when it starts; sentinels are
    # asked for the master.
    brief = {path for path in wanted if path[2] == 26379} | {("bowei-availability", "bowei-postgres-rw", 5432)}
    assert made | brief == wanted
    assert made <= paths.allowed(machine.documents)


def _blocked_without(machine: Machine, policy: str) -> set[paths.Path]:
    """Give the connections that were made, and would not be without a policy's word."""
    without = of_kind(machine.documents, "NetworkPolicy")[policy]
    return machine.look() - paths.allowed([said for said in machine.documents if said is not without])


async def _routed(machine: Machine) -> None:
    """Every path that leads in from the street is one that its service has."""
    ways = checking.routes(machine.documents)
    assert {service for *_, service, _ in ways} == set(_SERVICES[1:])
    for _, _, path, service, _ in ways:
        async with machine.client("edge", service) as client:
            described = (await client.get("/v1/openapi.json")).json()["paths"]
            pages = (await client.get(_PAGES.get(path, "/none"))).status_code
        assert pages == 200 or any(known.startswith(f"{path}/") for known in described), f"{service}{path}"


async def _scraped(machine: Machine) -> set[str]:
    """Scrape what the PodMonitors name, from where Prometheus is; give who said that all it needs is there."""
    scraped = set()
    for monitor in of_kind(machine.documents, "PodMonitor").values():
        (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
        for name, pod in pods(machine.documents).items():
            if checking.selects_by(monitor["spec"]["selector"], pod):
                assert ("prometheus", name, checking.ports(pod)[endpoint["port"]]) in paths.allowed(machine.documents)
                async with machine.client("prometheus", name) as client:
                    text = (await client.get(endpoint["path"])).text
                up = next(f for f in text_string_to_metric_families(text) if f.name.endswith("_dependency_up"))
                assert {sample.value for sample in up.samples} == {1.0}
                scraped.add(str(pod["metadata"]["labels"][monitor["spec"]["jobLabel"]]))
    return scraped


def _other_host(container: Document) -> None:
    container["env"] = [entry for entry in container["env"] if entry["name"] != "BOWEI_HOST"]


def _other_variable(container: Document) -> None:
    container["env"][2]["name"] = "BOWEI_REDIS_FILE"


def _other_path(container: Document) -> None:
    container["readinessProbe"]["httpGet"]["path"] = "/ready"


def _other_port(container: Document) -> None:
    container["ports"][0]["containerPort"] = 8100


def _other_command(container: Document) -> None:
    container["command"] = ["bowei-routing"]


@pytest.mark.parametrize(
    ("plant", "finding"),
    [
        (_other_host, "startupProbe: ConnectError"),
        (_other_variable, "ended: .*BOWEI_REDIS_URL"),
        (_other_path, "readinessProbe: 404"),
        (_other_port, "startupProbe: ConnectError"),
        (_other_command, "ended: .*BOWEI_DRIVER_KEY"),
    ],
)
async def test_a_planted_fault_is_found_by_running(
    plant: Callable[[Document], None],
    finding: str,
    servers: Servers,
    fresh_database: str,
    fresh_redis: str,
    tmp_path: Path,
) -> None:
    """One change to availability's container, and it ends or is never ready."""
    async with _dev(tmp_path, servers, fresh_database, fresh_redis) as machine:
        await machine.run_job("bowei-migrate", _WITHIN_S)
        plant(pods(machine.documents)["bowei-availability"]["spec"]["containers"][0])
        with pytest.raises(NotRun, match=f"(?s){finding}"):
            await machine.start("bowei-availability", 8.0)


async def test_services_of_a_city_do_not_start_on_a_ledger_without_a_standby(
    servers: Servers, fresh_database: str, fresh_redis: str, tmp_path: Path
) -> None:
    """What `cloudnative-pg` adds to the environment is read: nothing is promised on a single copy."""
    async with _dev(tmp_path, servers, fresh_database, fresh_redis) as machine:
        await machine.run_job("bowei-migrate", _WITHIN_S)
        city = pods(render("prod"))["bowei-routing"]["spec"]["containers"][0]["env"]
        pods(machine.documents)["bowei-routing"]["spec"]["containers"][0]["env"] = city
        with pytest.raises(NotRun, match=r"ended: .*BOWEI_REQUIRE_SYNCHRONOUS"):
            await machine.start("bowei-routing", _WITHIN_S)
