"""What an address needs that is answered in front of FastAPI: its route's name, and refusals as the border has them."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass

from fastapi import Request, Response

from bowei.domain.problems import Refused
from bowei.observability.problems import refuse


@dataclass(frozen=True, slots=True)
class DirectRoute:
    """What metrics ask of a route: its `path` with names for what changes, in `scope["route"]`."""

    path: str


async def answered(
    request: Request, answer: Awaitable[Response], *, failures: Mapping[type[Exception], str]
) -> Response:
    """Give the answer, or the refusal that comes instead.

    `failures` says with which problem code each failure of a store is answered.
    """
    try:
        return await answer
    except Refused as refused:
        return refuse(request, refused)
    except tuple(failures) as failure:
        why = Refused(next(code for kind, code in failures.items() if isinstance(failure, kind)))
        why.__cause__ = failure
        return refuse(request, why)
