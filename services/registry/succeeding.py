"""Versions of agreements whose first day has come take the place of those before, without anybody's doing.

Each registry looks every few seconds; the book brings each in force once, whoever comes first.
"""

import asyncio
import logging
import random

from bowei.records.agreement_book import AgreementBook
from bowei.records.failures import StoreFailure
from bowei.records.registering import StillInUse

_log = logging.getLogger(__name__)
_EVERY_S = 5.0


class Succession:
    """Looks for as long as it runs. Run `run` as a task."""

    def __init__(self, book: AgreementBook, *, every_s: float = _EVERY_S) -> None:
        self._book = book
        self._every_s = every_s

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                for agreement_id in await self._book.bring_in_force():
                    _log.info("version_in_force", extra={"agreement_id": agreement_id})
            except (StoreFailure, StillInUse) as error:
                _log.warning("versions_not_brought_in_force", extra={"why": type(error).__name__})
            await asyncio.sleep(self._every_s * random.uniform(0.8, 1.2))  # noqa: S311 (jitter, not a secret)
