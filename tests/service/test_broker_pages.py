"""What the pages about brokers and sensors show can be pasted: files are read, messages taken, requests answered."""

import json
import re
from pathlib import Path

import pytest

from bowei.domain.lots import SourceId
from bowei.observability.environment import Environment
from bowei.records.registering import Source, SourceKind
from services.ingest.feeds_file import Feeds, read_feeds_file
from services.ingest.lorawan.feed import LorawanFeed, SensorGroup
from services.ingest.lorawan.uplinks import Uplink, read_uplink
from services.ingest.mqtt.feed import MqttFeed
from services.ingest.mqtt.native import read_message
from services.ingest.mqtt.topics import read_topic
from services.ingest.readings import Unmeant
from tests.service.ingest_app import MALL, NOW, ingest

PAGES = Path(__file__).parents[2] / "docs" / "feeds"
_DATE = "'\"$(date -u +%FT%TZ)\"'"


def blocks(page: str, kind: str) -> list[str]:
    """Give the blocks of code of one kind on a page, dates filled in as a shell would."""
    text = (PAGES / page).read_text("utf-8").replace(_DATE, "2026-03-02T00:59:57Z")
    return re.findall(rf"^```{kind}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def feeds_of(folder: Path, page: str) -> Feeds:
    """Read the feeds files that a page shows, as one."""
    (folder / "secrets").mkdir()
    for name in ("broker", "ttn"):
        (folder / "secrets" / name).write_text("s3cret", "utf-8")
    feeds = "".join(block.removeprefix("feeds:\n") for block in blocks(page, "yaml"))
    (folder / "feeds.yaml").write_text(f"feeds:\n{feeds}", "utf-8")
    return read_feeds_file(folder / "feeds.yaml", Environment({}))


def published(page: str) -> list[tuple[str, str]]:
    """Give the topic and message of each mosquitto_pub on a page."""
    return [
        (topic, message.strip("'"))
        for block in blocks(page, "sh")
        for topic, message in re.findall(r"-t (\S+)[\s\\]+-m ('.*?'|\S+)$", block, re.MULTILINE | re.DOTALL)
    ]


def test_the_feeds_files_that_are_shown_are_read(tmp_path: Path) -> None:
    """And their tables have every field that there is."""
    (tmp_path / "mqtt").mkdir()
    (tmp_path / "lorawan").mkdir()
    assert [feed.said.heard_at for feed in feeds_of(tmp_path / "mqtt", "mqtt.md").feeds] == [
        "mqtt://broker.example:8883/bowei-east-"
    ]
    shown = feeds_of(tmp_path / "lorawan", "lorawan.md")
    assert [type(feed.said) for feed in shown.feeds] == [LorawanFeed, MqttFeed]

    everywhere = set(LorawanFeed.model_fields) & set(MqttFeed.model_fields) | set(SensorGroup.model_fields)
    for page, model in (("mqtt.md", MqttFeed), ("lorawan.md", LorawanFeed)):
        rows = [line.split("|")[1] for line in (PAGES / page).read_text("utf-8").splitlines() if line[:1] == "|"]
        listed = {name for row in rows for name in re.findall(r"`([a-z0-9_]+)`", row)}
        assert set(model.model_fields) - everywhere - listed == set()


def test_the_messages_that_are_shown_are_read() -> None:
    """Each as what it is shown for."""
    messages = published("mqtt.md")
    assert len(messages) == 3
    for topic, message in messages:
        read = read_topic(topic, "parking")
        assert read is not None, topic
        readings = read_message(read.kind, read.lot_code, message.encode(), waited=True, now=NOW)
        assert readings
        assert not any(isinstance(one, Unmeant) for one in readings), message
    [(_, uplink)] = published("lorawan.md")
    assert isinstance(read_uplink(uplink.encode()), Uplink)


async def test_the_uplink_that_is_shown_is_answered_as_shown(tmp_path: Path) -> None:
    """Proves the request, the feeds file that goes with it, and its answer."""
    [request] = [block for block in blocks("lorawan.md", "sh") if "curl" in block]
    [answer] = blocks("lorawan.md", "json")
    body = re.search(r"-d '(.*)'$", request.strip(), re.DOTALL)
    assert body is not None
    async with ingest(feeds=feeds_of(tmp_path, "lorawan.md")) as world:
        await world.register.put_sources([Source(SourceId("ttn"), SourceKind.FEED, lots=(("mall-a", MALL),))])
        world.monotonic_s += 60
        answered = await world.client.post(
            "/v1/lorawan/ttn",
            content=body[1],
            headers={"Authorization": "Bearer s3cret", "Content-Type": "application/json"},
        )
        assert answered.json() == json.loads(answer)


@pytest.mark.parametrize("page", ["mqtt.md", "lorawan.md"])
def test_no_page_shows_a_secret_that_is_written_down(page: str) -> None:
    """Only where it is."""
    assert not [block for block in blocks(page, "yaml") if re.search(r"^\s*(secret|password):", block, re.MULTILINE)]
