"""A pull in the feeds file: what it says, what can't be so, and what becomes of it."""

from pathlib import Path

import pytest

from bowei.observability.environment import Environment, WrongEnvironment
from bowei.observability.operator_files import FileWrong
from services.ingest.feeds_file import Feeds, read_feeds_file
from services.ingest.pulling.assembling import ask_of, bounds_of, faults_of
from services.ingest.pulling.feed import PullFeed
from services.ingest.settings import settings_from

PULL = "source: city, way: pull, url: 'https://feed.example/status', format: datex2"
SECRET = {"CITY_KEY": "hunter2"}


def read(tmp_path: Path, *feeds: str) -> Feeds:
    """Read a file of these feeds, each written as the inside of a YAML mapping."""
    file = tmp_path / "feeds.yaml"
    file.write_text("feeds:" + "".join(f"\n  - {{{feed}}}" for feed in feeds), "utf-8")
    return read_feeds_file(file, Environment(SECRET))


def only(tmp_path: Path, feed: str) -> PullFeed:
    """Read the one pull of a file."""
    (pull,) = read(tmp_path, feed).of(PullFeed)
    return pull.said


def test_a_pull_needs_an_address_and_how_to_read_it(tmp_path: Path) -> None:
    """All else has a default that spares the other side."""
    said = only(tmp_path, PULL)
    assert (said.every_s, said.timeout_s, said.largest_body, said.requests_per_minute) == (60, 20, 5 * 1024 * 1024, 12)
    assert (said.insecure, said.allow_private, said.redirect_hosts) == (False, False, ())
    bounds = bounds_of(said, tmp_path)
    assert (bounds.insecure, bounds.allow_private, bounds.content_types) == (False, False, frozenset())


@pytest.mark.parametrize(
    ("feed", "said"),
    [
        ("source: city, way: pull, format: datex2", "feeds[0]: Say the url that is fetched."),
        ("source: city, way: pull, url: 'https://feed.example/'", "feeds[0]: Say how it is read: one of map,"),
        (f"{PULL}, map: szymzh", "feeds[0]: Say how it is read: one of map,"),
        (PULL.replace("https", "http"), "feeds[0]: Write https://, or say insecure: true"),
        (PULL.replace("https", "ftp"), "feeds[0].url: Write an address that starts with https://"),
        (PULL.replace("https://", "https://city:hunter2@"), "feeds[0].url: Leave the user and password out"),
        (PULL.replace("feed.example", "feed example"), "feeds[0].url: Write an address"),
        (f"{PULL}, every_s: 1", "feeds[0].every_s: This number is out of range. (>= 5.0)"),
        (f"{PULL}, largest_body: 1000000000", "feeds[0].largest_body: This number is out of range."),
        (f"{PULL}, timezone: Hangzhou", "feeds[0].timezone: This is no IANA time zone."),
        (f"{PULL}, secret_env: CITY_KEY", "feeds[0]: Name a secret (secret_file or secret_env) and say where it goes"),
        (f"{PULL}, auth: bearer", "feeds[0]: Name a secret (secret_file or secret_env) and say where it goes"),
        (f"{PULL}, secret_env: CITY_KEY, auth: basic", "feeds[0]: Say user with auth: basic"),
        (f"{PULL}, secret_env: CITY_KEY, auth: header", "feeds[0]: Say with secret_name which header"),
        (f"{PULL}, secret_env: CITY_KEY, auth: header, secret_name: Host", "feeds[0]: A header is named by"),
        (f"{PULL}, headers: {{Cookie: hunter2}}", "feeds[0]: A header is named by"),
        (f'{PULL}, headers: {{X-City: "a\\nb"}}', "feeds[0].headers"),
        (f"{PULL}, content_types: [JSON]", "feeds[0].content_types[0]: Write a media type such as"),
        (f"{PULL}, redirect_hosts: ['https://cdn.example']", "feeds[0].redirect_hosts[0]: Write the name of a host"),
        (f"{PULL}, key_file: own.pem", "feeds[0]: Say cert_file with key_file."),
        (f"{PULL}, every: 60", "feeds[0].every: There is no such field."),
    ],
)
def test_what_can_not_be_so_is_named_with_its_fix(tmp_path: Path, feed: str, said: str) -> None:
    """Before anything is fetched, and without what was written, which may be secret."""
    with pytest.raises(FileWrong) as refused:
        read(tmp_path, feed)
    assert str(refused.value).startswith(said)
    assert "hunter" not in str(refused.value)


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ("auth: bearer", "Authorization", "Bearer hunter2"),
        ("auth: basic, user: city", "Authorization", "Basic Y2l0eTpodW50ZXIy"),
        ("auth: header, secret_name: X-Api-Key", "X-Api-Key", "hunter2"),
    ],
)
def test_a_secret_goes_where_the_feed_says(tmp_path: Path, auth: str, header: str, value: str) -> None:
    """And is shown nowhere."""
    (feed,) = read(tmp_path, f"{PULL}, secret_env: CITY_KEY, {auth}, headers: {{X-City: hz}}").of(PullFeed)
    ask = ask_of(feed)
    assert (ask.headers[header], ask.headers["X-City"]) == (value, "hz")
    assert header == "Authorization" or header.lower() in ask.secret_headers
    assert "hunter" not in repr(ask) + repr(feed)


@pytest.mark.parametrize(
    ("feed", "said"),
    [
        (PULL.replace("format: datex2", "map: nowhere.yaml"), "feeds[0].map: The file can't be read."),
        (PULL.replace("format: datex2", "map: atlantis"), "feeds[0].map: No map of that name ships with Bowei."),
        (PULL.replace("format: datex2", "map: one-lot.yaml"), "feeds[0].lot: Say which lot it is about"),
        (f"{PULL}, ca_file: nowhere.pem", "feeds[0].ca_file: This, or what belongs to it, can't be read"),
        (f"{PULL}, ca_file: feeds.yaml", "feeds[0].ca_file: This, or what belongs to it, can't be read"),
        (f"{PULL}, cert_file: feeds.yaml", "feeds[0].cert_file: This, or what belongs to it, can't be read"),
        ("source: city, way: pull, converter: atlantis", "feeds[0].converter: The library has no converter"),
        (
            "source: city, way: pull, converter: p_m_bw",
            "feeds[0].converter: It needs converter_settings or secret_name",
        ),
        ("source: city, way: pull, converter: mannheim", "feeds[0].url: Say it with a converter that does not ask"),
        (
            "source: city, way: pull, converter: aalen, url: 'https://feed.example/'",
            "feeds[0].url: Say it with a converter that does not ask by itself, and only with such a one.",
        ),
    ],
)
def test_what_can_not_run_stops_the_start(tmp_path: Path, feed: str, said: str) -> None:
    """A missing map, certificate or converter is named with the other settings."""
    (tmp_path / "one-lot.yaml").write_text("{map: one-lot, about: One lot, messages: [{counts: {free: free}}]}")
    read(tmp_path, feed)
    stores = {"BOWEI_DATABASE_URL": "postgresql://db/bowei", "BOWEI_REDIS_URL": "redis://redis"}
    with pytest.raises(WrongEnvironment) as wrong:
        settings_from(Environment(stores | {"BOWEI_FEEDS": str(tmp_path / "feeds.yaml")}))
    first, second = str(wrong.value).splitlines()
    assert first == "BOWEI_FEEDS names a file that can't be used."
    assert second.startswith(said)


def test_what_can_run_has_no_fault(tmp_path: Path) -> None:
    """By DATEX II, by a map, and by converters that ask by themselves or do not."""
    (tmp_path / "one-lot.yaml").write_text("{map: one-lot, about: One lot, messages: [{counts: {free: free}}]}")
    feeds = read(
        tmp_path,
        PULL,
        PULL.replace("format: datex2", "map: one-lot.yaml, lot: '1001'").replace("status", "one"),
        "source: city, way: pull, url: 'https://feed.example/json', map: hsinchu",
        "source: city, way: pull, converter: aalen",
        "source: city, way: pull, converter: mannheim, url: 'https://feed.example/mannheim'",
        "source: city, way: pull, converter: p_m_bw, secret_env: CITY_KEY, secret_name: PARK_API_P_M_BW_TOKEN",
    )
    assert list(faults_of(feeds)) == []
