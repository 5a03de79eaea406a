"""Arrays as Postgres writes them: the driver looks at each element of an array for arrays within; a text it just sends.

A statement casts such a parameter: `$1::text::bigint[]`.
"""

from collections.abc import Iterable
from datetime import datetime


def array_of_texts(values: Iterable[str | None]) -> str:
    """Write an array of texts, whatever characters they have."""
    return "{" + ",".join(["NULL" if one is None else _quoted(one) for one in values]) + "}"


def array_of_integers(values: Iterable[int | None]) -> str:
    """Write an array of whole numbers."""
    return "{" + ",".join(["NULL" if one is None else str(one) for one in values]) + "}"


def array_of_instants(values: Iterable[datetime]) -> str:
    """Write an array of aware instants."""
    return "{" + ",".join([f'"{one.isoformat()}"' for one in values]) + "}"


def _quoted(text: str) -> str:
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
