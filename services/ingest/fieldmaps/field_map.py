"""A field map: turns what a sender says in its own shape into readings, whatever way it came in.

FieldMap.load(file)                    a map of an operator          FieldMap.shipped("szymzh")   one of Bowei's own
field_map.read(body, received_at=…)    the readings in it, in its order
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from bowei.domain.field_kinds import FIELD_KINDS
from bowei.domain.problems import Refused
from bowei.observability.operator_files import line_of
from bowei.observability.yaml_text import LARGEST_BYTES, read_yaml
from services.ingest.fieldmaps.decoding import is_of_kind, meanings, raw_of
from services.ingest.fieldmaps.documents import ITEMS_MOST
from services.ingest.fieldmaps.fields import Said
from services.ingest.fieldmaps.messages import MapIn, MessageIn
from services.ingest.readings import Reading, Unmeant

SHIPPED = Path(__file__).parent / "maps"
_ERRORS_SHOWN = 20


class FieldMapWrong(Exception):
    """The map can't be used; the text has one line for each fault: the field, and what to do."""


class FieldMap:
    """One map, ready to read with."""

    def __init__(self, said: MapIn) -> None:
        self.said = said

    def __repr__(self) -> str:
        return f"FieldMap({self.name})"

    @property
    def name(self) -> str:
        """The map's name."""
        return self.said.map

    @property
    def needs_lot_code(self) -> bool:
        """Say whether some message of it does not say which lot it is about."""
        return any(message.lot is None and not message.dropped for message in self.said.messages)

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read a map from its file.

        Raises:
            FieldMapWrong: it can't be read or used.
        """
        try:
            with file.open("rb") as opened:
                return cls(MapIn.model_validate(read_yaml(opened.read(LARGEST_BYTES + 1))))
        except OSError as error:
            raise FieldMapWrong("The file can't be read. Check its path and mode.") from error
        except Refused as refused:
            lines = [f"{error.field or 'the file'}: {FIELD_KINDS[error.code].en}" for error in refused.errors]
            raise FieldMapWrong("\n".join(lines) or "The file is too large for a map.") from refused
        except ValidationError as error:
            findings = error.errors(include_url=False, include_input=False)[:_ERRORS_SHOWN]
            raise FieldMapWrong("\n".join(line_of(finding) for finding in findings)) from None

    @classmethod
    def shipped(cls, name: str) -> Self:
        """Give a map that ships with Bowei, by its name.

        Raises:
            FieldMapWrong: there is none of that name.
        """
        names = sorted(file.stem for file in SHIPPED.glob("*.yaml"))
        if name not in names:
            raise FieldMapWrong(f"No map of that name ships with Bowei. There are: {', '.join(names)}.")
        return cls.load(SHIPPED / f"{name}.yaml")

    @classmethod
    def named(cls, map_name: str, folder: Path) -> Self:
        """Give the map that a feed names: the path of a .yaml, from the folder of the feeds file, or a shipped name.

        Raises:
            FieldMapWrong: it can't be read or used, or there is none.
        """
        return cls.load(folder / map_name) if map_name.endswith((".yaml", ".yml")) else cls.shipped(map_name)

    def read(self, body: bytes, *, received_at: datetime, lot_code: str | None = None) -> list[Reading]:
        """Read what a body says, item by item, in its order.

        Args:
            body: as it came; the caller has bounded its size.
            received_at: when it came, by our clock; used only for cars whose own time the map does not believe.
            lot_code: the lot that it is about, where the map does not say it.

        Raises:
            Refused: malformed_body, where it is no such document; too_many_items.
        """
        document = self.said.document.read(body)
        readings: list[Reading] = []
        claimed: dict[int, object] = {}
        for message in self.said.messages:
            mine = [
                said
                for said in self._items(message, document)
                if id(said.item) not in claimed and is_of_kind(said, message)
            ]
            claimed |= {id(said.item): said.item for said in mine}
            if len(claimed) > ITEMS_MOST:
                raise Refused("too_many_items")
            if not message.dropped:
                for said in mine:
                    readings += meanings(said, message, self.said, lot_code, received_at)
        if not claimed:
            return [Unmeant("missing_field", "items", raw=None if self._has_plates else raw_of(document))]
        return readings

    def _items(self, message: MessageIn, document: object) -> Iterator[Said]:
        path = message.items
        if path.text == "$" and self.said.document.format == "csv" and isinstance(document, list):
            return (Said(row, document) for row in document)
        return (Said(item, document) for item in path.values(document))

    @property
    def _has_plates(self) -> bool:
        return any(message.car is not None and message.car.plate is not None for message in self.said.messages)
