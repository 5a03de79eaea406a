"""Signs on real wires: a serial line, a datagram, a broker. What arrives there is what a sign gets, byte by byte."""

import asyncio
import json
import os
import select
import socket
import time
import tty
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from bowei.domain.lots import LotId
from bowei.livestate.redis_store import RedisLiveState
from services.availability.boards.showing import Shown, Shows
from services.availability.lots import Level
from services.availability.signs.driving import SignAway
from services.availability.signs.faces import Face
from services.availability.signs.rs485 import Rs485CountSign, SerialLine
from services.availability.signs.signs_file import SerialSign, UdpSign
from services.availability.signs.udp import UdpJsonSign
from tests.free_ports import free_port
from tests.service.availability_block import MALL
from tests.system.availability_process import fill_server, report, running
from tests.system.brokers import Broker, running_broker

_NO_LEDGER = "postgresql://nobody@127.0.0.1:1/none"
_PATIENCE_S = 10.0


@pytest.fixture
def wire() -> Iterator[tuple[int, str]]:
    """A serial line: the end where the sign hangs, and the name of the device."""
    sign, device = os.openpty()
    tty.setraw(sign)
    yield sign, os.ttyname(device)
    os.close(sign)
    os.close(device)


def _read(sign: int, count: int) -> bytes:
    got = b""
    while len(got) < count:
        ready, _, _ = select.select([sign], [], [], _PATIENCE_S)
        assert ready, f"only {got!r} came"
        got += os.read(sign, count - len(got))
    return got


async def _heard(sign: int, wanted: bytes) -> None:
    """Read a line until it said `wanted`."""
    got = b""
    async with asyncio.timeout(_PATIENCE_S):
        while wanted not in got:
            got += await asyncio.to_thread(_read, sign, 1)


async def test_two_signs_on_one_serial_line_take_turns(wire: tuple[int, str]) -> None:
    """Told at once, again and again: each frame comes whole, with the quiet after it by which signs know its end."""
    sign, device = wire
    line = SerialLine(device, 1_200)  # so slow that the quiet is plain to see: 78 ms from frame to frame
    said = SerialSign(id="one", lot="in77", way="rs485", device=device, format="xunpeng", code=1, dark=9999)
    both = [Rs485CountSign(said.model_copy(update={"code": code}), line) for code in (1, 2)]
    face = Face("s", LotId("in77"), Shown(Shows.COUNT, 888, Level.PLENTY))
    listening = asyncio.create_task(asyncio.to_thread(_frames, sign, 20))
    for _ in range(10):
        await asyncio.gather(*(one.show(face, datetime.now(UTC)) for one in both))
    frames = await listening
    await line.close()
    assert {frame.hex(" ").upper() for _, frame in frames} == {"3A 00 78 03 01 B6 0A", "3A 00 78 03 02 B7 0A"}
    arrived_s = [at_s for at_s, _ in frames]
    close = [later - sooner for sooner, later in pairwise(arrived_s) if later - sooner < 0.01]
    assert len(close) <= 3, "a reader that was held up sees a few at once; without turns it is every second one"


def _frames(sign: int, count: int) -> list[tuple[float, bytes]]:
    """Read frames as they come, each with its instant."""
    frames = []
    for _ in range(count):
        frame = _read(sign, 7)
        frames.append((time.monotonic(), frame))
    return frames


async def test_a_serial_line_that_is_not_there_is_said_and_found_later(tmp_path: Path, wire: tuple[int, str]) -> None:
    """An adapter is unplugged and plugged in again: the line is opened anew."""
    device = tmp_path / "sign"
    line = SerialLine(str(device), 9600)
    with pytest.raises(SignAway, match="could not open port"):
        await line.write(b"x")
    device.symlink_to(wire[1])
    await line.write(b"y")
    assert _read(wire[0], 1) == b"y"
    await line.close()


async def test_a_host_that_does_not_listen_is_tried_again() -> None:
    """A datagram that nobody takes is no failure for ever: the next ones arrive when the sign is back."""
    port = free_port()
    sign = UdpJsonSign(UdpSign(id="s", lot="in77", way="udp", host="127.0.0.1", port=port))
    face = Face("s", LotId("in77"))
    await sign.show(face, datetime.now(UTC))
    await asyncio.sleep(0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", port))
        listening.settimeout(0.05)
        got = b""
        async with asyncio.timeout(_PATIENCE_S):
            while not got:
                await sign.show(face, datetime.now(UTC))
                got = await asyncio.to_thread(_receive, listening)
    await sign.close()
    assert json.loads(got)["text"] == "--"


def _receive(listening: socket.socket) -> bytes:
    try:
        return listening.recv(2_000)
    except TimeoutError:
        return b""


@pytest.fixture
async def live_state(fresh_redis: str) -> AsyncIterator[RedisLiveState]:
    """A block whose mall has 118 spaces free."""
    await fill_server(fresh_redis)
    store = RedisLiveState.connect(fresh_redis)
    yield store
    await store.close()


async def _next(listening: socket.socket, text: str) -> dict[str, Any]:
    """Read datagrams until one says `text`."""
    async with asyncio.timeout(_PATIENCE_S):
        while True:
            got = await asyncio.to_thread(_receive, listening)
            if got and (said := json.loads(got))["text"] == text:
                assert isinstance(said, dict)
                return said


async def test_a_report_is_on_all_kinds_of_signs_and_none_keeps_it_when_the_service_stops(
    live_state: RedisLiveState, fresh_redis: str, tmp_path: Path, wire: tuple[int, str]
) -> None:
    """The real service by its signs file: a serial line, a datagram, a broker that retains."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as corner, running_broker(tmp_path / "broker") as broker:
        corner.bind(("127.0.0.1", 0))
        corner.settimeout(0.2)
        file = tmp_path / "signs.yaml"
        file.write_text(
            f"""
signs:
  - {{id: gate, lot: {MALL}, way: rs485, device: {wire[1]}, format: xunpeng, dark: 9999}}
  - {{id: corner, lot: {MALL}, way: udp, host: 127.0.0.1, port: {corner.getsockname()[1]}}}
  - {{id: plaza, lot: {MALL}, way: mqtt, host: 127.0.0.1, port: {broker.port}, topic: signs/plaza}}
""",
            "utf-8",
        )
        async with running(fresh_redis, _NO_LEDGER, {"BOWEI_SIGNS": str(file)}) as service:
            await _heard(wire[0], bytes.fromhex("3A 00 76 00 01 B1 0A"))  # 118 in green
            said = await _next(corner, "118")
            assert (said["number"], said["colour"], said["sign_id"], said["valid_s"]) == (118, "green", "corner", 60)
            assert await _retained(broker, "118") == said | {"sign_id": "plaza", "as_of": ...}
            await report(live_state, MALL, 0)
            await _heard(wire[0], bytes.fromhex("3A 02 00 00 01 3D 0A"))  # 0 in red
            await _next(corner, "FULL")
            await _retained(broker, "FULL")
            service.process.terminate()
            await _heard(wire[0], bytes.fromhex("3A 01 0F 27 01 72 0A"))  # dark
            await _next(corner, "--")
            await _retained(broker, "--")
            await asyncio.wait_for(service.process.wait(), _PATIENCE_S)


async def test_the_broker_says_for_a_killed_service_that_nothing_is_known(
    live_state: RedisLiveState, fresh_redis: str, tmp_path: Path
) -> None:
    """Its last will; and a service that loses its broker comes back to it by itself."""
    with running_broker(tmp_path / "broker") as broker:
        file = tmp_path / "signs.yaml"
        file.write_text(
            f"signs: [{{id: plaza, lot: {MALL}, way: mqtt, host: 127.0.0.1, port: {broker.port}, topic: signs/plaza}}]",
            "utf-8",
        )
        async with running(fresh_redis, _NO_LEDGER, {"BOWEI_SIGNS": str(file)}) as service:
            await _retained(broker, "118")
            broker.stop()
            await report(live_state, MALL, 90)
            broker.start()
            await _retained(broker, "90")
            service.process.kill()
            await _retained(broker, "--")


async def _retained(broker: Broker, text: str) -> dict[str, Any]:
    """Follow the sign's topic from what is retained on, until it says `text`."""
    async with asyncio.timeout(_PATIENCE_S), aiomqtt.Client("127.0.0.1", broker.port) as client:
        await client.subscribe("signs/plaza")
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            said = json.loads(message.payload)
            if said["text"] == text:
                assert isinstance(said, dict)
                return said | {"as_of": ...}
    raise AssertionError("the broker ended")
