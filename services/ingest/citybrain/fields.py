"""Reading one field at a time from what a lot sent: a value of the right kind, or a stable code.

A count is a number or its digits as text, because both kinds of client exist. In an optional field null and empty text
mean absent: unknown is neither 0 nor full.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone

from bowei.domain.lots import LARGEST_COUNT
from bowei.domain.places import Datum, Point, distance_m, in_mainland_box, to_wgs84
from services.ingest.citybrain.problems import CityBrainProblem, ProblemCode

FEN_MAX = 1_000_000_000
"""The protocol's own limit of an amount: ten million yuan."""

DATUM_TOLERANCE_M = 20.0
"""How far bmap and gmap of one lot may lie apart; half of one car park, a twentieth of a wrong datum."""

CHINA_TIME = timezone(timedelta(hours=8), "Asia/Shanghai")
"""The zone of all times here. A fixed offset: China has had no summer time since 1991, and no lot is older."""

_DIGITS = re.compile(r"[0-9]{1,10}")
_DECIMAL = re.compile(r"-?[0-9]{1,3}(\.[0-9]{1,20})?")
_CODE = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_DAY = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(_DAY.pattern + r" [0-9]{2}:[0-9]{2}:[0-9]{2}")


@dataclass(frozen=True, slots=True)
class MapPoint:
    """A pair as a map maker gives it, in degrees of its own datum."""

    lat: float
    lon: float
    datum: Datum

    def to_point(self) -> Point:
        """Give the place in WGS-84."""
        return to_wgs84(self.lat, self.lon, self.datum)


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of one message. Every method raises CityBrainProblem with the name of the field, never its value."""

    sent: Mapping[str, object]

    def count(self, name: str) -> int:
        """Read a count that must be there (`missing_field`, `bad_number`)."""
        return _whole_number(name, self._required(name), LARGEST_COUNT)

    def optional_count(self, *names: str) -> int | None:
        """Read a count by the first of its spellings that is there (`bad_number`)."""
        return self._optional_number(names, LARGEST_COUNT)

    def optional_fen(self, *names: str) -> int | None:
        """Read an amount in fen (`bad_number`)."""
        return self._optional_number(names, FEN_MAX)

    def fen(self, name: str) -> int:
        """Read an amount in fen that must be there (`missing_field`, `bad_number`)."""
        return _whole_number(name, self._required(name), FEN_MAX)

    def code(self, name: str) -> str:
        """Read an id that must be there (`missing_field`, `bad_id`)."""
        return _identifier(name, self._required(name))

    def optional_code(self, name: str) -> str | None:
        """Read an id (`bad_id`)."""
        value = self._find(name)
        return None if value is None else _identifier(name, value)

    def text(self, name: str, length_max: int) -> str:
        """Read a text that must be there, runs of white space as one space (`missing_field`, `bad_text`)."""
        text = self.optional_text(name, length_max)
        if text is None:
            raise CityBrainProblem(ProblemCode.MISSING_FIELD, name)
        return text

    def optional_text(self, name: str, length_max: int) -> str | None:
        """Read a text, runs of white space as one space (`bad_text`)."""
        value = self._find(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise CityBrainProblem(ProblemCode.BAD_TEXT, name)
        text = " ".join(value.split())
        if len(text) > length_max or not text.isprintable():
            raise CityBrainProblem(ProblemCode.BAD_TEXT, name)
        return text or None

    def choice(self, name: str) -> str | None:
        """Read the code of a choice as text, "1" for 1; what it stands for is the caller's to say."""
        value = self._find(name)
        return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None

    def instant(self, name: str) -> datetime:
        """Read a time that must be there, written in China's zone, as UTC (`missing_field`, `bad_time`)."""
        return _instant(name, self._required(name))

    def optional_instant(self, name: str) -> datetime | None:
        """Read a time written in China's zone, as UTC (`bad_time`)."""
        value = self._find(name)
        return None if value is None else _instant(name, value)

    def day(self, name: str) -> date:
        """Read a day of China's calendar that must be there (`missing_field`, `bad_time`)."""
        value = self._required(name)
        if isinstance(value, str) and _DAY.fullmatch(value):
            try:
                return date.fromisoformat(value)
            except ValueError:  # the 31st of February
                pass
        raise CityBrainProblem(ProblemCode.BAD_TIME, name)

    def map_point(self, prefix: str, datum: Datum) -> MapPoint | None:
        """Read prefixX (longitude) and prefixY (latitude); placeholders of up to 1° are absent (`bad_coordinates`)."""
        x, y = self._find(f"{prefix}X"), self._find(f"{prefix}Y")
        if x is None and y is None:
            return None
        lon, lat = _degrees(f"{prefix}X", x), _degrees(f"{prefix}Y", y)
        if abs(lon) <= 1 and abs(lat) <= 1:  # "1","1" in the published sample, "0","0" from empty databases
            return None
        if not in_mainland_box(lat, lon):
            raise CityBrainProblem(ProblemCode.BAD_COORDINATES, prefix)
        return MapPoint(lat, lon, datum)

    def _find(self, name: str) -> object | None:
        value = self.sent.get(name)
        return None if value == "" else value

    def _required(self, name: str) -> object:
        value = self.sent.get(name)
        if value is None:
            raise CityBrainProblem(ProblemCode.MISSING_FIELD, name)
        return value

    def _optional_number(self, names: tuple[str, ...], limit: int) -> int | None:
        for name in names:
            value = self._find(name)
            if value is not None:
                return _whole_number(name, value, limit)
        return None


def check_datums_agree(bmap: MapPoint | None, gmap: MapPoint | None) -> None:
    """Check that the two pairs of one lot mean one place.

    Raises:
        CityBrainProblem: `datums_disagree`; most often one pair was copied into both.
    """
    if bmap is None or gmap is None:
        return
    if distance_m(bmap.to_point(), gmap.to_point()) > DATUM_TOLERANCE_M:
        raise CityBrainProblem(ProblemCode.DATUMS_DISAGREE, "bmap, gmap")


def _whole_number(name: str, value: object, limit: int) -> int:
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= limit:
        raise CityBrainProblem(ProblemCode.BAD_NUMBER, name)
    return value


def _identifier(name: str, value: object) -> str:
    if not isinstance(value, str) or not _CODE.fullmatch(value):
        raise CityBrainProblem(ProblemCode.BAD_ID, name)
    return value


def _instant(name: str, value: object) -> datetime:
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        try:
            return datetime.fromisoformat(value).replace(tzinfo=CHINA_TIME).astimezone(UTC)
        except ValueError:  # the 25th hour
            pass
    raise CityBrainProblem(ProblemCode.BAD_TIME, name)


def _degrees(name: str, value: object) -> float:
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        return float(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 180:
        return float(value)
    raise CityBrainProblem(ProblemCode.BAD_COORDINATES, name)
