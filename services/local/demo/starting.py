"""From an empty folder to a city that is ready: a fresh ledger marked as a demo's, the services, the scene."""

import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import httpx2

from bowei.domain.clock import Clock
from bowei.domain.lots import HospitalId
from bowei.livestate.failures import LiveStateAway
from bowei.livestate.redis_store import RedisLiveState
from bowei.records.clock import mark_demo, open_clock
from bowei.records.connecting import Pool, connect, disconnect
from bowei.records.emptying import NotADemo, empty_demo
from bowei.records.migrating import DatabaseNewer, MigrationChanged, migrate
from bowei.records.rights import as_role, make_roles
from services.local.data_folder import DataFolder, as_setup_problem
from services.local.demo.scene import DemoScene
from services.local.demo.secrets_folder import read_secret, secret_files
from services.local.processes import Processes, ServiceSpec, on_free_ports, service_specs
from services.local.servers import Servers, embedded_servers
from services.local.setup_problem import SetupProblem

_SCENE_WITHIN_S = 60.0
_BEGINS = time(7)
OPERATOR = "example-operator"
_LOTS_OF_OPERATOR = 3

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class City:
    """Everything that runs, ready for a world to live in it."""

    pool: Pool
    clock: Clock
    processes: Processes
    urls: Mapping[str, str]
    """By the service's name."""
    source_keys: Mapping[str, str]
    gate_key: str = field(repr=False)
    """Of the first hospital's gate, made for this run."""
    operator_secret: str = field(repr=False)
    """Of `OPERATOR`, who runs the first lots that share."""


@asynccontextmanager
async def running_city(data: DataFolder, scene: DemoScene, speed: float, say: Say) -> AsyncIterator[City]:
    """Start all of it, and stop all of it at the end.

    Raises:
        SetupProblem: with what is in the way.
    """
    settings = secret_files(data)
    admin_token = read_secret(settings, "BOWEI_ADMIN_TOKEN")
    _throw_away_copy(data)
    say("Starting Postgres, Redis and the four services: some ten seconds ...")
    async with embedded_servers(data) as servers:
        for line in servers.described:
            say(line)
        await _refuse_foreign_copy(servers)
        if _is_ours("postgres", servers):
            await make_roles(servers.database_url)
        await begin_anew(servers.database_url, say)
        async with _pool(servers) as pool:
            await mark_demo(pool, _monday_at_seven(scene.lots[0].zone), speed)
            clock = await open_clock(pool, allow_demo=True)
            specs = _specs(servers, settings, scene, say)
            async with Processes(specs, data) as processes:
                urls = {spec.name: spec.url for spec in specs}
                keys = await _register(urls["registry"], admin_token, scene)
                gate_key = await _gate_key(urls["registry"], admin_token, scene.hospitals[0].hospital_id)
                secret = await _operator_secret(urls["registry"], admin_token, scene)
                yield City(pool, clock, processes, urls, keys, gate_key, secret)


async def begin_anew(database_url: str, say: Say) -> None:
    """Empty the ledger of the last demo, whose clock is past today's beginning, and bring it to this release.

    Raises:
        SetupProblem: `not_a_demo`, when the database is somebody's who means it; `database_newer`.
    """
    try:
        if await empty_demo(database_url):
            say("The ledger of the last demo is emptied: the clock goes back to Monday 07:00.")
    except NotADemo as error:
        raise SetupProblem(
            "not_a_demo",
            "The database holds lots and is not marked as a demo's.",
            "Unset BOWEI_DATABASE_URL, or name an empty database.",
        ) from error
    try:
        await migrate(database_url)
    except (MigrationChanged, DatabaseNewer) as error:  # Only if somebody else migrated it at this very moment.
        raise SetupProblem(
            "database_newer", "The database was changed by another release just now.", "Start again."
        ) from error


def _throw_away_copy(data: DataFolder) -> None:
    """Delete Redis' copy of the last demo: its reports are newer than this demo's clock, and would be kept."""
    with as_setup_problem(data.redis):
        shutil.rmtree(data.redis, ignore_errors=True)


async def _refuse_foreign_copy(servers: Servers) -> None:
    if _is_ours("redis", servers):
        return
    live_state = RedisLiveState.connect(servers.redis_url)
    try:
        directory = await live_state.directory()
    except LiveStateAway as error:
        raise SetupProblem("redis_away", "The Redis of BOWEI_REDIS_URL does not answer.", "Start it.") from error
    finally:
        await live_state.close()
    if directory is not None:
        raise SetupProblem(
            "redis_in_use",
            "The Redis of BOWEI_REDIS_URL holds a copy that this demo did not make.",
            "Empty it (FLUSHDB) if it is yours, or unset BOWEI_REDIS_URL.",
        )


def _is_ours(store: str, servers: Servers) -> bool:
    """Say whether a store is one that this demo started, and may do with as it likes."""
    return any(one.name == store for one in servers.supervised)


@asynccontextmanager
async def _pool(servers: Servers) -> AsyncIterator[Pool]:
    pool = await connect(servers.database_url, most_connections=2)
    try:
        yield pool
    finally:
        await disconnect(pool)


def _monday_at_seven(zone: ZoneInfo) -> datetime:
    """Give 07:00 local on this week's Monday, in UTC."""
    today = datetime.now(zone).date()
    monday = today - timedelta(days=today.weekday())
    return datetime.combine(monday, _BEGINS, zone).astimezone(UTC)


def _specs(servers: Servers, settings: Mapping[str, str], scene: DemoScene, say: Say) -> tuple[ServiceSpec, ...]:
    common = {
        **settings,
        "BOWEI_DATABASE_URL": servers.database_url,
        "BOWEI_REDIS_URL": servers.redis_url,
        "BOWEI_ALLOW_DEMO": "1",
        "BOWEI_CITYBRAIN": "1",
        "BOWEI_ROADS": str(scene.roads) if scene.roads else "",
        "BOWEI_DATABASE_URL_FILE": "",
        "BOWEI_REDIS_URL_FILE": "",
    }
    usual = service_specs(common)
    specs = on_free_ports(usual)
    url_of = {spec.name: spec.url for spec in specs}
    pages = {
        "BOWEI_PAGES_URL": url_of["availability"],
        "BOWEI_ROUTING_URL": url_of["routing"],
        "BOWEI_REGISTRY_URL": url_of["registry"],
    }
    if _is_ours("postgres", servers):
        # Each service with no more rights than it needs, as in production.
        own = {spec.name: as_role(servers.database_url, f"bowei_{spec.name}") for spec in specs}
    else:
        own = dict.fromkeys(url_of, servers.database_url)
    specs = tuple(
        replace(spec, environment={**spec.environment, **pages, "BOWEI_DATABASE_URL": own[spec.name]}) for spec in specs
    )
    for wanted, got in zip(usual, specs, strict=True):
        if wanted.port != got.port:
            say(f"Port {wanted.port} is in use by another program: {got.name} is on port {got.port}.")
    return specs


async def _register(url: str, admin_token: str, scene: DemoScene) -> Mapping[str, str]:
    """Put the scene through the registry's API, as an operator would; give the sources' keys."""
    async with httpx2.AsyncClient(base_url=url, timeout=_SCENE_WITHIN_S, trust_env=False) as client:
        response = await client.put(
            "/v1/scene", json=dict(scene.document), headers={"Authorization": f"Bearer {admin_token}"}
        )
    if response.status_code not in {200, 201}:
        code = response.json().get("code", response.status_code)
        raise SetupProblem("scene_refused", f"The registry refused the scene: {code}.", "Mend the scene file.")
    keys: Mapping[str, str] = response.json()["keys"]
    return keys


async def _gate_key(url: str, admin_token: str, hospital_id: HospitalId) -> str:
    """Let the registry make the key of a hospital's gate, for its console."""
    async with httpx2.AsyncClient(base_url=url, timeout=_SCENE_WITHIN_S, trust_env=False) as client:
        response = await client.post(
            f"/v1/hospitals/{hospital_id}/gate-key", headers={"Authorization": f"Bearer {admin_token}"}
        )
    if response.status_code != 201:
        raise SetupProblem("gate_key_refused", "The registry made no key for the gate.", "See the registry's log.")
    key: str = response.json()["key"]
    return key


async def _operator_secret(url: str, admin_token: str, scene: DemoScene) -> str:
    """Register an operator of the first lots that share, and let the registry make its secret, for its page."""
    sharing = list(dict.fromkeys(agreement.lot_id for agreement in scene.agreements))[:_LOTS_OF_OPERATOR]
    party = {"role": "operator", "name": {"zh": "示例经营方", "en": "Example operator"}, "lots": sharing}
    headers = {"Authorization": f"Bearer {admin_token}"}
    async with httpx2.AsyncClient(base_url=url, timeout=_SCENE_WITHIN_S, trust_env=False) as client:
        put = await client.put(f"/v1/parties/{OPERATOR}", json=party, headers=headers)
        made = await client.post(f"/v1/parties/{OPERATOR}/secret", headers=headers)
    if put.status_code not in {200, 201} or made.status_code != 201:
        raise SetupProblem("operator_refused", "The registry took no operator.", "See the registry's log.")
    secret: str = made.json()["secret"]
    return secret
