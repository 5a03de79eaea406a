"""HTTP in, HTTP out, of calendars: a city's public holidays, and the working days made up for them."""

import logging

from fastapi import APIRouter, Depends, Response

from bowei.domain.lots import CalendarId
from bowei.domain.problems import Refused
from bowei.observability.problems import problem_responses
from services.registry.answering import answered
from services.registry.api import CalendarIdPath
from services.registry.asking import asker
from services.registry.auditing import audited
from services.registry.params import CalendarIn
from services.registry.views import View, calendar_view, listed
from services.registry.wiring import Wired

_log = logging.getLogger(__name__)

router = APIRouter(
    prefix="/v1/calendars",
    tags=["calendars"],
    dependencies=[Depends(asker), Depends(audited)],
    responses=problem_responses(400, 401, 403, 404, 422, 503),
)


@router.get("", operation_id="list_calendars")
async def list_calendars(wired: Wired) -> View:
    """List all calendars."""
    calendars = (await wired.register.directory()).calendars
    return listed([calendar_view(calendar) for _, calendar in sorted(calendars.items())])


@router.get("/{calendar_id}", operation_id="get_calendar")
async def get_calendar(calendar_id: CalendarIdPath, wired: Wired) -> View:
    """Show one calendar."""
    calendar = (await wired.register.directory()).calendars.get(CalendarId(calendar_id))
    if calendar is None:
        raise Refused("unknown_calendar")
    return calendar_view(calendar)


@router.put("/{calendar_id}", operation_id="put_calendar", responses={201: {"description": "Registered"}})
async def put_calendar(calendar_id: CalendarIdPath, sent: CalendarIn, wired: Wired, response: Response) -> View:
    """Register a calendar, or change it: all its days, of all years. It counts at once for every lot that names it."""
    known = (await wired.register.directory()).calendars
    calendar = sent.calendar(calendar_id)
    with answered():
        await wired.register.put_calendars([calendar])
    response.status_code = 200 if calendar.calendar_id in known else 201
    _log.info("calendar_registered", extra={"calendar_id": calendar_id, "days": len(calendar.days)})
    return calendar_view(calendar)
