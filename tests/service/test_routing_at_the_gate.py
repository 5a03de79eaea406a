"""Gate staff divert a car without an app: a space, a code, and a slip to print."""

import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote

import httpx2
import pytest
import segno
from defusedxml import ElementTree

from bowei.domain.lots import Name
from bowei.records.registering import key_sha256_of
from services.routing.slips import page_of
from tests.service.routing_block import FIRST, MALL, OFFICE, TOWER, World, a_lot, code, running_block, until

KEY = "first-hospital.a-key-of-the-gate"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Give the block, whose hospital's gate has a key, with routing running on it."""
    async with running_block() as world:
        await world.register.put_gate_key(FIRST, key_sha256_of(KEY))
        yield world


async def _divert(world: World, diversion_id: str = "gate-1-0001", *, key: str = KEY, **body: Any) -> httpx2.Response:
    sent = {"diversion_id": diversion_id, **body}
    return await world.request("POST", f"/v1/hospitals/{FIRST}/diversions", key, json=sent)


async def _slip(world: World, diversion_id: str = "gate-1-0001", *, key: str = KEY) -> httpx2.Response:
    return await world.request("GET", f"/v1/hospitals/{FIRST}/diversions/{diversion_id}/slip", key)


async def test_a_car_without_an_app_gets_a_space_and_a_code(world: World) -> None:
    """One request: a driver is made, a space held; and the token opens the diversion like any driver's."""
    answer = await _divert(world, plate="浙A12345")
    said = answer.json()
    assert (answer.status_code, said["diversion"]["outcome"]) == (201, "held")
    assert re.fullmatch(r"\d{8}", said["diversion"]["hold"]["code"])
    seen = await world.request("GET", "/v1/diversions/gate-1-0001", said["driver_token"])
    assert seen.json()["hold"] == said["diversion"]["hold"]


async def test_the_same_id_again_is_the_same_car(world: World) -> None:
    """A lost answer is asked for again and holds one space; another car has another id."""
    first, again, other = await _divert(world), await _divert(world), await _divert(world, "gate-1-0002")
    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 201)
    assert first.json()["diversion"]["hold"] == again.json()["diversion"]["hold"]
    assert len(world.holds()) == 2
    assert code(await _divert(world, height_cm=180)) == (409, "id_reused")


async def test_nobody_takes_a_gates_next_id(world: World) -> None:
    """Neither by asking for a space under it nor by giving it up beforehand; the gate's own driver does both."""
    thief = await world.driver()
    thief.diversion_id = "gate-1-0002"
    assert code(await thief.puts()) == (404, "unknown_diversion")
    assert code(await world.request("DELETE", thief.path, thief.token)) == (404, "unknown_diversion")
    said = (await _divert(world, "gate-1-0002")).json()
    assert said["diversion"]["outcome"] == "held"
    assert code(await world.request("DELETE", thief.path, thief.token)) == (404, "unknown_diversion")
    assert (await world.request("DELETE", thief.path, said["driver_token"])).status_code == 204
    thief.diversion_id = "gateway-0001"
    assert (await thief.puts()).status_code == 201


async def test_where_no_lot_has_room_the_staff_is_told(world: World) -> None:
    """`none`, and no slip to print."""
    for lot_id in (MALL, OFFICE, TOWER):
        await world.reports_and_is_seen(lot_id, free=0)
    said = (await _divert(world)).json()
    assert said["diversion"]["outcome"] == "none"
    assert "slip" not in said
    assert code(await _slip(world)) == (404, "unknown_diversion")


async def test_a_slip_says_where_until_when_and_the_code(world: World) -> None:
    """It is one SVG in both languages that fetches nothing, and its QR opens the driver's page with a token."""
    hold = (await _divert(world)).json()["diversion"]["hold"]
    answer = await _slip(world)
    assert answer.headers["content-type"] == "image/svg+xml"
    root = ElementTree.fromstring(answer.text)
    words = " ".join(text for text in root.itertext() if text.strip())
    assert f"{hold['code'][:4]} {hold['code'][4:]}" in words
    assert "停车场in77" in words
    assert "Lot in77" in words
    assert "until" in words
    assert [one for one in root.iter() if one.tag.endswith(("image", "use", "script", "style"))] == []
    assert root.find(".//{*}path") is not None


async def test_a_long_name_fits_the_slip(world: World) -> None:
    """Type becomes smaller where a line would be wider than the paper."""
    long = Name(
        "杭州市上城区湖滨银泰in77三期地下二层公共停车场",
        "In77 Phase Three Basement Two Public Car Park, Hubin, Hangzhou",
    )
    await world.register.put_lots([a_lot(MALL, name=long)])
    await until(lambda: world.mirror.directory.lots[MALL].name == long)
    await _divert(world)
    sizes = re.findall(r'font-size="(\d+)"[^>]*>([^<]+)<', (await _slip(world)).text)
    widths = {text: int(size) * sum(0.6 if char.isascii() else 1 for char in text) for size, text in sizes}
    assert widths[long.zh] <= 560
    assert widths[long.en] <= 560
    assert all(width <= 580 for width in widths.values())


async def test_the_qr_opens_the_drivers_page(world: World) -> None:
    """The token stands in the fragment, which no server is sent, and opens this diversion."""
    await _divert(world)
    for _ in range(3):  # a token says the second in which it was made
        page = _page(world)
        slip = (await _slip(world)).text
        expected = segno.make(page, error="m", micro=False).svg_inline(omitsize=True, border=4)
        if _path(expected) == _path(slip):
            break
    else:
        pytest.fail("the QR says something else")
    address, fragment = page.split("&token=")
    assert address == "https://parking.example/go#d=gate-1-0001"
    seen = await world.request("GET", "/v1/diversions/gate-1-0001", unquote(fragment))
    assert seen.status_code == 200


def _page(world: World) -> str:
    assert world.app is not None
    wiring = world.app.state.wiring
    token = wiring.tokens.token_of(wiring.tokens.driver_at_gate(FIRST, "gate-1-0001"))
    page = page_of(wiring.pages_url, "gate-1-0001", token)
    assert page is not None
    return page


def _path(svg: str) -> str:
    found = re.search(r'<path [^>]*d="([^"]+)"', svg)
    assert found is not None
    return found[1]


async def test_a_slip_without_a_page_has_no_qr() -> None:
    """Where no page is served the code is enough."""
    async with running_block(pages_url=None) as world:
        await world.register.put_gate_key(FIRST, key_sha256_of(KEY))
        await _divert(world)
        assert "<path" not in (await _slip(world)).text


async def test_the_slip_of_a_hold_that_is_over_is_not_printed(world: World) -> None:
    """Nobody is sent out with a space that was given up."""
    said = (await _divert(world)).json()
    await world.request("DELETE", "/v1/diversions/gate-1-0001", said["driver_token"])
    assert code(await _slip(world)) == (409, "hold_over")


async def test_only_the_hospitals_own_gate_diverts_at_it(world: World) -> None:
    """No key, a wrong one, that of another hospital, and an id that is none."""
    path = f"/v1/hospitals/{FIRST}/diversions"
    body = {"diversion_id": "gate-1-0001"}
    assert code(await world.request("POST", path, json=body)) == (401, "key_missing")
    assert code(await _divert(world, key="nobody's")) == (401, "key_wrong")
    answer = await world.request("POST", "/v1/hospitals/elsewhere/diversions", KEY, json=body)
    assert code(answer) == (403, "not_allowed")
    assert code(await _divert(world, "short")) == (422, "invalid_request")
