"""What the pages about fetched feeds show can be pasted: files are read, requests are answered as shown."""

import json
import re
from pathlib import Path

import pytest

from bowei.observability.environment import Environment
from services.ingest.feeds_file import read_feeds_file
from services.ingest.pulling.assembling import faults_of
from services.ingest.pulling.failures import Failure
from services.ingest.pulling.feed import PullFeed
from services.ingest.pulling.parkapi_sources import LEFT_OUT
from tests.service.ingest_app import KEY, ingest

PAGES = Path(__file__).parents[2] / "docs" / "feeds"


def page(name: str) -> str:
    """Give the text of a page."""
    return (PAGES / name).read_text("utf-8")


@pytest.mark.parametrize(("name", "count"), [("pulling.md", 1), ("parkapi-sources.md", 3)])
def test_the_feeds_that_are_shown_can_be_pulled(tmp_path: Path, name: str, count: int) -> None:
    """Each is read, and nothing stands in its way."""
    [example] = re.findall(r"```yaml\n(.*?)```", page(name), re.DOTALL)
    (tmp_path / "feeds.yaml").write_text(example, "utf-8")
    feeds = read_feeds_file(tmp_path / "feeds.yaml", Environment({"MOTORWAY_TOKEN": "hunter2"}))
    assert len(feeds.of(PullFeed)) == count
    assert list(faults_of(feeds)) == []


def test_the_page_lists_every_field_and_every_way_to_fail() -> None:
    """An operator finds what the file may say, and what the log says."""
    rows = "\n".join(line.split("|")[1] for line in page("pulling.md").splitlines() if line.startswith("|"))
    named = set(re.findall(r"`([a-z_]+)`", rows))
    assert set(Failure) <= named
    of_every_feed = {"source", "way", "secret_file", "secret_env"}
    shown_elsewhere = {"map", "format", "lot", "user"}
    assert set(PullFeed.model_fields) - of_every_feed - shown_elsewhere <= named
    assert all(name in page("pulling.md") for name in shown_elsewhere)


def test_the_page_names_the_converters_that_are_left_out() -> None:
    """With the reason beside them."""
    rows = [line for line in page("parkapi-sources.md").splitlines() if "| refused |" in line]
    assert all(any(f"`{uid}`" in row for row in rows) for uid in LEFT_OUT)


async def test_the_publication_that_is_shown_is_answered_as_shown() -> None:
    """The request of the page about DATEX II, at the instant of the tests."""
    text = page("datex2.md")
    [request] = re.findall(r"<<XML\n(.*?)\nXML", text, re.DOTALL)
    [answer] = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    async with ingest() as world:
        answered = await world.client.post(
            "/v1/datex2/malls",
            content=request.replace("$(date -u +%FT%TZ)", "2026-03-02T00:59:57Z").encode(),
            headers={"Authorization": f"Bearer {KEY}", "Content-Type": "application/xml"},
        )
        assert answered.json() == json.loads(answer)
