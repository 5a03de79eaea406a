"""Pages over HTTP: kept where they may be, asked for again where they must, compressed, and under a strict policy."""

import gzip
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.availability.pages.files import read_streets
from tests.service.availability_block import FIRST, Block, running_block


@pytest.fixture
async def block() -> AsyncIterator[Block]:
    """A service that has nothing to show yet: pages need no data."""
    async with running_block() as made:
        yield made


async def test_a_page_comes_with_a_policy_that_lets_nothing_else_in(block: Block) -> None:
    """No inline script or style, no other host, no frame; and it is asked for again each time."""
    response = await block.client.get(f"/board/{FIRST}")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache"
    policy = dict(part.strip().split(" ", 1) for part in response.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert {policy[name] for name in ("script-src", "style-src", "img-src", "connect-src")} == {"'self'"}


async def test_a_page_that_acts_may_ask_routing_and_nobody_else() -> None:
    """Its policy and its script are told the same address; a key in its own address is nobody's referrer."""
    async with running_block(addresses={"routing": "https://routing.example/city"}) as block:
        for path in ("/go", f"/gate/{FIRST}"):
            response = await block.client.get(path)
            policy = dict(part.strip().split(" ", 1) for part in response.headers["content-security-policy"].split(";"))
            assert policy["connect-src"] == "'self' https://routing.example"
            assert policy["script-src"] == policy["style-src"] == "'self'"
            assert '<meta name="bowei-routing" content="https://routing.example/city">' in response.text
            assert response.headers["referrer-policy"] == "no-referrer"
        assert "routing.example" not in (await block.client.get(f"/board/{FIRST}")).headers["content-security-policy"]


async def test_an_operators_page_may_ask_the_registry_and_nobody_else() -> None:
    """Its policy and its script are told the same address; routing's is not among them."""
    addresses = {"routing": "https://routing.example", "registry": "https://registry.example"}
    async with running_block(addresses=addresses) as block:
        response = await block.client.get("/operator")
        policy = dict(part.strip().split(" ", 1) for part in response.headers["content-security-policy"].split(";"))
        assert policy["connect-src"] == "'self' https://registry.example"
        assert '<meta name="bowei-registry" content="https://registry.example">' in response.text
        assert response.headers["referrer-policy"] == "no-referrer"


async def test_what_a_page_loads_is_kept_for_ever_under_the_name_of_its_content(block: Block) -> None:
    """Its address holds the version; under another version the same is given, to be asked for again."""
    page = (await block.client.get(f"/board/{FIRST}")).text
    script = re.search(r'src="\.\.(/pages/\w+)(/board/board\.js)"', page)
    assert script is not None
    response = await block.client.get(script[1] + script[2])
    assert response.headers["content-type"] == "text/javascript; charset=utf-8"
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    other = await block.client.get(f"/pages/0123{script[2]}")
    assert (other.content, other.headers["cache-control"]) == (response.content, "no-cache")


@pytest.mark.parametrize("path", [f"/board/{FIRST}", "/map", "/pages/x/texts/texts.js"])
async def test_what_is_known_is_not_sent_again_and_what_is_sent_is_small(block: Block, path: str) -> None:
    """304 for the same content; compressed for whoever takes it; HEAD as GET."""
    whole = await block.client.get(path, headers={"Accept-Encoding": "identity"})
    again = await block.client.get(path, headers={"If-None-Match": whole.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    small = await block.client.get(path, headers={"Accept-Encoding": "gzip"})
    assert (small.headers["content-encoding"], small.content) == ("gzip", whole.content)
    assert int(small.headers["content-length"]) == len(gzip.compress(whole.content, mtime=0)) < len(whole.content)
    assert (await block.client.head(path)).headers["etag"] == whole.headers["etag"]


@pytest.mark.parametrize(
    "path",
    [
        "/pages/x/board/none.js",
        "/pages/x/board/board.html",
        "/pages/x/%2e%2e/%2e%2e/pyproject.toml",
        "/pages/x/texts/en.po",
    ],
)
async def test_there_is_nothing_but_the_pages(block: Block, path: str) -> None:
    """What was not read at start is not there, wherever it lies."""
    assert (await block.client.get(path)).status_code == 404


async def test_the_map_draws_the_streets_of_a_drawn_road_file(tmp_path: Path) -> None:
    """As they are in the file; none where drives are estimated by air, or the road file is a compiled one."""
    drawn, compiled = tmp_path / "streets.geojson", tmp_path / "city.roads"
    drawn.write_text('{"type":"FeatureCollection","features":[],"attribution":"ours"}', "utf-8")
    compiled.write_bytes(b"\0")
    assert json.loads(read_streets(drawn).body)["attribution"] == "ours"
    assert read_streets(compiled).body == read_streets(None).body
    async with running_block() as block:
        response = await block.client.get("/map/streets.geojson")
    assert response.headers["content-type"] == "application/geo+json"
    assert response.json() == {"type": "FeatureCollection", "features": []}
