"""Whoever assesses looks at every lot of a city, some at a time."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry

from bowei.domain.clock import SteppedClock
from bowei.domain.lots import LotId
from bowei.domain.trust import TrustRules
from bowei.observability.background import in_background
from bowei.records.in_memory import InMemoryQuality, InMemoryRecords, InMemoryRegister
from services.ingest.assessing import Assessor
from services.ingest.quality_measures import QualityMeasures
from tests.service.ingest_app import NOW, a_lot, wait_until
from tests.service.test_ingest_keeping import StandInLead


class NobodyToTell:
    """Hears of doubts and does nothing."""

    async def tell(self, doubts: Mapping[LotId, str | None]) -> None:
        """Do nothing."""


async def test_a_large_city_is_looked_at_to_its_end() -> None:
    """After each pause with what is due then, in the same minute: a look takes only some of many lots."""
    clock = SteppedClock(NOW)
    records = InMemoryRecords(clock)
    await InMemoryRegister(records).put_lots([a_lot(LotId(f"lot-{number:03d}"), 60) for number in range(230)])
    quality = InMemoryQuality(records)
    measures = QualityMeasures(CollectorRegistry())
    assessor = Assessor(
        StandInLead(), quality, NobodyToTell(), clock, measures, rules=TrustRules(), show_all=lambda: None, tick_s=0.01
    )

    async def all_looked_at() -> bool:
        return all(one.assessed_at is not None for one in (await quality.city()).lots)

    async with in_background(assessor.run):
        await wait_until(all_looked_at)
