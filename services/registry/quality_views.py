"""What the registry answers of quality: how everything stands, with the evidence; absent means not known."""

from collections.abc import Mapping, Sequence

from bowei.domain.assessing import Finding
from bowei.domain.directory import Directory
from bowei.domain.freshness import Freshness
from bowei.domain.lots import LotId, SourceId
from bowei.domain.places import Datum
from bowei.domain.strangers import Stranger
from bowei.domain.trust import Trust
from bowei.observability.instants import rfc3339
from bowei.records.quality import CityQuality, LinkQuality, LotQuality, QualityEvent
from bowei.records.summing_up import Summary, freshness_of, sum_up, trust_of_lot

View = dict[str, object]

LISTED_MOST = 2_000
"""Lots in one answer; those with something wrong come first."""


def city_view(city: CityQuality, directory: Directory) -> View:
    """Show the whole city: the sums, each source's, and the lots of which nothing is offered."""
    doubted = [lot for lot in city.lots if lot.doubt is not None]
    return {
        "as_of": rfc3339(city.at),
        **summary_view(sum_up(city)),
        "sources": [source_line(city, source_id) for source_id in sources_of(city)],
        "doubted": [lot_line(city, lot, directory) for lot in doubted[:LISTED_MOST]],
    }


def source_view(city: CityQuality, source_id: SourceId, directory: Directory, events: Sequence[QualityEvent]) -> View:
    """Show one source: its sums, its lots, its links, the lots that it names and nobody registered, what changed."""
    lots = [lot for lot in city.lots if source_id in lot.source_ids]
    lots.sort(key=lambda lot: (lot.doubt is None, not lot.findings, lot.lot_id))
    return {
        "as_of": rfc3339(city.at),
        **source_line(city, source_id),
        "lots": [lot_line(city, lot, directory, source_id) for lot in lots[:LISTED_MOST]],
        "links": [_link(link) for link in city.links if link.source_id == source_id],
        "pending_lots": [_stranger(one) for one in city.strangers if one.source_id == source_id],
        "events": [event_view(event) for event in events],
    }


def lot_view(city: CityQuality, lot: LotQuality, directory: Directory, events: Sequence[QualityEvent]) -> View:
    """Show one lot: who reports it and how far each is trusted, what was found with its evidence, what changed."""
    return {
        "as_of": rfc3339(city.at),
        **lot_line(city, lot, directory),
        "sources": [
            {
                "source_id": source_id,
                "trust": _trust(city.trusts.get((source_id, None))),
                "trust_of_lot": _trust(city.trusts.get((source_id, lot.lot_id))),
            }
            for source_id in lot.source_ids
        ],
        "events": [event_view(event) for event in events],
    }


def source_line(city: CityQuality, source_id: SourceId) -> View:
    """Show a source in one line of a list."""
    return {
        "source_id": source_id,
        "trust": _trust(city.trusts.get((source_id, None))),
        **summary_view(sum_up(city, source_id=source_id)),
    }


def lot_line(city: CityQuality, lot: LotQuality, directory: Directory, source_id: SourceId | None = None) -> View:
    """Show a lot in one line of a list."""
    known = directory.lots.get(lot.lot_id)
    age = None if lot.observed_at is None else int((city.at - lot.observed_at).total_seconds())
    view: View = {
        "lot_id": lot.lot_id,
        "trust": trust_of_lot(city, lot, source_id),
        "findings": [finding_view(finding) for finding in lot.findings],
    }
    return view | _said(
        name=None if known is None else {"zh": known.name.zh, "en": known.name.en},
        doubt=lot.doubt,
        doubt_since=None if lot.doubt_since is None else rfc3339(lot.doubt_since),
        observed_at=None if lot.observed_at is None else rfc3339(lot.observed_at),
        age_s=age,
        freshness=freshness_of(lot, city.at),
        usual_gap_s=None if lot.usual_gap is None else int(lot.usual_gap.total_seconds()),
        assessed_at=None if lot.assessed_at is None else rfc3339(lot.assessed_at),
        suggested_capacity=lot.suggested_capacity,
    )


def summary_view(summary: Summary) -> View:
    """Show sums."""
    lots: View = {
        "registered": summary.registered,
        "reporting": summary.reporting,
        "by_freshness": dict(sorted(summary.by_freshness.items())),
        "by_trust": dict(sorted(summary.by_trust.items())),
        "by_doubt": dict(sorted(summary.by_doubt.items())),
        "by_finding": dict(sorted(summary.by_finding.items())),
    }
    if summary.registered:
        lots["coverage"] = round(summary.by_freshness.get(Freshness.FRESH, 0) / summary.registered, 3)
    counts: View = {"lots": lots, "links_lost": summary.links_lost, "pending": summary.pending}
    return counts | _said(oldest_s=summary.oldest_s)


def finding_view(finding: Finding) -> View:
    """Show what was found, and what shows it."""
    return {
        "dirt": finding.dirt,
        "since": rfc3339(finding.since),
        "confidence": round(finding.confidence, 2),
        "evidence": dict(finding.evidence),
    }


def event_view(event: QualityEvent) -> View:
    """Show one change."""
    view: View = {"at": rfc3339(event.at), "kind": event.kind}
    return view | _said(
        source_id=event.source_id,
        lot_id=event.lot_id,
        was=event.was,
        became=event.became,
        reason=event.reason,
        said_by=event.said_by,
        evidence=dict(event.evidence) or None,
    )


def sources_of(city: CityQuality) -> list[SourceId]:
    """Give every source, by id."""
    return sorted(source_id for source_id, lot_id in city.trusts if lot_id is None)


def find_lot(city: CityQuality, lot_id: LotId) -> LotQuality | None:
    """Give one lot."""
    return next((lot for lot in city.lots if lot.lot_id == lot_id), None)


def _trust(trust: Trust | None) -> Mapping[str, object]:
    if trust is None:
        return {"state": "live", "reason": "not_registered"}
    view: View = {
        "state": trust.state,
        "since": rfc3339(trust.since),
        "reason": trust.reason,
        "by_hand": trust.pinned,
        "counted_from": rfc3339(trust.counted_from),
        "good": trust.good,
        "bad": trust.bad,
    }
    return view | _said(evidence=dict(trust.evidence) or None)


def _link(link: LinkQuality) -> View:
    view: View = {"last_heard_at": rfc3339(link.last_at), "lost": link.lost_since is not None}
    return view | _said(lot_id=link.lot_id, lost_since=None if link.lost_since is None else rfc3339(link.lost_since))


def _stranger(one: Stranger) -> View:
    place = one.place
    view: View = {
        "code": one.code,
        "dirt": one.dirt,
        "times": one.times,
        "first_heard_at": rfc3339(one.first_heard_at),
        "last_heard_at": rfc3339(one.last_heard_at),
    }
    return view | _said(
        name=one.name,
        like=one.like,
        place=None if place is None else {"lat": round(place.lat, 7), "lon": round(place.lon, 7), "datum": Datum.WGS84},
    )


def _said(**values: object) -> View:
    return {name: value for name, value in values.items() if value is not None}
