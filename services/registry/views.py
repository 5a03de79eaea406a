"""What the registry answers: each thing in the shape in which it may be put, with its id; absent means not said."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import time

from bowei.domain.agreements import Agreement, LendingWindow
from bowei.domain.calendars import Calendar
from bowei.domain.field_kinds import FIELD_KINDS
from bowei.domain.lots import Hospital, Lot, Name
from bowei.domain.parties import Party
from bowei.domain.places import Datum, Point
from bowei.domain.problems import FieldError
from bowei.domain.tariffs import Tariff
from bowei.records.registering import Source

View = dict[str, object]


def lot_view(lot: Lot) -> View:
    """Show a lot; positions are WGS-84."""
    view: View = {
        "lot_id": lot.lot_id,
        "kind": lot.kind,
        "name": _name(lot.name),
        "timezone": lot.timezone,
        "capacity": lot.capacity,
        "location": _place(lot.location),
        "entrances": [
            {"entrance_id": entrance.entrance_id, "name": _name(entrance.name), "location": _place(entrance.point)}
            for entrance in lot.entrances
        ],
        "barrier_link": lot.barrier_link,
        "classes": dict(lot.classes),
        "paused": lot.paused,
        "synthetic": lot.synthetic,
    }
    return view | _said(block=lot.block or None, max_height_cm=lot.max_height_cm, calendar=lot.calendar)


def calendar_view(calendar: Calendar) -> View:
    """Show a calendar."""
    days = {day.isoformat(): counts_as for day, counts_as in sorted(calendar.days.items())}
    return {"calendar_id": calendar.calendar_id, "name": _name(calendar.name), "days": days}


def hospital_view(hospital: Hospital) -> View:
    """Show a hospital."""
    levels = hospital.thresholds
    view: View = {
        "hospital_id": hospital.hospital_id,
        "name": _name(hospital.name),
        "lot_id": hospital.lot_id,
        "door": _place(hospital.door),
        "gate": _place(hospital.gate),
        "radius_m": hospital.radius_m,
        "thresholds": {
            "filling_at": levels.filling_at,
            "full_at": levels.full_at,
            "leave_full_at": levels.leave_full_at,
            "leave_filling_at": levels.leave_filling_at,
        },
        "rules": asdict(hospital.rules),
    }
    return view | _said(block=hospital.block or None)


def agreement_view(agreement: Agreement) -> View:
    """Show an agreement; hours are the lot's local ones."""
    view: View = {
        "agreement_id": agreement.agreement_id,
        "lot_id": agreement.lot_id,
        "hospital_id": agreement.hospital_id,
        "windows": [_window(window) for window in agreement.windows],
        "margin": agreement.margin,
        "margin_rule": agreement.margin_rule,
        "max_stay_s": int(agreement.max_stay.total_seconds()),
        "paused": agreement.paused,
        "protects": dict(agreement.protects),
    }
    first, last = agreement.valid_from, agreement.valid_to
    return view | _said(
        valid_from=None if first is None else first.isoformat(),
        valid_to=None if last is None else last.isoformat(),
        latest_leave=None if agreement.latest_leave is None else _clock(agreement.latest_leave),
        tariff=None if agreement.tariff is None else _tariff(agreement.tariff),
    )


def source_view(source: Source, key: str | None = None) -> View:
    """Show a source; `key` only in the answer that made it."""
    view: View = {
        "source_id": source.source_id,
        "kind": source.kind,
        "suspended": source.suspended,
        "trusted": source.trusted,
        "lots": dict(source.lots),
    }
    return view | _said(public_key=source.public_key, key=key)


def party_view(party: Party, secret: str | None = None) -> View:
    """Show a party; `secret` only in the answer that made it."""
    view: View = {
        "party_id": party.party_id,
        "role": party.role,
        "name": _name(party.name),
        "lots": sorted(party.lots),
        "hospitals": sorted(party.hospitals),
        "blocks": sorted(party.blocks),
        "suspended": party.suspended,
    }
    return view | _said(secret=secret)


def listed(items: Sequence[View]) -> View:
    """Show a list."""
    return {"items": list(items), "total": len(items)}


def warned(faults: Iterable[FieldError]) -> View:
    """Show what was taken and is worth a look; nothing where nothing is."""
    warnings = [
        {"field": one.field, "code": one.code, "zh": FIELD_KINDS[one.code].zh, "en": FIELD_KINDS[one.code].en}
        for one in faults
    ]
    return {"warnings": warnings} if warnings else {}


def _window(window: LendingWindow) -> View:
    return {
        "class": window.space_class,
        "spaces": window.spaces,
        "days": sorted(window.days),
        "starts": _clock(window.starts),
        "stops": _clock(window.stops),
        "steps": [{"at": _clock(step.at), "spaces": step.spaces} for step in window.steps],
    }


def _tariff(tariff: Tariff) -> View:
    view: View = {
        "per_hour": str(tariff.per_hour),
        "currency": tariff.currency,
        "free_minutes": tariff.free_minutes,
    }
    return view | _said(day_cap=None if tariff.day_cap is None else str(tariff.day_cap))


def _clock(at: time) -> str:
    return at.isoformat(timespec="minutes")


def _name(name: Name) -> View:
    return {"zh": name.zh, "en": name.en}


def _place(point: Point) -> View:
    return {"lat": round(point.lat, 7), "lon": round(point.lon, 7), "datum": Datum.WGS84}


def _said(**values: object) -> View:
    return {name: value for name, value in values.items() if value is not None}
