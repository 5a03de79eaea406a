"""A Postgres of our own: made once, then started on a private unix socket with durability always on."""

import asyncio
import os
import secrets
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from services.local.children import Account, Child, exited, kill, last_lines, spawn, stop
from services.local.data_folder import DataFolder, as_setup_problem, disk_full
from services.local.servers.finding import FoundServer
from services.local.servers.unprivileged import account_for, reachable_cluster, reachable_server
from services.local.setup_problem import SetupProblem

_ROLE = "bowei"
_DATABASE = "postgres"  # Every new cluster has it.

_PASSWORD_FILE = "bowei-password"  # noqa: S105  (the name of a file)
_LOCK_FILE = "postmaster.pid"

_INIT_WITHIN_S = 60.0
_READY_WITHIN_S = 60.0  # A start after a crash repeats the log first: 1.1 s for 300,000 rows, measured.
_STOP_WITHIN_S = 10.0
_POLL_S = 0.01

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
}


@dataclass(frozen=True, slots=True)
class PostgresPlace:
    """What is decided before the first start and stays for every restart."""

    server: FoundServer
    binary: Path
    cluster: Path
    sockets: Path
    log: Path
    account: Account | None

    @property
    def url(self) -> str:
        """The address of the database, with its password: never to be logged."""
        password = (self.cluster / _PASSWORD_FILE).read_text("ascii")
        return f"postgresql://{_ROLE}:{password}@/{_DATABASE}?{urlencode({'host': str(self.sockets)}, safe='/')}"


def choose_server(data: DataFolder, found: list[FoundServer]) -> FoundServer:
    """Return the server that can open the ledger already in the folder, else the preferred one."""
    with_data = [server for server in found if _cluster(data, server).exists()]
    return (with_data or found)[0]


def _cluster(data: DataFolder, server: FoundServer) -> Path:
    cluster = data.postgres(server.version[0])
    account = account_for(cluster)
    return reachable_cluster(data, cluster, account) if account else cluster


def place_for(data: DataFolder, server: FoundServer, sockets: Path) -> PostgresPlace:
    """Settle program, data directory and user, and hand `sockets` over to that user.

    Raises:
        SetupProblem: no user that may run it, or nowhere that user can reach.
    """
    cluster = _cluster(data, server)
    account = account_for(cluster)
    binary = server.binary
    if account:
        binary = reachable_server(data, server, account)
        os.chown(sockets, account.uid, account.gid)
    return PostgresPlace(server, binary, cluster, sockets, data.log("postgres"), account)


async def start_postgres(place: PostgresPlace) -> Child:
    """Start on the existing ledger or a new one; return when it takes connections.

    Raises:
        SetupProblem: `postgres_did_not_start` or `disk_full`, with the reason from its log.
    """
    if not place.cluster.exists():
        await _create(place)
    await _clear_stale_lock(place)
    settings = _SETTINGS | {"unix_socket_directories": str(place.sockets)}
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    command = [str(place.binary), "-D", str(place.cluster), *options]
    # SIGQUIT ends it within milliseconds; the write-ahead log makes that as safe as a power cut.
    postmaster = _run(place, command, on_parent_death=signal.SIGQUIT)
    try:
        await _ready(place, postmaster)
    except BaseException:
        kill(postmaster)
        raise
    return postmaster


async def stop_postgres(postmaster: Child) -> None:
    """End it cleanly: connections are closed and a checkpoint is written."""
    await stop(postmaster, ask=signal.SIGINT, within_s=_STOP_WITHIN_S)


async def _create(place: PostgresPlace) -> None:
    """Make the cluster and its database under another name first: half a cluster must not look like one."""
    unfinished = place.cluster.with_suffix(".unfinished")
    password = place.sockets / _PASSWORD_FILE
    with as_setup_problem(place.cluster):
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24), "ascii")
        if place.account:
            os.chown(unfinished, place.account.uid, place.account.gid)
            os.chown(password, place.account.uid, place.account.gid)
    initdb = [str(place.binary.with_name("initdb")), "-D", str(unfinished), "-U", _ROLE, f"--pwfile={password}"]
    initdb += ["--encoding=UTF8", "--no-locale", "--data-checksums"]
    initdb += ["--auth-local=password", "--auth-host=reject"]
    await _finish(place, initdb)
    with as_setup_problem(place.cluster):
        shutil.move(password, unfinished / _PASSWORD_FILE)
        unfinished.rename(place.cluster)


async def _ready(place: PostgresPlace, postmaster: Child) -> None:
    deadline = time.monotonic() + _READY_WITHIN_S
    while not _says_ready(place.cluster, postmaster.pid):
        if postmaster.poll() is not None or time.monotonic() > deadline:
            raise _did_not_start(place)
        await asyncio.sleep(_POLL_S)


async def _clear_stale_lock(place: PostgresPlace) -> None:
    """Deal with the `postmaster.pid` of a run that was killed.

    Postgres itself removes one whose process is gone. Two cases are left: the old server is still on its way out
    (this process holds the data folder, so it is nobody's), and the number now belongs to some other program,
    which is likely in a container, where numbers are small.
    """
    pid = _postmaster_pid(place.cluster)
    if pid is None:
        return
    deadline = time.monotonic() + _STOP_WITHIN_S
    while (command := _command_of(pid)) and "postgres" in command and str(place.cluster) in command:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(_POLL_S)
    if command:
        with as_setup_problem(place.cluster):
            (place.cluster / _LOCK_FILE).unlink(missing_ok=True)


def _postmaster_pid(cluster: Path) -> int | None:
    first_line = _lock_lines(cluster)[0]
    return int(first_line) if first_line.isdigit() else None


def _says_ready(cluster: Path, pid: int) -> bool:
    """Read the state as `pg_ctl` does: the eighth line of the lock file."""
    lines = _lock_lines(cluster)
    return lines[0] == str(pid) and len(lines) > 7 and lines[7].strip() == "ready"


def _lock_lines(cluster: Path) -> list[str]:
    try:
        # The second line is the folder's path, in whatever letters.
        return os.fsdecode((cluster / _LOCK_FILE).read_bytes()).splitlines() or [""]
    except FileNotFoundError:
        return [""]


def _command_of(pid: int) -> str:
    """Return the command line of a process; empty when there is none."""
    processes = Path("/proc")
    if (processes / "self").exists():
        try:
            return os.fsdecode((processes / str(pid) / "cmdline").read_bytes()).replace("\0", " ")
        except OSError:
            return ""
    shown = subprocess.run(  # noqa: S603
        ["/bin/ps", "-o", "command=", "-p", str(pid)], capture_output=True, check=False, text=True, timeout=5
    )
    return shown.stdout


def _did_not_start(place: PostgresPlace) -> SetupProblem:
    last_words = last_lines(place.log)
    if "No space left on device" in last_words:
        return disk_full(place.cluster)
    return SetupProblem(
        "postgres_did_not_start",
        f"Postgres ({place.binary}) did not start. Its last words: {last_words}",
        f"Read {place.log}; to begin anew, delete the data folder; or set BOWEI_DATABASE_URL.",
    )


async def _finish(place: PostgresPlace, command: list[str]) -> None:
    child = _run(place, command)
    try:
        if await exited(child, within_s=_INIT_WITHIN_S) != 0:
            raise _did_not_start(place)
    finally:
        kill(child)


def _run(place: PostgresPlace, command: list[str], *, on_parent_death: signal.Signals = signal.SIGKILL) -> Child:
    inherited = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "TMPDIR") if name in os.environ}
    return spawn(
        command,
        log=place.log,
        environment=inherited | {"LC_ALL": "C"},
        account=place.account,
        on_parent_death=on_parent_death,
    )
