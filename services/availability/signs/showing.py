"""One sign's task: what its lot shows now is what the sign shows, or else nothing.

A failure doubles the pause before the next try, up to half a minute; then what is sent is what is so by then. When the
process stops, each sign is told that nothing is known, so that none stands with an old number.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime

from bowei.domain.lots import LotId
from bowei.domain.problems import Refused
from bowei.observability.background import in_background
from services.availability.boards.showing import shown_of
from services.availability.signs.driving import SignAway, SignDriver
from services.availability.signs.faces import Face
from services.availability.signs.measures import SignMeasures
from services.availability.signs.mqtt import MqttJsonSign
from services.availability.signs.rs485 import Rs485CountSign, SerialLine
from services.availability.signs.signs_file import MqttSign, SerialSign, SignFields, Signs
from services.availability.signs.udp import UdpJsonSign
from services.availability.snapshots import Snapshots

_log = logging.getLogger(__name__)

DARK_AFTER_S = 60.0
"""For how long the live state may be silent before a number would mislead."""
_LOOK_EVERY_S = 1.0
_SEND_S = 15.0
_GOODBYE_S = 1.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0


class SignTask:
    """Keeps one sign. Run `run` as a task; `say_goodbye` at its end."""

    def __init__(
        self,
        said: SignFields,
        driver: SignDriver,
        snapshots: Snapshots,
        measures: SignMeasures,
        *,
        dark_after_s: float = DARK_AFTER_S,
        resend_s: float | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._said = said
        self._driver = driver
        self._snapshots = snapshots
        self._measures = measures
        self._dark_after_s = dark_after_s
        self._resend_s = float(said.resend_s) if resend_s is None else resend_s
        self._jitter = jitter
        self._number = -1
        measures.reached.labels(said.id).set(0)

    async def run(self) -> None:
        """Show, until cancelled."""
        sent: Face | None = None
        due_s, failures = 0.0, 0
        while True:
            face, as_of = self._now()
            if face != sent or time.monotonic() >= due_s:
                if await self._send(face, as_of):
                    sent, failures, due_s = face, 0, time.monotonic() + self._resend_s
                else:
                    sent, failures = None, failures + 1
                    await asyncio.sleep(self._pause_s(failures))
                    continue
            await self._snapshots.wait_newer(self._number, min(_LOOK_EVERY_S, self._resend_s))

    async def say_goodbye(self) -> None:
        """Tell the sign that nothing is known, if that can be done at once, and let go of it."""
        with suppress(SignAway, TimeoutError):
            async with asyncio.timeout(_GOODBYE_S):
                await self._driver.show(Face(self._said.id, LotId(self._said.lot)), datetime.now(UTC))
        await self._driver.close()

    def _now(self) -> tuple[Face, datetime]:
        """Give what the sign must show, and of when that is."""
        lot_id = LotId(self._said.lot)
        nothing = Face(self._said.id, lot_id)
        try:
            snapshot = self._snapshots.latest()
        except Refused:  # nothing was ever copied
            face, as_of = nothing, datetime.now(UTC)
        else:
            self._number, as_of = snapshot.number, snapshot.as_of
            silent = self._snapshots.silent_s >= self._dark_after_s
            face = nothing if silent else Face(self._said.id, lot_id, shown_of(snapshot.lots.get(lot_id)))
        self._measures.dark.labels(self._said.id).set(face.shown == nothing.shown)
        return face, as_of

    async def _send(self, face: Face, as_of: datetime) -> bool:
        try:
            async with asyncio.timeout(_SEND_S):
                await self._driver.show(face, as_of)
        except (SignAway, TimeoutError) as away:
            self._measures.sent.labels(self._said.id, "failed").inc()
            self._measures.reached.labels(self._said.id).set(0)
            _log.warning("sign_away", extra={"sign_id": self._said.id, "why": str(away) or "no answer in time"})
            return False
        self._measures.sent.labels(self._said.id, "sent").inc()
        self._measures.reached.labels(self._said.id).set(1)
        return True

    def _pause_s(self, failures: int) -> float:
        longest_s = min(_FIRST_PAUSE_S * 2.0 ** min(failures - 1, 16), _LONGEST_PAUSE_S)
        return longest_s * (0.5 + self._jitter() / 2)


@asynccontextmanager
async def signs_shown(signs: Signs, snapshots: Snapshots, measures: SignMeasures) -> AsyncIterator[None]:
    """Keep all signs of the file for as long as the context lasts."""
    tasks = [
        SignTask(said, driver, snapshots, measures) for said, driver in zip(signs.said, drivers_of(signs), strict=True)
    ]
    async with AsyncExitStack() as running:
        for task in tasks:
            running.push_async_callback(task.say_goodbye)
            await running.enter_async_context(in_background(task.run))
        yield


def drivers_of(signs: Signs) -> Sequence[SignDriver]:
    """Make the driver of each sign; those on one serial line share it."""
    lines: dict[str, SerialLine] = {}
    drivers: list[SignDriver] = []
    for said, secret in zip(signs.said, signs.secrets, strict=True):
        if isinstance(said, SerialSign):
            device = str(signs.folder / said.device)
            drivers.append(Rs485CountSign(said, lines.setdefault(device, SerialLine(device, said.baud))))
        elif isinstance(said, MqttSign):
            drivers.append(MqttJsonSign(said, secret, signs.folder, f"bowei-sign-{said.id}"))
        else:
            drivers.append(UdpJsonSign(said))
    return drivers
