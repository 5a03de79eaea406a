"""The twins: the records room in memory, held to the same contract tests as Postgres.

They are the specification in its simplest form: no counters (what is held is counted from the holds), no locks (one
loop runs one call at a time), the domain's own functions for what is lent, offered and believed.

    world        what is remembered, and what is due        holding      InMemoryHoldBook
    registering  InMemoryRegister                           reporting    InMemoryReportJournal
    sensing      InMemorySpaceBook                          forecasts    InMemoryForecastBook
    barriers     InMemoryBarrierBook                        audit        InMemoryAuditTrail
    history      InMemoryHistory                            dead_letters InMemoryDeadLetters
    road_book    InMemoryRoadBook                           gate_book    InMemoryGateBook
    party_book   InMemoryPartyBook                          agreement_book InMemoryAgreementBook
    sharing      InMemorySharing                            forgetting   InMemoryForgetting
    quality      InMemoryQuality                            series       what it looks at
"""

from bowei.records.in_memory.agreement_book import InMemoryAgreementBook
from bowei.records.in_memory.audit import InMemoryAuditTrail
from bowei.records.in_memory.barriers import InMemoryBarrierBook
from bowei.records.in_memory.dead_letters import InMemoryDeadLetters
from bowei.records.in_memory.forecasts import InMemoryForecastBook
from bowei.records.in_memory.forgetting import InMemoryForgetting
from bowei.records.in_memory.gate_book import InMemoryGateBook
from bowei.records.in_memory.history import InMemoryHistory
from bowei.records.in_memory.holding import InMemoryHoldBook
from bowei.records.in_memory.party_book import InMemoryPartyBook
from bowei.records.in_memory.quality import InMemoryQuality
from bowei.records.in_memory.registering import InMemoryRegister
from bowei.records.in_memory.reporting import InMemoryReportJournal
from bowei.records.in_memory.road_book import InMemoryRoadBook
from bowei.records.in_memory.sensing import InMemorySpaceBook
from bowei.records.in_memory.sharing import InMemorySharing
from bowei.records.in_memory.world import InMemoryRecords

__all__ = [
    "InMemoryAgreementBook",
    "InMemoryAuditTrail",
    "InMemoryBarrierBook",
    "InMemoryDeadLetters",
    "InMemoryForecastBook",
    "InMemoryForgetting",
    "InMemoryGateBook",
    "InMemoryHistory",
    "InMemoryHoldBook",
    "InMemoryPartyBook",
    "InMemoryQuality",
    "InMemoryRecords",
    "InMemoryRegister",
    "InMemoryReportJournal",
    "InMemoryRoadBook",
    "InMemorySharing",
    "InMemorySpaceBook",
]
