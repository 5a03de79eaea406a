"""The image and what compose says of it: commands, settings, secrets, probes and ports that the code has."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.local.processes import SERVICES

_ROOT = Path(__file__).parents[2]
_COMPOSE: dict[str, Any] = yaml.safe_load((_ROOT / "deploy" / "compose.yaml").read_text("utf-8"))
_DOCKERFILE = (_ROOT / "Dockerfile").read_text("utf-8")
_SCRIPTS = set(tomllib.loads((_ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"])
_SETTINGS = (_ROOT / "docs" / "settings.md").read_text("utf-8")


def _secret(name: str) -> bool:
    row = next((line for line in _SETTINGS.splitlines() if f"`{name}`" in line.partition("|")[2].partition("|")[0]), "")
    return "secret" in row


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_runs_with_settings_that_it_reads_and_secrets_from_files(name: str) -> None:
    """No value of a secret stands in the file, and no setting that nobody reads."""
    service = _COMPOSE["services"][name]
    assert service["command"] == [f"bowei-{name}"]
    for variable in service["environment"]:
        known = variable.removesuffix("_FILE")
        assert f"`{known}`" in _SETTINGS, variable
        if variable.endswith("_FILE"):
            assert _secret(known), variable
            secret = service["environment"][variable].removeprefix("/run/secrets/")
            assert secret in service["secrets"]
    assert set(service["secrets"]) <= set(_COMPOSE["secrets"])


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_may_do_little_and_is_probed_where_it_listens(name: str) -> None:
    """Not root, nothing to write to, no rights; open to this machine alone."""
    service = _COMPOSE["services"][name]
    assert not service["user"].startswith("0")
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    port = SERVICES[name]
    assert service["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert service["healthcheck"]["test"] == ["CMD", "bowei", "ready", "--port", str(port)]


def test_every_port_is_of_this_machine_alone_and_every_image_can_be_pinned() -> None:
    """Who opens one to the network does it on purpose; a digest goes into a variable."""
    for name, service in _COMPOSE["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
        assert re.fullmatch(r"\$\{[A-Z]+_IMAGE:-[^}]+\}", service["image"]), name


def test_prometheus_looks_where_the_services_are() -> None:
    """By their names and ports in compose."""
    configuration = yaml.safe_load((_ROOT / "deploy" / "prometheus" / "compose.yaml").read_text("utf-8"))
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in configuration["scrape_configs"]}
    assert targets == {f"bowei-{name}": [f"{name}:{port}"] for name, port in SERVICES.items()}


def test_the_image_is_made_of_pinned_parts_and_runs_as_nobody() -> None:
    """The base is named by who builds, packages by hashes; the last user is a number that is not root's."""
    bases = re.findall(r"^FROM (\S+)", _DOCKERFILE, re.MULTILINE)
    assert set(bases) == {"${BASE}"}
    assert "--require-hashes --only-binary :all: -r lock/run.txt" in _DOCKERFILE
    users = re.findall(r"^USER (\d+):(\d+)$", _DOCKERFILE, re.MULTILINE)
    assert users
    assert users[-1][0] != "0"
    command = re.findall(r'^CMD \["([^"]+)"', _DOCKERFILE, re.MULTILINE)
    assert set(command) <= _SCRIPTS
