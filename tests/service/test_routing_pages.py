"""Which pages of the web may ask routing: those of the one address that the operator names, and no other."""

import httpx2
import pytest

from tests.service.routing_block import running_block

PAGES, ELSEWHERE = "https://parking.example", "https://elsewhere.example"


async def _may(origin: str, pages_url: str | None) -> httpx2.Response:
    async with running_block(pages_url=pages_url) as world:
        assert world.client is not None
        return await world.client.options(
            "/v1/diversions/one-of-a-page",
            headers={
                "Origin": origin,
                "Access-Control-Request-Method": "PUT",
                "Access-Control-Request-Headers": "authorization,content-type",
            },
        )


async def test_the_pages_may_ask_with_a_token() -> None:
    """From their own origin, whatever path they stand under."""
    answer = await _may(PAGES, f"{PAGES}/under/a/path")
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == PAGES
    assert "PUT" in answer.headers["access-control-allow-methods"]


@pytest.mark.parametrize("pages_url", [PAGES, None], ids=["named", "none named"])
async def test_no_other_page_may_ask(pages_url: str | None) -> None:
    """A browser that is told nothing keeps the answer from the page."""
    answer = await _may(ELSEWHERE, pages_url)
    assert "access-control-allow-origin" not in answer.headers


async def test_what_the_pages_need_of_an_answer_is_theirs_to_read() -> None:
    """The ETag by which they wait for a change, and when to come back, also of the answer in front of the framework."""
    async with running_block(pages_url=PAGES) as world:
        assert world.client is not None
        token = (await world.client.post("/v1/drivers")).json()["driver_token"]
        answer = await world.client.put(
            "/v1/diversions/one-of-a-page",
            json={"hospital_id": "first-hospital"},
            headers={"Authorization": f"Bearer {token}", "Origin": PAGES},
        )
        assert answer.status_code == 201
        assert {"ETag", "Retry-After"} <= set(answer.headers["access-control-expose-headers"].split(", "))
