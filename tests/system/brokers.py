"""A Mosquitto of a test's own, and those who publish to it."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import aiomqtt
import pytest

from tests.free_ports import free_port

_NONE = "there is no mosquitto here (Debian, Ubuntu: apt install mosquitto)"
_PATIENCE_S = 10.0

PUBLISHER_WITH_A_WILL = """
import sys, paho.mqtt.client as mqtt
port, topic = int(sys.argv[1]), sys.argv[2]
client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "equipment")
client.will_set(topic, b"0", qos=1, retain=True)
client.on_publish = lambda *_: print("online", flush=True)
client.connect("127.0.0.1", port)
client.publish(topic, b"1", qos=1, retain=True)
client.loop_forever()
"""
"""What a lot's equipment does: it says that it is online, and leaves its last will."""


def find_program(name: str = "mosquitto") -> str:
    """Give the path of a program of the broker; skip the test where there is none."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(_NONE)
    return found


class Broker:
    """A broker on a loopback port of its own, which may be stopped and started again with what it keeps."""

    def __init__(self, folder: Path, *, more: str = "") -> None:
        self.port = free_port()
        self.folder = folder
        self._program = find_program()
        self._process: subprocess.Popen[bytes] | None = None
        user = "user root\n" if os.geteuid() == 0 else ""
        listener = more or f"listener {self.port} 127.0.0.1\nallow_anonymous true\n"
        # Without bounds of its own the broker keeps what nobody acknowledges, as the page says that it should.
        kept = f"persistence true\npersistence_location {folder}/\nmax_queued_messages 0\nset_tcp_nodelay true\n"
        (folder / "mosquitto.conf").write_text(f"{user}{listener.format(port=self.port)}{kept}", "utf-8")

    def start(self) -> None:
        """Start it, and wait until it can be reached."""
        with (self.folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "-c", str(self.folder / "mosquitto.conf")], stdout=log, stderr=log
            )
        until = time.monotonic() + _PATIENCE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except ConnectionRefusedError:
                assert time.monotonic() < until, (self.folder / "mosquitto.log").read_text("utf-8")
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """Stop it; what it keeps is on disk then."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(_PATIENCE_S)
            self._process = None


@contextmanager
def running_broker(folder: Path) -> Iterator[Broker]:
    """Run a broker until the test is done."""
    folder.mkdir(exist_ok=True)
    broker = Broker(folder)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@asynccontextmanager
async def publisher(broker: Broker) -> AsyncIterator[aiomqtt.Client]:
    """Connect somebody who publishes."""
    async with aiomqtt.Client(
        "127.0.0.1",
        broker.port,
        protocol=aiomqtt.ProtocolVersion.V5,
        timeout=10,
        socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
    ) as client:
        yield client


@asynccontextmanager
async def equipment(broker: Broker, topic: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a process that is online, and says so with a last will; the test may kill it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PUBLISHER_WITH_A_WILL,
        str(broker.port),
        topic,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), _PATIENCE_S) == b"online\n"
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()
