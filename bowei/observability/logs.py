"""Logs: one JSON object a line, with a constant event name and fields.

    log = logging.getLogger(__name__)
    log.info("hold_placed", extra={"lot_id": lot_id})

An event's name is a past-tense noun and verb. Fields never carry plates, positions, keys or what a caller sent. Of an
exception only its type and where it was raised are written, because its message may repeat such things.
"""

import json
import logging
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime

from typing_extensions import override

from bowei.observability.instants import rfc3339

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request that is being answered, if any."""

_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
_MOST_FRAMES = 20


class JsonLines(logging.Formatter):
    """Writes a record as one line of ASCII JSON: at, level, service, event, logger, request_id, then its fields."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    @override
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": rfc3339(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "service": self._service,
            "event": record.getMessage(),
            "logger": record.name,
        }
        if (current := request_id.get()) is not None:
            line["request_id"] = current
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD_FIELDS}
        if record.exc_info and record.exc_info[1] is not None:
            line |= _without_message(record.exc_info[1])
        return json.dumps(line, default=str)


def configure_logs(service: str, level: str = "INFO") -> None:
    """Send all logs of this process to standard error as JSON lines; `level` is a name of stdlib logging."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for chatty in ("httpx2", "httpcore2"):  # they log whole addresses, which name holds and drivers
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _without_message(error: BaseException) -> dict[str, object]:
    frames = traceback.extract_tb(error.__traceback__)[-_MOST_FRAMES:]
    return {
        "error": type(error).__name__,
        "raised_at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }
