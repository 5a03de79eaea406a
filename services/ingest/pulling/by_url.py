"""By URL: one address is fetched, and its body read; what did not change is not fetched again.

What an unchanged answer is worth depends on whether the body says times. If it does, those decide how old the counts
are, and nothing is new. If it does not, the counts are as of now, as they would be if the same body had come again.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bowei.domain.clock import Clock
from services.ingest.pulling.failures import Failure, PullFailed
from services.ingest.pulling.fetching import Answer, Ask, Bounds, Fetcher
from services.ingest.pulling.formats import Reads
from services.ingest.readings import CountReading, Reading

_LONGEST_VALIDATOR = 1_000


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a pull brought, and what makes it possible to ask next time whether anything changed."""

    readings: Sequence[Reading]
    unchanged: bool = False
    conditions: Mapping[str, str] = field(default_factory=dict)
    digest: bytes | None = None


class UrlPull:
    """Pulls one address. What it remembers lives as long as the process, and costs one pull when that ends."""

    def __init__(self, ask: Ask, bounds: Bounds, reads: Reads, fetcher: Fetcher, clock: Clock) -> None:
        self._ask = ask
        self._bounds = bounds
        self._reads = reads
        self._fetcher = fetcher
        self._clock = clock
        self._last = Pulled(())

    async def pull(self) -> Pulled:
        """Fetch and read.

        Raises:
            PullFailed: nothing came that may be used.
            Refused: it can't be read.
        """
        headers = {**self._ask.headers, **self._last.conditions}
        answer = await self._fetcher.fetch(replace(self._ask, headers=headers), self._bounds)
        if answer.unchanged:
            if not self._last.conditions:
                raise PullFailed(Failure.SERVER_ERROR, "it answers 304 though no condition was sent")
            return self._as_of_now(self._last.conditions)
        digest = hashlib.sha256(answer.body).digest()
        if digest == self._last.digest:
            return self._as_of_now(_conditions(answer))
        readings = await asyncio.to_thread(self._reads, answer.body, received_at=self._clock.now())
        return Pulled(readings, conditions=_conditions(answer), digest=digest)

    def taken(self, pulled: Pulled) -> None:
        """Remember what was pulled, now that it is on record: it need not come again."""
        timeless = [one for one in pulled.readings if isinstance(one, CountReading) and one.observed_at is None]
        self._last = replace(pulled, readings=timeless)

    def _as_of_now(self, conditions: Mapping[str, str]) -> Pulled:
        return replace(self._last, unchanged=True, conditions=conditions)


def _conditions(answer: Answer) -> Mapping[str, str]:
    said = {"If-None-Match": answer.headers.get("etag"), "If-Modified-Since": answer.headers.get("last-modified")}
    return {
        name: value
        for name, value in said.items()
        if value and len(value) <= _LONGEST_VALIDATOR and value.isascii() and value.isprintable()
    }
