"""`bowei feeds check`: whether a field map or a feeds file can be used, and what a sample would become."""

from datetime import UTC, datetime
from pathlib import Path

import typer

from bowei.domain.field_kinds import FIELD_KINDS
from bowei.domain.observations import Bound
from bowei.domain.problems import KINDS, Refused
from bowei.observability.environment import Environment
from bowei.observability.operator_files import FileWrong
from bowei.observability.yaml_text import LARGEST_BYTES, read_yaml
from services.ingest.feeds_file import read_feeds_file
from services.ingest.fieldmaps.field_map import FieldMap, FieldMapWrong
from services.ingest.fieldmaps.pushing import pushes_of
from services.ingest.readings import CarReading, CountReading, LifeReading, Reading, Unmeant

_LARGEST_SAMPLE = 16 * 1024 * 1024
_BOUNDS = {Bound.EXACT: "", Bound.AT_LEAST: "at least ", Bound.AT_MOST: "at most "}


def check_feeds(file: Path, sample: Path | None, lot: str | None, environment: Environment | None = None) -> int:
    """Check a map (a file, or the name of one that ships) or a feeds file; give the command's exit code."""
    try:
        if _is_feeds_file(file):
            feeds = read_feeds_file(file, environment or Environment())
            pushes_of(feeds)
            typer.echo(f"{len(feeds.feeds)} feeds; the file can be used.")
            return 0
        field_map = FieldMap.named(str(file), Path())
    except (FileWrong, FieldMapWrong) as wrong:
        typer.echo(str(wrong), err=True)
        return 1
    typer.echo(f"The map {field_map.name} can be used.")
    return 0 if sample is None else _show(field_map, sample, lot)


def _is_feeds_file(file: Path) -> bool:
    """Say whether a file is of feeds; what can't be read is taken for a map, whose reading says why."""
    try:
        with file.open("rb") as opened:
            document = read_yaml(opened.read(LARGEST_BYTES + 1))
    except (OSError, Refused):
        return False
    return isinstance(document, dict) and "feeds" in document


def _show(field_map: FieldMap, sample: Path, lot: str | None) -> int:
    """Print what a sample becomes, item by item; 1 if nothing of it can be meant."""
    try:
        with sample.open("rb") as opened:
            body = opened.read(_LARGEST_SAMPLE)
        readings = field_map.read(body, received_at=datetime.now(UTC), lot_code=lot)
    except OSError:
        typer.echo(f"{sample} can't be read. Check its path and mode.", err=True)
        return 1
    except Refused as refused:
        typer.echo(f"{refused.code}: {refused.kind.en}", err=True)
        return 1
    for place, reading in enumerate(readings, start=1):
        typer.echo(f"{place:>4}  {line_of(reading)}")
    meant = sum(not isinstance(reading, Unmeant) for reading in readings)
    typer.echo(f"{len(readings)} read, {len(readings) - meant} of them wrong.")
    return 0 if meant or not readings else 1


def line_of(reading: Reading) -> str:
    """Say in one line what an item becomes; never a plate."""
    if isinstance(reading, CountReading):
        return _count_line(reading)
    if isinstance(reading, CarReading):
        plate = "with a plate" if reading.plate else "without a plate"
        moves = ", moves the count" if reading.moves_count else ""
        shared = ", shared" if reading.shared else ""
        passed = reading.passed_at.isoformat()
        return (
            f"car     lot {reading.lot_code}: {reading.kind} {reading.passage_id} at {passed}, {plate}{shared}{moves}"
        )
    if isinstance(reading, LifeReading):
        return f"life    {_lot(reading.lot_code)}: {reading.sign}{_at(reading.at)}"
    kind = FIELD_KINDS.get(reading.code) or KINDS.get(reading.code)
    field = f" ({reading.at_field})" if reading.at_field else ""
    return f"wrong   {_lot(reading.lot_code)}: {reading.code}{field}. {'' if kind is None else kind.en}"


def _count_line(reading: CountReading) -> str:
    free = "unknown" if reading.free is None else f"{_BOUNDS[reading.bound]}{reading.free}"
    said = [f"free {free}"]
    said += [
        f"{name} {number}"
        for name, number in (
            ("capacity", reading.capacity),
            ("open", reading.open),
            ("queue", reading.queue_vehicles),
            ("seq", reading.seq),
        )
        if number is not None
    ]
    said += [f"{space_class} {count}" for space_class, count in reading.free_by_class.items()]
    dirt = f"  dirt: {', '.join(sorted(reading.dirt))}" if reading.dirt else ""
    return f"counts  lot {reading.lot_code}: {reading.state}, {', '.join(said)}{_at(reading.observed_at)}{dirt}"


def _lot(code: str | None) -> str:
    return "no lot" if code is None else f"lot {code}"


def _at(at: datetime | None) -> str:
    return " at the time of receipt" if at is None else f" at {at.isoformat()}"
