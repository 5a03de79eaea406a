"""Look at this machine: one line for each thing Bowei needs, and one fix for each that is not as it should be."""

import asyncio
import os
import resource
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Literal

from services.local.data_folder import FREE_BYTES_MIN, check_free_space, data_folder_path, holder_of
from services.local.looking_at_stores import look_at_database, look_at_redis
from services.local.processes import check_port_free, service_specs
from services.local.servers.finding import (
    DATABASE_VARIABLE,
    ORIGINS,
    REDIS_VARIABLE,
    Origin,
    find_postgres,
    find_redis,
    nothing_found,
)
from services.local.setup_problem import SetupProblem

_PYTHON_MIN = (3, 11)
_FILES_MIN = 256
_FILES_WANTED = 1024


class Verdict(StrEnum):
    """How a thing is."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


_MARKS = {Verdict.GOOD: "✓", Verdict.WARNING: "!", Verdict.BAD: "✗"}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    verdict: Verdict
    found: str
    """One line. No secrets."""
    fix: str = ""
    """One line; empty when all is well."""


async def examine(environment: Mapping[str, str] = os.environ, *, origins: Sequence[Origin] = ORIGINS) -> list[Check]:
    """Look at everything. Nothing is changed and no problem ends it early."""
    folder = data_folder_path(environment)
    checks = [judged_python(sys.version_info[:3]), *await _stores(environment, origins)]
    checks += [_writable(folder), _space(folder), _lock(folder)]
    checks += [
        *_ports(environment, running=holder_of(folder) is not None),
        judged_open_files(resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
        judged_clock(datetime.now(UTC)),
    ]
    return checks


def render(checks: Sequence[Check]) -> str:
    """Write the checks for people: a line each, and its fix under one that needs it."""
    lines = []
    for check in checks:
        lines.append(f"{_MARKS[check.verdict]} {check.name}: {check.found}")
        if check.fix:
            lines.append(f"  fix: {check.fix}")
    return "\n".join(lines)


def as_document(checks: Sequence[Check]) -> list[dict[str, str]]:
    """Write the checks for programs."""
    return [asdict(check) for check in checks]


def exit_code(checks: Sequence[Check]) -> Literal[0, 1]:
    """Return 1 if something must be mended."""
    return 1 if any(check.verdict is Verdict.BAD for check in checks) else 0


def _from(name: str, problem: SetupProblem, verdict: Verdict = Verdict.BAD) -> Check:
    return Check(name, verdict, problem.what, problem.fix)


def judged_python(version: tuple[int, ...]) -> Check:
    """Judge a version of Python."""
    shown = ".".join(map(str, version))
    if version >= _PYTHON_MIN:
        return Check("Python", Verdict.GOOD, f"{shown} ({sys.executable})")
    return Check("Python", Verdict.BAD, f"{shown} is too old", "Install Python 3.11 or newer and make the .venv anew.")


async def _stores(environment: Mapping[str, str], origins: Sequence[Origin]) -> list[Check]:
    checks: list[Check] = []
    if url := environment.get(DATABASE_VARIABLE):
        checks += [_from("Postgres", problem) for problem in await look_at_database(url)]
        if not checks:
            checks.append(
                Check("Postgres", Verdict.GOOD, f"the one {DATABASE_VARIABLE} names: version and settings fit")
            )
    elif postgres := await asyncio.to_thread(find_postgres, origins):
        checks.append(Check("Postgres", Verdict.GOOD, postgres[0].described))
    else:
        checks.append(_from("Postgres", nothing_found("Postgres")))
    if url := environment.get(REDIS_VARIABLE):
        problems = [_from("Redis", problem) for problem in await look_at_redis(url)]
        fits = Check("Redis", Verdict.GOOD, f"the one {REDIS_VARIABLE} names: version and settings fit")
        checks += problems or [fits]
    elif redis := await asyncio.to_thread(find_redis, origins):
        checks.append(Check("Redis", Verdict.GOOD, redis[0].described))
    else:
        checks.append(_from("Redis", nothing_found("Redis")))
    return checks


def _writable(folder: Path) -> Check:
    existing = _nearest_existing(folder)
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        return Check(
            "data folder",
            Verdict.BAD,
            f"{folder} cannot be written: {error.strerror}",
            "Make it writable for this user, or choose another with BOWEI_DATA=/path/to/folder.",
        )
    return Check("data folder", Verdict.GOOD, str(folder) + ("" if existing == folder else " (will be made)"))


def _nearest_existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def _space(folder: Path) -> Check:
    existing = _nearest_existing(folder)
    try:
        check_free_space(existing, free_bytes_min=FREE_BYTES_MIN)
    except SetupProblem as problem:
        return _from("free space", problem)
    return Check("free space", Verdict.GOOD, f"{shutil.disk_usage(existing).free // 2**20} MB")


def _lock(folder: Path) -> Check:
    if (pid := holder_of(folder)) is None:
        # The kernel frees the lock with its process: one that is left over does not exist.
        return Check("running copy", Verdict.GOOD, "none uses the data folder")
    fix = "Stop it before you start another, or give that one its own folder with BOWEI_DATA=/path/to/folder."
    return Check("running copy", Verdict.WARNING, f"pid {pid} uses the data folder", fix)


def _ports(environment: Mapping[str, str], *, running: bool) -> list[Check]:
    try:
        specs = service_specs({}, environment=environment)
    except SetupProblem as problem:
        return [_from("ports", problem)]
    checks = []
    for spec in specs:
        try:
            check_port_free(spec.name, spec.port)
        except SetupProblem as problem:
            if running:
                checks.append(Check(f"port {spec.port}", Verdict.GOOD, "in use while a copy is running"))
            else:
                # The demo goes round it; only a service that is started by hand can't.
                fix = f"None for the demo, which takes the next free port. By hand: {problem.fix}"
                checks.append(Check(f"port {spec.port}", Verdict.WARNING, problem.what, fix))
        else:
            checks.append(Check(f"port {spec.port}", Verdict.GOOD, f"free for {spec.name}"))
    return checks


def judged_open_files(soft: int) -> Check:
    """Judge how many files a process may open."""
    if soft == resource.RLIM_INFINITY or soft >= _FILES_WANTED:
        return Check("open files", Verdict.GOOD, "no limit" if soft == resource.RLIM_INFINITY else f"up to {soft}")
    verdict = Verdict.WARNING if soft >= _FILES_MIN else Verdict.BAD
    return Check("open files", verdict, f"only up to {soft}", f"Raise the limit first: ulimit -n {_FILES_WANTED}")


def judged_clock(now: datetime) -> Check:
    """Judge the time.

    A machine without a clock starts in 1970, or when its disk was made: before this file was.
    """
    installed_at = datetime.fromtimestamp(Path(__file__).stat().st_mtime, UTC)
    shown = now.isoformat(timespec="seconds")
    if now >= installed_at:
        return Check("clock", Verdict.GOOD, shown)
    fix = "Set the clock, for example with timedatectl set-ntp true."
    return Check("clock", Verdict.BAD, f"{shown} is before Bowei was installed ({installed_at:%Y-%m-%d})", fix)
