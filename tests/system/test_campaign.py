"""A short fault campaign, and the planted bugs that the long one must catch."""

from pathlib import Path

import pytest

from tests.campaign.planted_bugs import PLANTED_BUGS, PlantedBug, changed_files
from tests.campaign.running import run_campaign

_ROOT = Path(__file__).resolve().parents[2]
_SECONDS = 12.0


@pytest.mark.timeout(180)
async def test_promises_outlive_a_dozen_faults() -> None:
    """Proves on real processes that nothing acknowledged is lost and nothing is promised twice, whatever is struck."""
    report = await run_campaign(7, _SECONDS, own_disk=False)

    assert report["violations"] == {}
    assert report["faults"] >= 5
    assert report["acknowledged"]["holds"] >= 20
    assert report["acknowledged"]["reports"] >= 20


@pytest.mark.parametrize("bug", PLANTED_BUGS, ids=lambda bug: bug.name)
def test_every_planted_bug_still_has_its_place(bug: PlantedBug) -> None:
    """Shows that the bugs can be planted in the program as it is today: one that can't be would catch nobody asleep."""
    texts = {change.file: (_ROOT / change.file).read_text("utf-8") for change in bug.changes}

    changed = changed_files(bug, texts)

    assert all(text != texts[file] for file, text in changed.items())
