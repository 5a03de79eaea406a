"""The folder that holds everything a demo keeps: the user can look into it, and delete it.

```
bowei-data/
    README.txt          what this is, and that it may be deleted
    lock                held while a copy of Bowei uses the folder; the pid of the last one
    id                  tells this folder from one of the same name that was deleted before
    postgres-15/        the ledger, by Postgres' major version (another major cannot open it)
    redis/              the copy everyone reads; may be deleted at any time Bowei is not running
    logs/               one file per process
```
"""

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from services.local.setup_problem import SetupProblem

FREE_BYTES_MIN = 200 * 1024 * 1024
_FREE_FILES_MIN = 4000
_LOG_BYTES_MAX = 5 * 1024 * 1024

_README = """\
This folder holds the data of one Bowei demo: the ledger (postgres-*), the live copy (redis) and the logs.
It is made by `make demo` and used again by the next one.
To begin anew, stop the demo and delete the folder. Nothing else refers to it.
"""


@dataclass(frozen=True, slots=True)
class DataFolder:
    """A data folder that this process may use."""

    path: Path
    """Absolute."""

    @property
    def identity(self) -> str:
        """A random name given when the folder was made."""
        return (self.path / "id").read_text("ascii").strip()

    @property
    def redis(self) -> Path:
        """Where Redis keeps its copy."""
        return self.path / "redis"

    def postgres(self, major: int) -> Path:
        """Where a Postgres of this major version keeps the ledger."""
        return self.path / f"postgres-{major}"

    def log(self, name: str) -> Path:
        """Return the log file of one process; a long one is set aside first, once."""
        file = self.path / "logs" / f"{name}.log"
        with contextlib.suppress(FileNotFoundError):
            if file.stat().st_size > _LOG_BYTES_MAX:
                file.replace(file.with_suffix(".log.1"))
        return file


def data_folder_path(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder named by `BOWEI_DATA`, else `bowei-data` where the command was given."""
    return Path(environment.get("BOWEI_DATA") or "bowei-data").expanduser().absolute()


@contextlib.contextmanager
def open_data_folder(path: Path, *, free_bytes_min: int = FREE_BYTES_MIN) -> Iterator[DataFolder]:
    """Make the folder if need be, and keep every other copy of Bowei out of it for the length of the context.

    Raises:
        SetupProblem: `folder_not_writable`, `disk_full`, `already_running`.
    """
    path = path.absolute()
    with as_setup_problem(path):
        path.mkdir(parents=True, exist_ok=True)
        check_free_space(path, free_bytes_min=free_bytes_min)
        lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _take(lock, path)
        with as_setup_problem(path):
            _furnish(path)
        yield DataFolder(path)
    finally:
        os.close(lock)


@contextlib.contextmanager
def throwaway_data_folder() -> Iterator[DataFolder]:
    """Make a data folder for one run, and remove it afterwards with all that is in it.

    It lies right under /tmp, where a Postgres that runs as another user can reach it.
    """
    folder = Path(tempfile.mkdtemp(prefix="bowei-data-", dir="/tmp"))
    try:
        folder.chmod(0o711)
        with open_data_folder(folder) as data:
            yield data
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def holder_of(path: Path) -> int | None:
    """Return the pid of the copy that uses the folder now; None when none does. Takes nothing."""
    try:
        lock = os.open(path / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _pid_in(lock)
    finally:
        os.close(lock)
    return None


def check_free_space(path: Path, *, free_bytes_min: int = FREE_BYTES_MIN) -> None:
    """Refuse a disk on which Postgres would soon stop.

    Raises:
        SetupProblem: `disk_full`.
    """
    free_bytes = shutil.disk_usage(path).free
    disk = os.statvfs(path)
    few_files = disk.f_files > 0 and disk.f_favail < _FREE_FILES_MIN
    if free_bytes >= free_bytes_min and not few_files:
        return
    found = "only few files more" if few_files else f"{free_bytes // 2**20} MB"
    raise SetupProblem(
        "disk_full",
        f"The disk of {path} has room for {found}; Bowei needs {free_bytes_min // 2**20} MB to start.",
        "Free some space, or choose another disk with BOWEI_DATA=/path/to/folder.",
    )


@contextlib.contextmanager
def as_setup_problem(path: Path) -> Iterator[None]:
    """Turn what the disk refuses into words.

    Raises:
        SetupProblem: `disk_full` or `folder_not_writable`.
    """
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise disk_full(path) from error
        raise SetupProblem(
            "folder_not_writable",
            f"The data folder {path} cannot be used: {error.strerror}.",
            "Make it writable for this user, delete it, or choose another with BOWEI_DATA=/path/to/folder.",
        ) from error


def disk_full(path: Path) -> SetupProblem:
    """Say that the disk filled up while Bowei was writing."""
    return SetupProblem(
        "disk_full",
        f"The disk of {path} is full.",
        "Free some space and start again: nothing that was promised is lost.",
    )


def _take(lock: int, path: Path) -> None:
    # The kernel frees a flock with its process, so a crash leaves no stale lock. The pid in it is for people.
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = _pid_in(lock)
        raise SetupProblem(
            "already_running",
            f"Another copy of Bowei (pid {pid or 'unknown'}) is using {path}.",
            "Stop that one, or give this one its own folder with BOWEI_DATA=/path/to/folder.",
        ) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)


def _pid_in(lock: int) -> int | None:
    text = os.pread(lock, 20, 0).strip()
    return int(text) if text.isdigit() else None


def _furnish(path: Path) -> None:
    (path / "logs").mkdir(exist_ok=True)
    (path / "README.txt").write_text(_README, "utf-8")
    identity = path / "id"
    if not identity.exists():
        identity.write_text(secrets.token_hex(8), "ascii")
    (path / "redis").mkdir(mode=0o700, exist_ok=True)
