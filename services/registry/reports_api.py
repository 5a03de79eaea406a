"""HTTP in, HTTP out, of what sharing brings: a month in lines, as JSON and as CSV, and who is coming to a lot now."""

import csv
import io
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from bowei.domain.directory import Directory
from bowei.domain.lots import LotId
from bowei.domain.parties import Sight
from bowei.domain.problems import FieldError, Refused
from bowei.domain.sharing_reports import Coming, Month, SharingLine
from bowei.observability.instants import rfc3339
from bowei.observability.problems import problem_responses
from services.registry.access import Reach
from services.registry.asking import Asker, Asking, asker
from services.registry.params import ID_PATTERN
from services.registry.views import View, listed
from services.registry.wiring import Wired

router = APIRouter(
    prefix="/v1",
    tags=["reports"],
    dependencies=[Depends(asker)],
    responses=problem_responses(401, 403, 404, 422, 503),
)
_MonthPath = Annotated[str, Path(alias="month", max_length=12, description="YYYY-MM", examples=["2026-03"])]
_COUNTED = ("held", "honoured", "refused", "moved", "expired", "released", "stays")
_NOT_STORED = "no-store"


@router.get(
    "/reports/{month}.csv",
    operation_id="get_sharing_report_csv",
    summary="A month of sharing, as CSV",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}, "description": "UTF-8 with a byte order mark, as Excel reads it."}},
)
async def get_report_csv(month: _MonthPath, asking: Asking) -> Response:
    """Give the same lines as the JSON, one a row."""
    read = _month(month)
    directory, lines = await _lines(read, asking)
    headers = {
        "Cache-Control": _NOT_STORED,
        "Content-Disposition": f'attachment; filename="bowei-sharing-{read}.csv"',
    }
    return Response("\ufeff" + _written(lines, directory), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/reports/{month}", operation_id="get_sharing_report", summary="A month of sharing: what it brought")
async def get_report(month: _MonthPath, asking: Asking, response: Response) -> View:
    """Give what became of each space that was held in a month, by lot, hospital and class, for what is yours.

    Months are the lot's own. `income` is what the stays cost by the agreed price: nothing was billed by Bowei.
    """
    directory, lines = await _lines(_month(month), asking)
    response.headers["Cache-Control"] = _NOT_STORED
    return {"month": month, **listed([_shown(line, directory) for line in lines])}


@router.get("/lots/{lot_id}/coming", operation_id="list_coming", summary="Who is on the way to a lot")
async def list_coming(
    lot_id: Annotated[str, Path(pattern=ID_PATTERN)], wired: Wired, asking: Asking, response: Response
) -> View:
    """List the cars that are held a space, or arrived and are not counted yet: by code, never by plate."""
    await asking.check_lot(lot_id)
    lot = (await asking.directory()).lots.get(LotId(lot_id))
    if lot is None:
        raise Refused("unknown_lot")
    response.headers["Cache-Control"] = _NOT_STORED
    return listed([_coming(one) for one in await wired.sharing.coming(lot.lot_id)])


async def _lines(month: Month, asking: Asker) -> tuple[Directory, Sequence[SharingLine]]:
    """Read what the asker may see, and the directory that names it."""
    whole = await asking.wired.register.directory()
    if asking.reach is Reach.ALL:
        return whole, await asking.wired.sharing.month(month, None, None)
    sight = Sight(asking.party, whole)
    lots = list(sight.own_lots())
    hospitals = [one.hospital_id for one in whole.hospitals.values() if sight.owns_hospital(one)]
    return whole, await asking.wired.sharing.month(month, lots, hospitals)


def _month(text: str) -> Month:
    month = Month.read(text)
    if month is None:
        raise Refused("invalid_request", errors=(FieldError("month", "bad_time", "(YYYY-MM)"),))
    return month


def _shown(line: SharingLine, directory: Directory) -> View:
    lot, hospital = directory.lots.get(line.lot_id), directory.hospitals.get(line.hospital_id)
    view: View = {
        "lot_id": line.lot_id,
        "hospital_id": line.hospital_id,
        "agreement_id": line.agreement_id,
        "class": line.space_class,
        **{name: getattr(line, name) for name in _COUNTED},
        "parked_hours": _hours(line),
    }
    if lot is not None:
        view["lot_name"] = {"zh": lot.name.zh, "en": lot.name.en}
    if hospital is not None:
        view["hospital_name"] = {"zh": hospital.name.zh, "en": hospital.name.en}
    if line.kept is not None:
        view["kept"] = round(line.kept, 4)
    if line.income is not None:
        view |= {"income": f"{line.income:.2f}", "currency": line.currency}
    return view


def _written(lines: Sequence[SharingLine], directory: Directory) -> str:
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\r\n")
    rows.writerow(
        ["lot_id", "lot_name", "hospital_id", "agreement_id", "class", *_COUNTED, "parked_hours", "income", "currency"]
    )
    for line in lines:
        lot = directory.lots.get(line.lot_id)
        rows.writerow(
            [
                line.lot_id,
                "" if lot is None else _plain(lot.name.zh),
                line.hospital_id,
                line.agreement_id,
                line.space_class,
                *(getattr(line, name) for name in _COUNTED),
                _hours(line),
                "" if line.income is None else f"{line.income:.2f}",
                line.currency or "",
            ]
        )
    return out.getvalue()


def _plain(text: str) -> str:
    """Keep a spreadsheet from taking a name for a formula."""
    return f"'{text}" if text[:1] in "=+-@\t\r" else text


def _hours(line: SharingLine) -> float:
    return round(line.parked.total_seconds() / 3600, 2)


def _coming(one: Coming) -> View:
    view: View = {
        "hospital_id": one.hospital_id,
        "class": one.space_class,
        "state": one.state,
        "expires_at": rfc3339(one.expires_at),
    }
    return view if one.code is None else view | {"code": one.code}
