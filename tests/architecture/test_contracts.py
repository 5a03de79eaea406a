"""The contracts in pyproject.toml are the architecture drawing: each is broken here on purpose, and seen to fail."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

LAYERS = "Services use the rooms; rooms use the domain; never back; rooms of one level never each other"
NO_SIBLINGS = "The services never import each other; only local assembles them"
NO_LOCAL = "No service imports local"
PURE = "The domain touches no network, database or framework"
POSTGRES = "Only the records room speaks to Postgres"
REDIS = "Only the live state room speaks to Redis"
ROADS = "Only the roads room knows the routing engine and the map reader"
EDGE = "Frameworks stay at the edge: rooms of state know no HTTP"
CONCRETE = "Concrete stores are named only where an application is assembled"
HOLDS = "Only routing places and ends holds"
REPORTS = "Only ingest records what lots say; routing may read it"
CONVERTERS = "Only pulling knows the library of other people's converters"
QUALITY = "Only ingest judges who is believed, and only the registry takes a person's word on it"
SIMULATOR = "Only the evaluation of traffic knows the traffic simulator"
READS = "Availability writes nothing: it knows no store that writes"

# Which contracts break when a line is planted in a file.
PLANTS: list[tuple[str, str, set[str]]] = [
    ("bowei/domain/gate.py", "import asyncio", {PURE}),
    ("bowei/domain/gate.py", "import pydantic", {PURE}),
    ("bowei/domain/gate.py", "import bowei.records.failures", {LAYERS}),
    ("bowei/roads/building.py", "import services.local.setup_problem", {LAYERS}),
    ("bowei/roads/errors.py", "import asyncpg", {POSTGRES}),
    ("bowei/roads/errors.py", "import redis", {REDIS}),
    ("services/local/setup_problem.py", "import osmium", {ROADS}),
    ("bowei/records/failures.py", "import fastapi", {EDGE}),
    ("services/registry/__init__.py", "import services.ingest.settings", {NO_SIBLINGS}),
    ("services/registry/__init__.py", "import services.local.setup_problem", {NO_LOCAL}),
    ("services/routing/api.py", "import bowei.livestate.redis_store", {CONCRETE}),
    ("services/registry/__init__.py", "import bowei.records.holding", {HOLDS}),
    ("services/registry/__init__.py", "import bowei.records.reporting", {REPORTS}),
    ("services/routing/__init__.py", "import bowei.records.quality", {QUALITY}),
    ("services/routing/api.py", "import bowei.records.postgres_road_book", {CONCRETE}),
    ("services/ingest/intake.py", "import bowei.records.postgres_trusting", {CONCRETE}),
    ("services/availability/views.py", "import bowei.livestate.showing", {READS}),
    ("services/availability/views.py", "import bowei.records.road_book", {READS}),
    ("services/availability/views.py", "import bowei.records.forecasts", {READS}),
    ("services/availability/views.py", "import bowei.records.history", {READS}),
    ("services/availability/views.py", "import bowei.records.dead_letters", {READS}),
    ("services/availability/views.py", "import bowei.records.barriers", {READS, HOLDS}),
    ("services/availability/views.py", "import bowei.records.sensing", {READS, REPORTS}),
    ("services/ingest/intake.py", "import parkapi_sources", {CONVERTERS}),
    ("services/local/evaluate/traffic/following.py", "import libsumo", {SIMULATOR}),
] + [
    (f"bowei/{room}/__init__.py", f"import bowei.{other}", {LAYERS})
    for room in ("records", "livestate", "roads", "observability")
    for other in ("records", "livestate", "roads", "observability")
    if room != other
]


@pytest.mark.parametrize(("place", "line", "broken"), PLANTS, ids=[f"{p}:{line}" for p, line, _ in PLANTS])
def test_a_forbidden_import_breaks_its_contract(place: str, line: str, broken: set[str], tree: Path) -> None:
    """Plant one import; exactly the contracts meant for it are reported as broken."""
    file = tree / place
    before = file.read_text(encoding="utf-8")
    file.write_text(before + f"\n{line}\n", encoding="utf-8")
    try:
        assert _broken(tree) == broken
    finally:
        file.write_text(before, encoding="utf-8")


def test_the_tree_as_it_stands_keeps_every_contract(tree: Path) -> None:
    """Nothing is broken before anything is planted."""
    assert _broken(tree) == set()


def test_every_contract_was_seen_to_fail() -> None:
    """A contract without a plant above would be a drawing that nobody checked."""
    assert set(_contracts()) == set().union(*(broken for _, _, broken in PLANTS))


def test_every_store_in_postgres_is_a_concrete_one() -> None:
    """A store that is not in the contract's list could be named anywhere."""
    listed = {name for name in _contracts()[CONCRETE]["protected_modules"] if ".postgres_" in name}
    assert listed == {f"bowei.records.{file.stem}" for file in (ROOT / "bowei" / "records").glob("postgres_*.py")}


def _contracts() -> dict[str, Any]:
    """Give the contracts by their names."""
    read = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {contract["name"]: contract for contract in read["tool"]["importlinter"]["contracts"]}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources that a test may spoil."""
    copy = tmp_path_factory.mktemp("tree")
    for package in ("bowei", "services"):
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__", "*.geojson"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


def _broken(tree: Path) -> set[str]:
    """Run import-linter on a tree, and list the contracts that it reports as broken."""
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree), "COLUMNS": "500", "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    results = re.findall(r"^(.*?) (KEPT|BROKEN)$", done.stdout, re.MULTILINE)
    assert results, done.stdout + done.stderr
    return {name.strip() for name, result in results if result == "BROKEN"}
