"""Leading: a work of ingest that one process of all does, for as long as it has the right to."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from prometheus_client import Gauge

from bowei.records.failures import StoreFailure
from bowei.records.leading import HandsOutLead, Leads

AGAIN_S = 5.0
"""Between attempts to become the one, or after a failure."""

_log = logging.getLogger(__name__)


async def whenever_leading(
    leadership: HandsOutLead,
    work: Callable[[Leads], Awaitable[None]],
    *,
    gauge: Gauge,
    stopped: Callable[[], None],
    began: str,
    failed: str,
    again_s: float = AGAIN_S,
) -> None:
    """Work whenever this process is the one, until cancelled; `work` returns once it has lost the right.

    `gauge` is 1 while it works, `stopped` takes back whatever it showed; `began` and `failed` are the words of the log.
    """
    while True:
        try:
            leading = await leadership.try_lead()
            if leading is not None:
                gauge.set(1)
                _log.info(began)
                try:
                    await work(leading)
                finally:
                    stopped()
                    await leading.give_up()
        except StoreFailure as failure:
            _log.warning(failed, extra={"cause": type(failure).__name__})
        await asyncio.sleep(again_s * random.uniform(0.5, 1.5))  # noqa: S311 (jitter, not a secret)
