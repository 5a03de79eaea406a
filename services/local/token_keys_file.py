"""`bowei token-keys`: the file of keys that the registry signs access tokens with."""

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from services.registry.token_keys import WrongKeys, with_new_key, without_old_keys

PUBLISHED_BEFORE = timedelta(minutes=10)
"""How long before it signs a new key is in the file: within it every registry is to be started anew."""


def add_key(file: Path) -> int:
    """Add a key that signs soon, and make the file where there is none; give the exit code."""
    signs_from = datetime.now(UTC) + PUBLISHED_BEFORE
    fresh = not file.exists()
    if not _rewrite(file, lambda text: with_new_key(text, signs_from)):
        return 1
    print(  # noqa: T201
        f"{file}: made, with one key."
        if fresh
        else f"{file}: another key, which signs from {signs_from:%H:%M} UTC. Restart each registry before."
    )
    return 0


def prune_keys(file: Path) -> int:
    """Take out the keys that a newer one took over from; give the exit code."""
    return 0 if _rewrite(file, lambda text: without_old_keys(text or "", datetime.now(UTC))) else 1


def _rewrite(file: Path, change: Callable[[str | None], str]) -> bool:
    """Write the file anew in one step, readable by its owner alone."""
    try:
        text = change(file.read_text("utf-8") if file.exists() else None)
        unfinished = file.with_name(f"{file.name}.unfinished")
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as written:
            written.write(text + "\n")
        unfinished.replace(file)
    except (OSError, WrongKeys) as error:
        print(f"bowei: {file} can't be used: {error}", file=sys.stderr)  # noqa: T201
        return False
    return True
