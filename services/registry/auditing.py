"""Every act of a person is noted before it is tried, and again when it is known what became of it.

So nothing is done that was not noted: with the audit away nothing can be changed. An act whose second entry is missing
was cut off.
"""

import hashlib
import logging
from collections.abc import AsyncIterator
from dataclasses import replace

from fastapi import Request
from fastapi.exceptions import RequestValidationError

from bowei.domain.acts import ASKED, Act
from bowei.domain.problems import Refused
from bowei.observability.logs import request_id
from bowei.records.failures import StoreFailure
from services.registry.wiring import Wired

_log = logging.getLogger(__name__)
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_DONE = "done"
_LONGEST_SUBJECT = 512


async def audited(request: Request, wired: Wired) -> AsyncIterator[None]:
    """Note what is asked and what becomes of it; who only reads leaves no entry. To stand behind who may call."""
    if request.method in _READING:
        yield
        return
    body = await request.body()
    asked = Act(
        actor=request.state.actor,
        act=request.scope["route"].operation_id,
        # As it was sent: what is percent-encoded stays so, because a database's text holds not every character.
        subject=request.scope["raw_path"].decode("ascii", "backslashreplace")[:_LONGEST_SUBJECT],
        outcome=ASKED,
        request_id=request_id.get() or "",
        body_sha256=hashlib.sha256(body).digest() if body else None,
    )
    await wired.audit.note(asked)
    became = _DONE
    try:
        yield
    except Refused as refused:
        became = refused.code
        raise
    except RequestValidationError:
        became = "invalid_request"
        raise
    except Exception as error:
        became = type(error).__name__
        raise
    finally:
        try:
            await wired.audit.note(replace(asked, outcome=became))
        except StoreFailure as failure:
            _log.error("outcome_not_noted", extra={"act": asked.act, "outcome": became, "why": str(failure)})
