"""Wall clocks that jump: libfaketime within a service's process adds what a file says to every reading of the time.

The monotonic clock is left alone, as a machine's own is when somebody sets its time. The file is read at each reading
of the time, so that a jump is there at once.
"""

import contextlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_LIBRARIES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib*/faketime/libfaketimeMT.so.1")
_SHARED = Path("/dev/shm")  # noqa: S108 (no file of ours)
"""Where each process with the library leaves two small files if it is killed."""


def find_library() -> Path | None:
    """Give libfaketime, if it is installed."""
    return next((found for pattern in _LIBRARIES for found in sorted(Path("/").glob(pattern.lstrip("/")))), None)


class WrongClocks:
    """The clock of each service that has such a file, in seconds ahead of the machine's."""

    def __init__(self, library: Path, folder: Path) -> None:
        self._library = library
        self._folder = folder

    def environment(self, name: str) -> Mapping[str, str]:
        """Give what a service must be started with; its clock is right."""
        self.set(name, 0)
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file(name)),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # Its remedy for an old C library makes waits by the monotonic clock (Python's own lock) last for seconds.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
            "NO_FAKE_STAT": "1",
        }

    def set(self, name: str, ahead_s: int) -> None:
        """Let a service's clock jump."""
        unfinished = self._file(name).with_suffix(".unfinished")
        unfinished.write_text(f"{ahead_s:+d}", "ascii")
        unfinished.rename(self._file(name))

    def _file(self, name: str) -> Path:
        return self._folder / f"clock-{name}"


@contextmanager
def wrong_clocks(folder: Path) -> Iterator[WrongClocks | None]:
    """Give clocks that can be set wrong, or None where libfaketime is not there."""
    library = find_library()
    if library is None:
        yield None
        return
    try:
        yield WrongClocks(library, folder)
    finally:
        for left in _SHARED.glob("*faketime_s*"):
            if not Path("/proc", left.name.rpartition("_")[2]).exists():
                with contextlib.suppress(OSError):
                    left.unlink()
