"""`bowei token-keys`: keys are added before they sign, and taken out when they no longer do."""

import json
from pathlib import Path

import pytest

from services.local.token_keys_file import add_key, prune_keys
from services.registry.token_keys import SIGNS_FROM, TokenKeys


def _kids(file: Path) -> list[str]:
    return [key["kid"] for key in json.loads(file.read_text())["keys"]]


def test_a_file_is_made_that_its_owner_alone_can_read_and_tokens_can_be_signed_with(tmp_path: Path) -> None:
    """The first key signs at once; a second stands beside it, and signs later."""
    file = tmp_path / "token-keys.json"
    assert add_key(file) == 0
    assert file.stat().st_mode & 0o777 == 0o600
    first = _kids(file)
    assert len(TokenKeys.read(file.read_text()).published()["keys"]) == 1
    assert add_key(file) == 0
    assert _kids(file)[:1] == first
    assert [key[SIGNS_FROM] > 0 for key in json.loads(file.read_text())["keys"]] == [False, True]
    assert [one.name for one in tmp_path.iterdir()] == [file.name]


def test_a_key_is_taken_out_only_when_another_signs(tmp_path: Path) -> None:
    """Pruned too early, nothing is lost."""
    file = tmp_path / "token-keys.json"
    add_key(file)
    add_key(file)
    both = _kids(file)
    assert prune_keys(file) == 0
    assert _kids(file) == both
    document = json.loads(file.read_text())
    document["keys"][1][SIGNS_FROM] = 1
    file.write_text(json.dumps(document))
    assert prune_keys(file) == 0
    assert _kids(file) == both[1:]


def test_what_is_no_file_of_keys_stays_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is said, and nothing is written over it."""
    file = tmp_path / "notes.txt"
    file.write_text("notes")
    assert (add_key(file), prune_keys(file), file.read_text()) == (1, 1, "notes")
    assert "can't be used" in capsys.readouterr().err
