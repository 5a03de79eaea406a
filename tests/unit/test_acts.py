"""The chain of acts: whatever is done to what is kept shows, and where."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowei.domain.acts import BEGINNING, Act, Anchor, Break, Entry, first_break, hash_of

_AT = datetime(2026, 3, 2, 1, 0, 0, 123_456, tzinfo=UTC)


def chain(count: int = 5) -> list[Entry]:
    """Make a chain that holds."""
    entries: list[Entry] = []
    for serial in range(1, count + 1):
        act = Act(
            "administrator", "put_lot", f"/v1/lots/lot-{serial}", "done", f"request-{serial}", bytes([serial]) * 32
        )
        at, before = _AT + timedelta(seconds=serial), entries[-1].hash if entries else BEGINNING
        entries.append(Entry(serial, at, act, hash_of(serial, at, act, before)))
    return entries


def test_a_chain_that_nobody_touched_holds() -> None:
    """Whole, from its beginning, and an empty one too."""
    assert first_break(chain()) is None
    assert first_break([]) is None


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (
            lambda kept: [*kept[:1], replace(kept[1], act=replace(kept[1].act, outcome="refused")), *kept[2:]],
            Break(2, "altered"),
        ),
        (lambda kept: [*kept[:1], replace(kept[1], at=_AT), *kept[2:]], Break(2, "altered")),
        (lambda kept: [kept[0], *kept[2:]], Break(2, "missing")),
        (lambda kept: kept[1:], Break(1, "missing")),
        (
            lambda kept: [kept[0], replace(kept[2], serial=2), replace(kept[1], serial=3), *kept[3:]],
            Break(2, "altered"),
        ),
        (lambda kept: [*kept[:2], kept[1], *kept[2:]], Break(3, "missing")),
    ],
    ids=["outcome", "time", "removed", "beginning removed", "reordered", "inserted"],
)
def test_what_was_changed_is_found_where_it_was_changed(
    change: Callable[[list[Entry]], list[Entry]], found: Break
) -> None:
    """One entry altered, removed, moved or put in."""
    assert first_break(change(chain())) == found


def test_an_end_that_was_cut_off_shows_against_an_anchor_alone() -> None:
    """What is left is a chain that holds: so the newest hash is to be kept elsewhere."""
    entries = chain()
    anchor = Anchor(5, entries[-1].hash)
    assert first_break(entries[:3]) is None
    assert first_break(entries[:3], [anchor]) == Break(5, "missing")
    assert first_break(entries, [anchor]) is None


def test_a_chain_that_was_written_anew_shows_against_an_anchor_alone() -> None:
    """Who can write all of it can make all hashes fit, but not those that somebody else has."""
    entries = chain()
    forged: list[Entry] = []
    for one in entries:
        act = replace(one.act, actor="nobody")
        forged.append(
            replace(one, act=act, hash=hash_of(one.serial, one.at, act, forged[-1].hash if forged else BEGINNING))
        )
    assert first_break(forged) is None
    assert first_break(forged, [Anchor(3, entries[2].hash)]) == Break(3, "not_as_anchored")


def _act(actor: str, act: str, subject: str, outcome: str, request_id: str) -> Act:
    return Act(actor, act, subject, outcome, request_id)


_TEXTS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=12)


@given(st.lists(_TEXTS, min_size=5, max_size=5), st.lists(_TEXTS, min_size=5, max_size=5))
def test_two_acts_that_differ_have_other_hashes(one: list[str], other: list[str]) -> None:
    """Wherever a letter is moved from one field to the next."""
    hashes = [hash_of(1, _AT, _act(*fields), BEGINNING) for fields in (one, other)]
    assert (hashes[0] == hashes[1]) is (one == other)
