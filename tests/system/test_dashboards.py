"""Dashboards: what is committed is what is defined, and every panel has data while the demo lives."""

import asyncio
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from services.local.dashboards.boards import DASHBOARDS
from services.local.dashboards.grafana import rendered
from tests.free_ports import free_port
from tests.system.test_demo import Demo

_ROOT = Path(__file__).parents[2]
_SERVICES = ("registry", "ingest", "routing", "availability")
_WITHIN_S = 100.0
_STOPPED_WITHIN_S = 30.0
_EXPRESSIONS = sorted({query.expression for one in DASHBOARDS for panel in one.panels for query in panel.queries})


def test_what_is_committed_is_what_is_defined() -> None:
    """After a change: `bowei dashboards deploy/grafana`."""
    committed = {file.name: file.read_text("utf-8") for file in (_ROOT / "deploy" / "grafana").glob("*.json")}
    assert committed == rendered()


def test_no_two_panels_of_a_dashboard_cover_each_other_and_each_speaks_both_languages() -> None:
    """Placed row by row; titles and ids are there in zh and en."""
    for name, text in rendered().items():
        document: dict[str, Any] = json.loads(text)
        assert document["uid"] == name.removesuffix(".json")
        taken: set[tuple[int, int]] = set()
        for panel in document["panels"]:
            place = panel["gridPos"]
            cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
            assert not cells & taken, (name, panel["title"])
            assert place["x"] + place["w"] <= 24
            taken |= cells
        if name.endswith("-zh.json"):
            assert all(re.search(r"[一-鿿]", panel["title"]) for panel in document["panels"])


@contextmanager
def _prometheus(folder: Path, urls: dict[str, str]) -> Iterator[str]:
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "scrape_configs": [
            {"job_name": f"bowei-{name}", "static_configs": [{"targets": [url.removeprefix("http://")]}]}
            for name, url in urls.items()
        ],
    }
    file, port = folder / "prometheus.yaml", free_port()
    file.write_text(yaml.safe_dump(configuration), "utf-8")
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [  # noqa: S607 (Debian's, by its name)
                "prometheus",
                f"--config.file={file}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.timeout(240)
@pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="there is no prometheus here (Debian: apt install prometheus)"
)
def test_every_panel_has_data_while_the_demo_lives(server_folder: Path) -> None:
    """Asked of a real Prometheus that scrapes the four services: a query that finds nothing is a hole on a wall."""
    demo = Demo(server_folder, "--json", "--for", "150s", "--seed", "7")
    try:
        demo.wait_for(lambda: len(demo.pids()) == len(_SERVICES), 60)
        urls = dict(
            re.findall(
                r"(registry|ingest|routing|availability): metrics\s+(http://127\.0\.0\.1:\d+)/metrics", demo.said()
            )
        )
        with _prometheus(server_folder, urls) as prometheus:
            empty = asyncio.run(_empty_ones(prometheus))
        assert empty == []
    finally:
        demo.process.terminate()  # it stops its servers itself, so that nothing writes here any more
        demo.process.wait(_STOPPED_WITHIN_S)
        demo.close()


async def _empty_ones(prometheus: str) -> list[str]:
    """Ask until each query has found something; give those that never did."""
    deadline, waiting = time.monotonic() + _WITHIN_S, list(_EXPRESSIONS)
    async with httpx2.AsyncClient(base_url=prometheus, timeout=10, trust_env=False) as client:
        while waiting and time.monotonic() < deadline:
            waiting = [one for one in waiting if not await _found(client, one)]
            await asyncio.sleep(0.5)
    return waiting


async def _found(client: httpx2.AsyncClient, expression: str) -> bool:
    try:
        answer = await client.get("/api/v1/query", params={"query": expression})
    except httpx2.HTTPError:
        return False
    if answer.status_code != 200:
        assert answer.status_code == 503, answer.text
        return False
    return bool(answer.json()["data"]["result"])
