"""What each service says at /metrics, looked at by Prometheus' own checker."""

import shutil
import subprocess

import pytest

from tests.service.availability_block import OWN
from tests.service.availability_block import running_block as running_availability
from tests.service.ingest_app import ingest
from tests.service.registry_app import registry
from tests.service.routing_block import running_block as running_routing

pytestmark = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="there is no promtool here (Debian: apt install prometheus)"
)


def _checked(text: str) -> str:
    done = subprocess.run(
        ["promtool", "check", "metrics"],  # noqa: S607 (Debian's, by its name)
        input=text,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.stdout + done.stderr


def test_the_checker_finds_what_is_wrong() -> None:
    """Else nothing that it says of ours would mean anything."""
    assert "counter metrics should have" in _checked("# HELP a_thing How many?\n# TYPE a_thing counter\na_thing 1\n")


async def test_nothing_is_to_be_said_of_the_registrys_metrics() -> None:
    """Names, units, types and help texts as Prometheus wants them."""
    async with registry() as client:
        await client.get("/v1/lots")
        assert _checked((await client.get("/metrics")).text) == ""


async def test_nothing_is_to_be_said_of_routings_metrics() -> None:
    """The same of routing."""
    async with running_routing() as world:
        await (await world.driver()).asks()
        assert _checked((await world.request("GET", "/metrics")).text) == ""


async def test_nothing_is_to_be_said_of_availabilitys_metrics() -> None:
    """The same of availability."""
    async with running_availability() as block:
        await block.register()
        await block.ready()
        await block.report(OWN, 0, queue_vehicles=9)
        await block.gate(lambda gate: gate.get("queue_vehicles") == 9)
        text = (await block.client.get("/metrics")).text
        assert _checked(text) == ""
        assert 'bowei_availability_gate_queue_vehicles{hospital="first-hospital"} 9.0' in text


async def test_nothing_is_to_be_said_of_ingests_metrics() -> None:
    """The same of ingest."""
    async with ingest() as world:
        assert _checked((await world.client.get("/metrics")).text) == ""
