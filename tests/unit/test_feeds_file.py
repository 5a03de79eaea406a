"""The feeds file: what it says, and how an operator hears of what is wrong in it."""

from pathlib import Path

import pytest

from bowei.observability.environment import Environment, WrongEnvironment
from bowei.observability.operator_files import FileWrong
from bowei.records.registering import SourceKind
from services.ingest.feeds_file import Feeds, read_feeds_file, unheard_sources
from services.ingest.fieldmaps.feed import PushFeed
from services.ingest.settings import settings_from

STORES = {"BOWEI_DATABASE_URL": "postgresql://db/bowei", "BOWEI_REDIS_URL": "redis://redis"}
PUSH = "source: east, way: push, map: szymzh"


def read(tmp_path: Path, *feeds: str, environment: dict[str, str] | None = None) -> Feeds:
    """Read a file of these feeds, each written as the inside of a YAML mapping."""
    return read_text(tmp_path, "feeds:" + "".join(f"\n  - {{{feed}}}" for feed in feeds), environment)


def read_text(tmp_path: Path, text: str, environment: dict[str, str] | None = None) -> Feeds:
    """Read a file of this text."""
    file = tmp_path / "feeds.yaml"
    file.write_text(text, "utf-8")
    return read_feeds_file(file, Environment(environment or {}))


def test_a_feed_says_who_comes_in_how_and_with_which_secret(tmp_path: Path) -> None:
    """Proves it for a secret in a file beside the feeds file, one in a variable, and none."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "east").write_text("hunter2\n")
    feeds = read(
        tmp_path,
        "source: east, way: push, map: szymzh, path: /api/szymzh/callback, secret_file: secrets/east",
        "source: west, way: push, map: own.yaml, secret_env: WEST_KEY",
        "source: north, way: push, map: szymzh",
        environment={"WEST_KEY": "hunter3"},
    ).of(PushFeed)

    assert [feed.secret for feed in feeds] == ["hunter2", "hunter3", None]
    assert [feed.said.heard_at for feed in feeds] == ["/api/szymzh/callback", "/v1/feeds/west", "/v1/feeds/north"]
    assert "hunter" not in repr(feeds)


@pytest.mark.parametrize(
    ("feed", "said"),
    [
        ("way: push, map: szymzh", "feeds[0].source: This field is needed."),
        ("source: east, map: szymzh", "feeds[0].way: This field is needed."),
        (
            "source: east, way: pigeon, map: szymzh",
            "feeds[0].way: This is not one of the options. (options: 'push', 'pull', 'mqtt', 'lorawan')",
        ),
        ("source: '-', way: push, map: szymzh", "feeds[0].source: An id is 1 to 64 of"),
        (f"{PUSH}, secret: hunter2", "feeds[0].secret: There is no such field. Remove it."),
        (f"{PUSH}, secret_env: hunter2", "feeds[0].secret_env: Write the name of an environment variable"),
        (f"{PUSH}, secret_env: A, secret_file: a", "feeds[0]: Keep one of secret_file and secret_env."),
        (f"{PUSH}, secret_env: NOT_SET", "feeds[0]: secret_env names NOT_SET, which is not set."),
        (f"{PUSH}, secret_file: nowhere", "feeds[0]: secret_file names a file that can't be read as text."),
        (f"{PUSH}, path: api", "feeds[0].path: Write a path such as /api/vendor/callback"),
        (f"{PUSH}, path: '/a/../b'", "feeds[0].path: Write a path such as /api/vendor/callback"),
        (f"{PUSH}, path: '/a/{{b}}'", "feeds[0].path: Write a path such as /api/vendor/callback"),
        (f"{PUSH}, path: /v1/observations", "feeds[0].path: Choose another path"),
        (f"{PUSH}, path: /metrics", "feeds[0].path: Choose another path"),
        (f'{PUSH}, path: "/a\\n"', "feeds[0].path: Write a path such as /api/vendor/callback"),
        (f"{PUSH}, way: push", "line 2, column 44: A key is said twice"),
    ],
)
def test_what_is_wrong_is_named_with_its_fix_and_without_its_value(tmp_path: Path, feed: str, said: str) -> None:
    """Proves it for each field, and that a secret written by mistake is not shown."""
    with pytest.raises(FileWrong) as refused:
        read(tmp_path, feed)
    assert str(refused.value).startswith(said)
    assert "hunter" not in str(refused.value)


def test_every_fault_is_named_at_once(tmp_path: Path) -> None:
    """Proves that an operator need not start once for each."""
    with pytest.raises(FileWrong) as refused:
        read(tmp_path, "source: east, way: push", "way: push, map: a, extra: 1")
    assert [line.split(":")[0] for line in str(refused.value).splitlines()] == [
        "feeds[0].map",
        "feeds[1].source",
        "feeds[1].extra",
    ]


def test_two_feeds_are_never_heard_at_one_address(tmp_path: Path) -> None:
    """Proves that nobody has to guess whose map counts; one source may well post to several addresses."""
    with pytest.raises(FileWrong, match=r"feeds\[0\] and feeds\[1\] are heard at the same address"):
        read(tmp_path, PUSH, PUSH)
    assert len(read(tmp_path, PUSH, f"{PUSH}, path: /api/leave").feeds) == 2


@pytest.mark.parametrize("text", ["", "feeds", "[]", "feeds: {}", "feeds: [1]", "feeds: [", "\0", "feeds: &a []"])
def test_what_is_no_feeds_file_is_refused_in_words(tmp_path: Path, text: str) -> None:
    """Proves that nothing but the one refusal comes out, whatever the file holds."""
    with pytest.raises(FileWrong, match=r"\S+: \S+"):
        read_text(tmp_path, text)


def test_a_file_that_is_not_there_or_far_too_large_is_refused(tmp_path: Path) -> None:
    """Proves that neither is read on."""
    with pytest.raises(FileWrong, match="can't be read"):
        read_feeds_file(tmp_path / "nowhere.yaml", Environment({}))
    with pytest.raises(FileWrong, match="larger than 512 KiB"):
        read_text(tmp_path, "#" * 600_000)


def test_a_wrong_file_stops_the_start_and_no_file_means_no_feeds(tmp_path: Path) -> None:
    """Proves that the setting is read with the others, and named."""
    file = tmp_path / "feeds.yaml"
    file.write_text("feeds: [{source: east}]")

    with pytest.raises(WrongEnvironment, match=r"BOWEI_FEEDS names a file that can't be used\.\nfeeds\[0\]"):
        settings_from(Environment(STORES | {"BOWEI_FEEDS": str(file)}))
    assert settings_from(Environment(STORES)).feeds == Feeds()


def test_sources_that_nothing_can_be_taken_from_are_named_once(tmp_path: Path) -> None:
    """Proves it for one that is not registered and one of City Brain's; one with a key of ours may be mapped too."""
    feeds = read(
        tmp_path,
        PUSH,
        f"{PUSH}, path: /api/leave",
        "source: brain, way: push, map: szymzh",
        "source: west, way: push, map: szymzh",
        "source: keyed, way: push, map: szymzh",
    )
    known = {"brain": SourceKind.CITYBRAIN, "west": SourceKind.FEED, "keyed": SourceKind.NATIVE}
    assert list(unheard_sources(feeds, known)) == ["east", "brain"]
