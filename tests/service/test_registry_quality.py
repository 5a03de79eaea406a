"""How the city's data stands, over HTTP: sums, evidence, a person's word, and the page."""

import base64
from collections.abc import AsyncIterator
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from httpx2 import AsyncClient
from typing_extensions import override

from bowei.domain.assessing import Finding
from bowei.domain.clock import SteppedClock
from bowei.domain.dirt import Dirt
from bowei.domain.lots import LotId, SourceId
from bowei.domain.observations import Observation
from bowei.domain.strangers import Stranger
from bowei.records.in_memory import InMemoryQuality, InMemoryRecords, InMemoryReportJournal
from bowei.records.quality import Assessment
from bowei.records.reporting import Judged
from tests.service.registry_app import NOW, TOKEN, lot, registry, settle_in

MALL = LotId("mall")
WORD = {"by": "li.wei", "reason": "The loop at the north gate is broken."}
STUCK = Finding(Dirt.STUCK, NOW - timedelta(hours=12), 0.95, {"free": 7, "still_h": 12})


class World:
    """A registry with a block, and what stands behind it."""

    def __init__(self, client: AsyncClient, records: InMemoryRecords, clock: SteppedClock) -> None:
        self.client = client
        self.records = records
        self.clock = clock
        self.book = InMemoryQuality(records)

    async def enrol(self, source_id: str = "malls", *, trusted: bool = True, **lots: str) -> None:
        """Register a source for the mall, or for other lots."""
        body = {"kind": "native", "trusted": trusted, "lots": lots or {"1001": "mall"}}
        answer = await self.client.put(f"/v1/sources/{source_id}", json=body)
        assert answer.status_code in {200, 201}, answer.text

    async def report(self, free: int = 40) -> None:
        """Let the mall report."""
        said = Observation(MALL, self.clock.now(), SourceId("malls"), free=free)
        await InMemoryReportJournal(self.records).record([Judged(said)])

    async def quality(self, path: str = "", **headers: str) -> Any:
        """Look at quality."""
        answer = await self.client.get(f"/v1/quality{path}", headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def act(self, path: str, body: object = WORD) -> int:
        """Say a person's word; give the status."""
        return (await self.client.post(f"/v1/quality/sources/{path}", json=body)).status_code


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Give a registry with a hospital and a mall that a trusted source reports."""
    clock = SteppedClock(NOW)
    records = InMemoryRecords(clock)
    async with registry(records=records) as client:
        await settle_in(client)
        world = World(client, records, clock)
        await world.enrol()
        yield world


async def test_the_city_sees_what_reports_and_what_does_not(world: World) -> None:
    """Shows coverage, freshness and trust in sums that add up, by city and by source."""
    await world.report()
    world.clock.step_to(NOW + timedelta(seconds=30))
    city = await world.quality()
    assert city["as_of"] == "2026-03-02T01:00:30.000Z"
    assert (city["lots"]["registered"], city["lots"]["reporting"], city["lots"]["coverage"]) == (2, 1, 0.5)
    assert city["lots"]["by_freshness"] == {"fresh": 1}
    assert city["lots"]["by_trust"] == {"live": 2}
    assert city["oldest_s"] == 30
    (malls,) = city["sources"]
    assert (malls["source_id"], malls["trust"]["state"], malls["lots"]["registered"]) == ("malls", "live", 1)
    assert city["doubted"] == []


async def test_a_lot_is_shown_with_the_evidence_of_each_finding(world: World) -> None:
    """Shows what a person needs to check a finding by themselves: since when, how sure, and the numbers."""
    await world.report()
    await world.book.assess([Assessment(MALL, (STUCK,), "stuck")])
    found = await world.quality("/lots/mall")
    assert (found["doubt"], found["doubt_since"], found["age_s"]) == ("stuck", "2026-03-02T01:00:00.000Z", 0)
    evidence = {"free": 7, "still_h": 12}
    since = "2026-03-01T13:00:00.000Z"
    assert found["findings"] == [{"dirt": "stuck", "since": since, "confidence": 0.95, "evidence": evidence}]
    assert [one["source_id"] for one in found["sources"]] == ["malls"]
    assert [(one["kind"], one.get("became")) for one in found["events"]][:2] == [
        ("doubt", "stuck"),
        ("finding", "stuck"),
    ]
    (doubted,) = (await world.quality())["doubted"]
    assert (doubted["lot_id"], doubted["doubt"], doubted["name"]["zh"]) == ("mall", "stuck", "甲")


async def test_a_source_that_is_new_is_on_probation_by_default(world: World) -> None:
    """Shows that the registry trusts nobody by itself, and that a repeat with the word trusts them."""
    await world.client.put("/v1/sources/new", json={"kind": "native", "lots": {"1": "h"}})
    assert (await world.quality("/sources/new"))["trust"]["state"] == "probation"
    assert (await world.quality("/lots/h"))["doubt"] == "probation"
    assert (await world.client.get("/v1/sources/new")).json()["trusted"] is False
    await world.enrol("new", h="h")
    assert (await world.quality("/sources/new"))["trust"]["state"] == "live"
    assert "doubt" not in await world.quality("/lots/h")


async def test_a_person_suspends_and_releases(world: World) -> None:
    """Shows that the acts work at once and stand in the record with who and why."""
    assert await world.act("malls/lots/mall/suspend") == 204
    found = await world.quality("/lots/mall")
    assert (found["trust"], found["doubt"]) == ("suspended", "suspended")
    assert found["sources"][0]["trust_of_lot"]["by_hand"] is True
    assert await world.act("malls/lots/mall/release", WORD | {"pinned": True}) == 204
    assert (await world.quality("/lots/mall"))["sources"][0]["trust_of_lot"]["by_hand"] is True
    acts = [one for one in (await world.quality("/lots/mall"))["events"] if one["kind"] == "trust"]
    assert [(one["became"], one.get("said_by"), one["reason"]) for one in acts[:2]] == [
        ("live", "li.wei", WORD["reason"]),
        ("suspended", "li.wei", WORD["reason"]),
    ]
    assert await world.act("malls/suspend") == 204
    assert (await world.client.get("/v1/sources/malls")).json()["suspended"] is True
    assert await world.act("malls/release") == 204
    assert (await world.client.get("/v1/sources/malls")).json()["suspended"] is False


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("nobody/suspend", WORD, 404),
        ("malls/lots/h/suspend", WORD, 404),
        ("malls/lots/h/release", WORD, 404),
        ("malls/suspend", {"by": "li"}, 422),
        ("malls/suspend", {"by": "", "reason": "x"}, 422),
        ("malls/suspend", WORD | {"pinned": True}, 422),
        ("malls/release", WORD | {"pinned": "yes"}, 422),
    ],
)
async def test_acts_that_can_t_be_meant_are_refused(world: World, path: str, body: object, status: int) -> None:
    """Shows that nobody is suspended by mistake, or without saying who and why."""
    events = len(world.records.quality_events)
    assert await world.act(path, body) == status
    assert len(world.records.quality_events) == events


async def test_lots_that_nobody_registered_wait_with_their_source(world: World) -> None:
    """Shows codes, names and the likely known lot; one that is dealt with is taken off."""
    name = "迪卡儂 <b>"
    await world.book.note_strangers(
        [Stranger(SourceId("malls"), "x/9", NOW, NOW, 3, name, dirt=Dirt.RENAMED_LOT, like=MALL)]
    )
    (pending,) = (await world.quality("/sources/malls"))["pending_lots"]
    assert (pending["code"], pending["dirt"], pending["times"], pending["like"]) == ("x/9", "renamed_lot", 3, "mall")
    assert (await world.quality())["pending"] == 1
    address = "/v1/quality/sources/malls/pending"
    assert (await world.client.delete(address, params={"code": "x/9"})).status_code == 204
    assert (await world.client.delete(address, params={"code": "x/9"})).status_code == 404
    assert (await world.quality("/sources/malls"))["pending_lots"] == []


@pytest.mark.parametrize("path", ["/sources/nobody", "/lots/nowhere"])
async def test_what_is_not_registered_is_not_found(world: World, path: str) -> None:
    """Shows that a slip in an id is said to be one."""
    assert (await world.client.get(f"/v1/quality{path}")).status_code == 404


def basic(password: str) -> str:
    """Write what a browser sends after its user typed a password."""
    return "Basic " + base64.b64encode(f"anyone:{password}".encode()).decode()


@pytest.mark.parametrize("path", ["/v1/quality", "/v1/quality/lots/mall", "/quality"])
async def test_looking_takes_the_token_in_either_way(world: World, path: str) -> None:
    """Shows that a browser gets in with the token as its password, and nobody without it."""
    for authorization, status in (
        (basic(TOKEN), 200),
        (f"Bearer {TOKEN}", 200),
        (basic("wrong"), 401),
        ("Basic !", 401),
        ("Bearer wrong", 401),
        ("", 401),
    ):
        answer = await world.client.get(path, headers={"Authorization": authorization})
        assert answer.status_code == status, authorization


async def test_acting_takes_bearer_only(world: World) -> None:
    """Shows that a page of somebody else can't make a logged-in browser suspend a source."""
    for path in ("malls/suspend", "malls/release", "malls/lots/mall/suspend"):
        answer = await world.client.post(
            f"/v1/quality/sources/{path}", json=WORD, headers={"Authorization": basic(TOKEN)}
        )
        assert answer.status_code == 401
    pending = await world.client.delete(
        "/v1/quality/sources/malls/pending?code=x", headers={"Authorization": basic(TOKEN)}
    )
    assert pending.status_code == 401


async def test_an_operator_may_open_looking_but_not_acting() -> None:
    """Shows that a public page is a decision of the operator, and changes nothing for acts."""
    async with registry(quality_open=True) as client:
        await client.put("/v1/lots/mall", json=lot())
        anonymous = {"Authorization": ""}
        for path in ("/v1/quality", "/v1/quality/lots/mall", "/quality"):
            assert (await client.get(path, headers=anonymous)).status_code == 200
        for path in ("/v1/lots", "/v1/sources"):
            assert (await client.get(path, headers=anonymous)).status_code == 401
        acted = await client.post("/v1/quality/sources/malls/suspend", json=WORD, headers=anonymous)
        assert acted.status_code == 401


class Reading(HTMLParser):
    """Reads a page as a browser would: its texts, its tags, and whether each is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "link"}:
            self.open.append(tag)

    @override
    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    @override
    def handle_data(self, data: str) -> None:
        self.texts.append(data)


async def page_in(world: World, language: str) -> tuple[Reading, Any]:
    """Open the page."""
    answer = await world.client.get("/quality", headers={"Accept-Language": language})
    assert answer.status_code == 200
    return Reading(answer.text), answer


async def test_the_page_shows_the_same_figures_in_either_language(world: World) -> None:
    """Shows the page a street office would open: figures, sources, doubted lots, each with a link to its evidence."""
    await world.report()
    await world.book.assess([Assessment(MALL, (STUCK,), "stuck")])
    for language, title, why, tag in (
        ("zh-CN", "数据质量", "计数卡住", "zh-Hans"),
        ("en", "Data quality", "stuck counter", "en"),
    ):
        page, answer = await page_in(world, language)
        assert title in page.texts
        assert why in page.texts
        assert page.open == []
        assert ("html", {"lang": tag}) in page.tags
        assert answer.headers["Content-Language"] == tag
        links = {attrs.get("href") for name, attrs in page.tags if name == "a"}
        assert {"/v1/quality/lots/mall", "/v1/quality/sources/malls", "/v1/quality"} <= links
        assert any(name == "meta" and attrs.get("name") == "viewport" for name, attrs in page.tags)


async def test_what_others_call_their_lots_can_t_become_part_of_the_page(world: World) -> None:
    """Shows that a name with markup is a text, and that the page would run no script if it were not."""
    name = "<script>alert(1)</script>\"'&"
    await world.client.put("/v1/lots/mall", json=lot(name={"zh": name, "en": name}))
    await world.book.assess([Assessment(MALL, (STUCK,), "stuck")])
    page, answer = await page_in(world, "en")
    assert name in "".join(page.texts)
    assert {tag for tag, _ in page.tags} & {"script", "img", "iframe", "style", "form"} == set()
    assert all(not key.startswith("on") and key != "style" for _, attrs in page.tags for key in attrs)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert "unsafe" not in policy


async def test_a_browser_is_asked_for_the_token(world: World) -> None:
    """Shows the header by which a browser knows to ask its user."""
    answer = await world.client.get("/quality", headers={"Authorization": ""})
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    style = await world.client.get("/quality.css", headers={"Authorization": ""})
    assert style.headers["Content-Type"] == "text/css; charset=utf-8"
    assert "overflow-x: auto" in style.text
