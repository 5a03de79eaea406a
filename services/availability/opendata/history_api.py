"""Days that are over, as files: a list of them, and each as it stands in the folder where ingest writes them.

Nothing is asked of the record, and nothing is read but the folder's names and the file that is wanted. A file that is
there is whole and never changes, so whoever has it has it for good.
"""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Path, Request, Response
from fastapi.responses import FileResponse

from bowei.domain.history_days import FileKind
from bowei.observability.instants import rfc3339
from bowei.observability.problems import problem_responses
from services.availability.wiring import Wired

_LIST_CACHED = "public, max-age=60"
_FILE_CACHED = "public, max-age=86400"
_MEDIA_TYPES = {FileKind.CSV: "application/gzip", FileKind.PARQUET: "application/vnd.apache.parquet"}

router = APIRouter(
    prefix="/open/v1/history",
    tags=["open data"],
    responses=problem_responses(said={404: "not_found: no such day, or no history is given out here."}),
)


@router.get("", operation_id="list_history", summary="Days that are over, as files")
async def list_history(request: Request, wired: Wired) -> Response:
    """List the files, newest day first. A day is one of the city's calendar; times in the files are UTC."""
    found = await wired.history.files()
    publisher = wired.editions.publisher
    base = (publisher.url or str(request.base_url).rstrip("/")) + router.prefix
    files: list[dict[str, Any]] = [
        {
            "date": one.file.day.isoformat(),
            "format": one.file.kind.name.lower(),
            "url": f"{base}/{one.file.name}",
            "size_bytes": one.size_bytes,
            "written_at": rfc3339(one.written_at),
        }
        for one in found
    ]
    body = msgspec.json.encode({"version": "1.0", **publisher.terms(), "data": {"files": files}})
    return Response(body, media_type="application/json", headers={"Cache-Control": _LIST_CACHED})


@router.get(
    "/{name}",
    operation_id="get_history_file",
    summary="Every lot's hours of one day",
    response_class=Response,
    responses={
        200: {"content": {media_type: {} for media_type in _MEDIA_TYPES.values()}, "description": "The file."},
        206: {"description": "A part of it, where Range asks for one."},
        304: {"description": "It is as If-None-Match says."},
        416: {"description": "Range asks for what is not there."},
    },
)
async def get_history_file(
    wired: Wired,
    name: Annotated[str, Path(max_length=40, examples=["hourly-2026-03-02.csv.gz"])],
    known: Annotated[str | None, Header(alias="If-None-Match", max_length=200)] = None,
) -> Response:
    """Give a file of the list, or a part of it."""
    path, file, found = await wired.history.find(name)
    answer = FileResponse(path, media_type=_MEDIA_TYPES[file.kind], filename=file.name, stat_result=found)
    answer.headers["Cache-Control"] = _FILE_CACHED
    etag = answer.headers["etag"]
    if known is not None and etag in known:
        return Response(status_code=304, headers={"ETag": etag, "Cache-Control": _FILE_CACHED})
    return answer
