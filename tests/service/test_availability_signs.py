"""A sign's task: what its lot shows is what the sign shows, soon, again and again, or nothing."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

import pytest
from prometheus_client import CollectorRegistry
from typing_extensions import override

from bowei.observability.background import in_background
from services.availability.signs.driving import SignAway, SignDriver
from services.availability.signs.faces import Face
from services.availability.signs.measures import SignMeasures
from services.availability.signs.showing import SignTask
from services.availability.signs.signs_file import UdpSign
from services.availability.wiring import Wiring
from tests.service.availability_block import MALL, OWN, PATIENCE_S, Block, running_block

_DARK_AFTER_S = 1.6


class WrittenSign(SignDriver):
    """A sign that writes down what it was sent, and may be away."""

    def __init__(self) -> None:
        self.faces: list[str] = []
        self.tried_at_s: list[float] = []
        self.away = False
        self.closed = False

    @override
    async def show(self, face: Face, as_of: datetime) -> None:
        self.tried_at_s.append(time.monotonic())
        if self.away:
            raise SignAway("unplugged")
        self.faces.append(face.text)

    @override
    async def close(self) -> None:
        self.closed = True

    async def shows(self, text: str) -> None:
        """Wait until the sign shows a text."""
        await _until(lambda: self.faces[-1:] == [text])


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 (the sign is asked as a person looks at it)
            await asyncio.sleep(0.01)


@pytest.fixture
async def block() -> AsyncIterator[Block]:
    """A block whose mall has 118 spaces free."""
    async with running_block() as made:
        await made.register()
        await made.ready()
        await made.report(OWN, 0)
        await made.report(MALL, 118)
        await made.gate(lambda gate: gate["state"] == "diverting")
        yield made


@asynccontextmanager
async def _kept(block: Block, sign: WrittenSign, resend_s: float = 60.0) -> AsyncIterator[CollectorRegistry]:
    """Keep a sign of the mall."""
    wiring, registry = block.app.state.wiring, CollectorRegistry()
    assert isinstance(wiring, Wiring)
    said = UdpSign(id="gate", lot=MALL, way="udp", host="h")
    task = SignTask(
        said,
        sign,
        wiring.snapshots,
        SignMeasures(registry),
        dark_after_s=_DARK_AFTER_S,
        resend_s=resend_s,
        jitter=lambda: 0.0,
    )
    async with in_background(task.run):
        yield registry
    await task.say_goodbye()


async def test_a_sign_shows_what_the_lot_list_shows_and_goes_dark_when_told_goodbye(block: Block) -> None:
    """From a count over full to another; a stopped process leaves no old number."""
    sign = WrittenSign()
    async with _kept(block, sign) as registry:
        await sign.shows("118")
        await block.report(MALL, 0)
        await sign.shows("FULL")
        await block.report(MALL, 40)
        await sign.shows("40")
        assert registry.get_sample_value("bowei_availability_sign_reached", {"sign": "gate"}) == 1
    assert sign.faces == ["118", "FULL", "40", "--"]
    assert sign.closed


async def test_a_sign_is_told_again_what_it_shows(block: Block) -> None:
    """It may have lost its power, or the datagram."""
    sign = WrittenSign()
    async with _kept(block, sign, resend_s=0.05):
        await _until(lambda: len(sign.faces) >= 4)
    assert set(sign.faces[:4]) == {"118"}


async def test_a_sign_that_was_away_is_told_what_is_so_by_then(block: Block) -> None:
    """Nothing is kept for it: what was true meanwhile is of no use to anyone."""
    sign = WrittenSign()
    sign.away = True
    async with _kept(block, sign) as registry:
        await _until(lambda: len(sign.tried_at_s) >= 2)
        assert registry.get_sample_value("bowei_availability_sign_reached", {"sign": "gate"}) == 0
        for free in (90, 80, 70):
            await block.report(MALL, free)
        sign.away = False
        await sign.shows("70")
    assert sign.faces == ["70", "--"]
    failed = registry.get_sample_value("bowei_availability_sign_sent_total", {"sign": "gate", "result": "failed"})
    assert failed is not None
    assert failed >= 2


async def test_a_sign_shows_no_number_when_the_live_state_has_long_been_silent(block: Block) -> None:
    """And shows it again when the live state is back."""
    sign = WrittenSign()
    async with _kept(block, sign) as registry:
        await sign.shows("118")
        block.live_state.away = True
        await sign.shows("--")
        assert registry.get_sample_value("bowei_availability_sign_dark", {"sign": "gate"}) == 1
        block.live_state.away = False
        await sign.shows("118")


async def test_a_sign_of_a_lot_that_nobody_registered_shows_no_number(block: Block) -> None:
    """The register may bring it later; until then nothing is known of it."""
    sign = WrittenSign()
    await block.register(lots=(), hospitals=(), agreements=())
    async with _kept(block, sign):
        await sign.shows("--")
