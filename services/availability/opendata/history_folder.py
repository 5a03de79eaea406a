"""The folder of history files, which ingest writes: what is there, and where."""

import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bowei.domain.history_days import DayFile
from bowei.domain.problems import Refused

_LOOKED_AGAIN_S = 10.0


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that is there."""

    file: DayFile
    size_bytes: int
    written_at: datetime


class HistoryFolder:
    """The folder of history files; None where none are given out. It is looked at again every ten seconds."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._found: Sequence[FoundFile] = ()
        self._looked_at_s = float("-inf")

    @property
    def given(self) -> bool:
        """Whether history is given out at all."""
        return self._folder is not None

    async def files(self) -> Sequence[FoundFile]:
        """List what is there, newest day first.

        Raises:
            Refused: not_found, where none are given out.
        """
        if self._folder is None:
            raise Refused("not_found")
        if time.monotonic() - self._looked_at_s >= _LOOKED_AGAIN_S:
            self._found = await asyncio.to_thread(_look, self._folder)
            self._looked_at_s = time.monotonic()
        return self._found

    async def find(self, name: str) -> tuple[Path, DayFile, os.stat_result]:
        """Give the file of a name.

        Raises:
            Refused: not_found.
        """
        file = DayFile.named(name)
        if self._folder is None or file is None:
            raise Refused("not_found")
        path = self._folder / file.name
        try:
            return path, file, await asyncio.to_thread(os.stat, path)
        except OSError as error:
            raise Refused("not_found") from error


def _look(folder: Path) -> Sequence[FoundFile]:
    # Ingest makes the folder, perhaps later; and a file may go while one looks.
    found = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            file = DayFile.named(entry.name)
            if file is not None:
                stat = entry.stat()
                found.append(FoundFile(file, stat.st_size, datetime.fromtimestamp(stat.st_mtime, UTC)))
    return sorted(found, key=lambda one: (-one.file.day.toordinal(), one.file.kind))
