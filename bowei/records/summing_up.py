"""Summing up quality: how many lots report, how fresh, how far trusted, and what is wrong, for a city or one source."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bowei.domain.dirt import Dirt
from bowei.domain.freshness import Freshness, freshness
from bowei.domain.lots import LotId, SourceId
from bowei.domain.trust import TrustState, worst
from bowei.records.quality import CityQuality, LotQuality


@dataclass(frozen=True, slots=True)
class Summary:
    """Coverage, trust and dirt of some lots; counts of lots but for the last three."""

    registered: int = 0
    reporting: int = 0
    """That ever reported."""
    by_freshness: Mapping[Freshness, int] = field(default_factory=dict)
    """Of those that reported."""
    by_trust: Mapping[TrustState, int] = field(default_factory=dict)
    by_doubt: Mapping[str, int] = field(default_factory=dict)
    by_finding: Mapping[Dirt, int] = field(default_factory=dict)
    oldest_s: int | None = None
    """Age of the oldest newest report."""
    links_lost: int = 0
    pending: int = 0


def sum_up(city: CityQuality, *, source_id: SourceId | None = None) -> Summary:
    """Sum up all lots, or those of one source."""
    now = city.at
    lots = [lot for lot in city.lots if source_id is None or source_id in lot.source_ids]
    ages = [now - lot.observed_at for lot in lots if lot.observed_at is not None]
    return Summary(
        registered=len(lots),
        reporting=len(ages),
        by_freshness=Counter(fresh for lot in lots if (fresh := freshness_of(lot, now)) is not None),
        by_trust=Counter(trust_of_lot(city, lot, source_id) for lot in lots),
        by_doubt=Counter(lot.doubt for lot in lots if lot.doubt is not None),
        by_finding=Counter(finding.dirt for lot in lots for finding in lot.findings),
        oldest_s=max((int(age.total_seconds()) for age in ages), default=None),
        links_lost=sum(link.lost_since is not None and source_id in (None, link.source_id) for link in city.links),
        pending=sum(source_id in (None, stranger.source_id) for stranger in city.strangers),
    )


def freshness_of(lot: LotQuality, now: datetime) -> Freshness | None:
    """Judge the age of a lot's newest report; None: it never reported."""
    if lot.observed_at is None or lot.usual_gap is None:
        return None
    return freshness(now - lot.observed_at, lot.usual_gap)


def trust_of_lot(city: CityQuality, lot: LotQuality, source_id: SourceId | None = None) -> TrustState:
    """Give how far a lot is trusted: as its worst source, or as one of them."""
    sources = lot.source_ids if source_id is None else (source_id,)
    keys: list[tuple[SourceId, LotId | None]] = [(one, of) for one in sources for of in (None, lot.lot_id)]
    return worst(city.trusts[key].state for key in keys if key in city.trusts)
