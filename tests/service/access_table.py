"""The tables of docs/access.md, read: what each operation answers to whom, as the page promises it."""

import re
from collections.abc import Mapping
from pathlib import Path

_PAGE = Path(__file__).parents[2] / "docs" / "access.md"
_CELLS = {"all", "own", "–", "signed"}


def table_of(service: str) -> Mapping[str, Mapping[str, str]]:
    """Give the table of one service: the cell of each operation and column."""
    (section,) = re.findall(rf"^## {service}\n(.*?)(?=^## |\Z)", _PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    head, rows = lines[0][1:], lines[2:]
    table = {row[0].strip("`"): dict(zip(head, row[1:], strict=True)) for row in rows}
    assert len(table) == len(rows), "an operation stands there twice"
    assert {cell for row in table.values() for cell in row.values()} <= _CELLS
    return table


def operations_of(
    description: Mapping[str, Mapping[str, Mapping[str, Mapping[str, str]]]],
) -> dict[str, tuple[str, str]]:
    """Give (method, path) of each operation that a service describes."""
    return {
        operation["operationId"]: (method.upper(), path)
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    }
