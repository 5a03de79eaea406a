"""The parties at real services: the first administrator, an operator who signs in, and a pause that reaches routing."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from tests.free_ports import free_port
from tests.system.routing_city import FIRST, MALL, PROJECT, City, Site, prepared_site

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_PATIENCE_S = 20.0


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Give the servers' places."""
    with prepared_site() as prepared:
        yield prepared


@pytest.fixture
async def city(site: Site) -> AsyncIterator[City]:
    """Give a city of its own, with routing."""
    running = City(site)
    try:
        await running.start_stores()
        await running.settle_in()
        running.start_routing()
        await running.ready()
        yield running
    finally:
        await running.close()


class Registry:
    """A registry that was started without an admin token."""

    def __init__(self, process: asyncio.subprocess.Process, client: httpx2.AsyncClient) -> None:
        self._process = process
        self.client = client
        self.printed = ""

    async def until_ready(self) -> None:
        """Wait until it answers, and take note of what it printed until then."""
        assert self._process.stderr is not None
        async with asyncio.timeout(_PATIENCE_S):
            while "Uvicorn running" not in self.printed:
                line = await self._process.stderr.readline()
                assert line, self.printed
                self.printed += line.decode()

    async def sign_in(self, party_id: str, secret: str) -> dict[str, str]:
        """Give the header of who signed in."""
        form = f"grant_type=client_credentials&client_id={party_id}&client_secret={secret}"
        answer = await self.client.post("/v1/token", content=form, headers=FORM)
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}


@asynccontextmanager
async def _registry(city: City) -> AsyncIterator[Registry]:
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BOWEI_")}
    environment |= {"BOWEI_DATABASE_URL": city.database_url, "BOWEI_PORT": str(port)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.registry", env=environment, cwd=PROJECT, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            registry = Registry(process, client)
            await registry.until_ready()
            yield registry
    finally:
        process.terminate()
        await process.communicate()


async def _made(client: httpx2.AsyncClient, path: str, body: Any, headers: dict[str, str], method: str = "PUT") -> Any:
    answer = await client.request(method, path, json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_from_the_printed_code_to_a_lot_that_its_operator_paused(city: City) -> None:
    """The code makes the administrator, who registers an operator, whose pause holds: nobody is sent there after it."""
    name = {"zh": "甲", "en": "A"}
    async with _registry(city) as registry:
        (code,) = re.findall(r"with this code: (\S+)", registry.printed)
        first = {"code": code, "party_id": "li", "name": name}
        li = await _made(registry.client, "/v1/first-administrator", first, {}, "POST")
        administrator = await registry.sign_in("li", li["secret"])
        party = {"role": "operator", "name": name, "lots": [MALL]}
        operator = await _made(registry.client, "/v1/parties/malls", party, administrator)
        headers = await registry.sign_in("malls", operator["secret"])
        drivers = await city.drivers(8)
        async with city.client() as client:
            before = await drivers[0].puts(client, hospital_id=FIRST)
            assert before.json()["lot"]["lot_id"] == MALL
            paused = await registry.client.post(f"/v1/lots/{MALL}/pause", headers=headers)
            assert (paused.status_code, paused.json()["paused"]) == (200, True)
            after = [await driver.puts(client, hospital_id=FIRST) for driver in drivers[1:]]
        assert {answer.json()["outcome"] for answer in after} == {"held"}
        assert MALL not in {answer.json()["lot"]["lot_id"] for answer in after}
        acts = (await registry.client.get("/v1/audit", headers=administrator)).json()["items"]
        assert [(act["actor"], act["act"]) for act in acts if act["outcome"] == "done"] == [
            ("first-code", "make_first_administrator"),
            ("li", "put_party"),
            ("malls", "pause_lot"),
        ]
    async with _registry(city) as registry:
        assert "code" not in registry.printed
        # Signed with keys that ended with the process before.
        assert (await registry.client.get("/v1/lots", headers=headers)).status_code == 401
    await city.assert_no_promise_broken()
