"""What the pages about feeds show can be pasted: requests are answered as shown, and files are read."""

import base64
import json
import re
from pathlib import Path

from bowei.observability.environment import Environment
from bowei.observability.yaml_text import read_yaml
from services.ingest.feeds_file import read_feeds_file
from services.ingest.fieldmaps.feed import PushFeed
from services.ingest.fieldmaps.field_map import SHIPPED, FieldMap
from services.ingest.fieldmaps.messages import MapIn
from services.ingest.fieldmaps.pushing import pushes_of
from services.ingest.fieldmaps.signing import SigningIn
from services.ingest.parkapi import api as parkapi_api
from tests.service.ingest_app import KEY, ingest

PAGES = Path(__file__).parents[2] / "docs" / "feeds"
_DATE = "'\"$(date -u +%FT%TZ)\"'"


def page(name: str) -> str:
    """Give the text of a page."""
    return (PAGES / name).read_text("utf-8")


def blocks(text: str, kind: str) -> list[str]:
    """Give the blocks of code of one kind, without the indentation of a list."""
    found = re.findall(rf"^( *)```{kind}\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


def body_of(request: str) -> bytes:
    """Give the body that a shell would send, at the instant of the tests."""
    match = re.search(r"-d '(.*)'$", request.strip().replace(_DATE, "2026-03-02T00:59:57Z"), re.DOTALL)
    assert match is not None, request
    return match[1].encode()


async def test_the_push_on_parkapi_s_page_is_answered_as_shown() -> None:
    """Proves the request and its answer, but for the lot's own name."""
    [request], [answer] = blocks(page("parkapi.md"), "sh"), blocks(page("parkapi.md"), "json")
    async with ingest() as world:
        basic = base64.b64encode(f"malls:{KEY}".encode()).decode()
        answered = await world.client.post(
            "/api/admin/v1/generic/json",
            content=body_of(request).replace(b"mall-a", b"1001"),
            headers={"Authorization": f"Basic {basic}", "Content-Type": "application/json"},
        )
        assert answered.json() == json.loads(answer)


async def test_the_push_on_the_feeds_file_s_page_is_answered_as_shown(tmp_path: Path) -> None:
    """Proves the request, the map that goes with it, and its answer."""
    text = page("feeds-file.md")
    [request], [answer] = blocks(text, "sh"), blocks(text, "json")
    messages = re.search(r"messages are `(\[.*\])`", text)
    assert messages is not None
    (tmp_path / "own.yaml").write_text(f"map: own\nabout: x\nmessages: {messages[1]}")
    (tmp_path / "feeds.yaml").write_text("feeds: [{source: malls, way: push, map: own.yaml}]")
    async with ingest(pushes=pushes_of(read_feeds_file(tmp_path / "feeds.yaml", Environment({})))) as world:
        answered = await world.client.post(
            "/v1/feeds/malls",
            content=body_of(request),
            headers={"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"},
        )
        assert answered.json() == json.loads(answer)


def test_the_feeds_file_that_is_shown_is_one(tmp_path: Path) -> None:
    """Proves that its example is read, and fits the map that it names."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "east-vendor").write_text("s3cret")
    [example] = blocks(page("feeds-file.md"), "yaml")
    (tmp_path / "feeds.yaml").write_text(example)
    feeds = read_feeds_file(tmp_path / "feeds.yaml", Environment({}))
    assert list(pushes_of(feeds).by_address) == ["/api/szymzh/callback"]
    shown = set(re.findall(r"^\| `([a-z_]+)` \|", page("feeds-file.md"), re.MULTILINE))
    assert shown >= set(PushFeed.model_fields)


def test_the_maps_that_are_shown_are_maps() -> None:
    """Proves it for the example, the reply, and the map whose making is told."""
    example, reply, told = blocks(page("field-maps.md"), "yaml")
    assert MapIn.model_validate(read_yaml(example.encode())).map == "example"
    MapIn.model_validate(read_yaml((example + reply).encode()))
    corrected = told.replace("path: code, equals", "path: code, of: document, equals")
    assert corrected == (SHIPPED / "itwy.yaml").read_text("utf-8")


def test_the_page_lists_every_map_that_ships_and_every_way_of_signing() -> None:
    """Proves that an operator finds on the page what is there, and nothing that is not."""
    text = page("field-maps.md")
    table = text.partition("## Maps that ship")[2].partition("\n## ")[0]
    listed = {
        name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)
    }
    assert listed == {FieldMap.load(file).name for file in SHIPPED.glob("*.yaml")}
    schemes = SigningIn.model_json_schema()["properties"]["scheme"]["enum"]
    signing = text.partition("## Signing")[2].partition("\n## ")[0]
    assert {scheme for scheme in schemes if f"`{scheme}`" not in signing} == set()


def test_the_page_of_parkapi_names_every_field_that_is_read() -> None:
    """Proves that a sender finds what each field becomes."""
    text = page("parkapi.md")
    assert all(path in text for path in ("realtime_data_updated_at", "realtime_status", "restrictions[]"))
    assert all(prefix.startswith("/api/admin/v1/generic/") for prefix in parkapi_api.LIMITS)
