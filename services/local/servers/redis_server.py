"""A Redis or Valkey of our own on a private unix socket. Its data is a copy: unreadable data is thrown away."""

import asyncio
import contextlib
import os
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from services.local.children import Child, kill, last_lines, spawn, stop
from services.local.data_folder import DataFolder, as_setup_problem, disk_full
from services.local.servers.finding import FoundServer
from services.local.setup_problem import SetupProblem

_READY_WITHIN_S = 30.0
_STOP_WITHIN_S = 5.0
_ANSWER_WITHIN_S = 2.0
_POLL_S = 0.01

_SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
    # A full copy must refuse to grow, never forget a lot by itself.
    "maxmemory": "512mb",
    "maxmemory-policy": "noeviction",
    "daemonize": "no",
    "logfile": "",
    "dir": ".",
}


@dataclass(frozen=True, slots=True)
class RedisPlace:
    """What is decided before the first start and stays for every restart."""

    server: FoundServer
    folder: Path
    socket: Path
    log: Path

    @property
    def url(self) -> str:
        """The address, for redis-py and others."""
        return f"unix://{self.socket}"


def redis_place_for(data: DataFolder, server: FoundServer, sockets: Path) -> RedisPlace:
    """Settle program, folder and socket."""
    return RedisPlace(server, data.redis, sockets / "redis.sock", data.log("redis"))


async def start_redis(place: RedisPlace) -> Child:
    """Start on the copy left by the last run, or on an empty one if that cannot be read; return when it answers.

    Raises:
        SetupProblem: `redis_did_not_start` or `disk_full`, with the reason from its log.
    """
    for last_try in (False, True):
        server = _spawn(place)
        try:
            if await _answers(place, server):
                return server
        except BaseException:
            kill(server)
            raise
        kill(server)
        if last_try or "No space left on device" in last_lines(place.log):
            break
        # Another version's file, or a torn one: the ledger fills the copy again.
        with as_setup_problem(place.folder):
            shutil.rmtree(place.folder)
    raise _did_not_start(place)


async def stop_redis(server: Child) -> None:
    """End it cleanly: the append-only file is flushed."""
    await stop(server, ask=signal.SIGTERM, within_s=_STOP_WITHIN_S)


def _spawn(place: RedisPlace) -> Child:
    with as_setup_problem(place.folder):
        place.folder.mkdir(mode=0o700, exist_ok=True)
        place.socket.unlink(missing_ok=True)
    settings = _SETTINGS | {"unixsocket": str(place.socket)}
    options = [word for name, value in settings.items() for word in (f"--{name}", value)]
    return spawn(
        [str(place.server.binary), *options],
        log=place.log,
        environment={"LC_ALL": "C", "PATH": os.environ.get("PATH", os.defpath)},
        folder=place.folder,
    )


async def _answers(place: RedisPlace, server: Child) -> bool:
    deadline = time.monotonic() + _READY_WITHIN_S
    while server.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError, TimeoutError):
            if await asyncio.wait_for(_ping(place.socket), _ANSWER_WITHIN_S):
                return True
        await asyncio.sleep(_POLL_S)
    return False


async def _ping(socket: Path) -> bool:
    """Ask once; a server still loading its file answers with an error."""
    reader, writer = await asyncio.open_unix_connection(socket)
    try:
        writer.write(b"PING\r\n")
        return await reader.readline() == b"+PONG\r\n"
    finally:
        writer.close()


def _did_not_start(place: RedisPlace) -> SetupProblem:
    last_words = last_lines(place.log)
    if "No space left on device" in last_words:
        return disk_full(place.folder)
    return SetupProblem(
        "redis_did_not_start",
        f"Redis ({place.server.binary}) did not start. Its last words: {last_words}",
        f"Read {place.log}, or set BOWEI_REDIS_URL.",
    )
