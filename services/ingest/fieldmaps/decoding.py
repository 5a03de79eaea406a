"""Decoding: what one item of a message means, as readings. It never raises; what can't be meant is said as Unmeant."""

import json
from collections.abc import Iterator
from datetime import datetime

import msgspec

from bowei.domain.dirt import Dirt
from bowei.domain.heartbeats import Sign
from bowei.domain.observations import RAW_MOST, Bound, LotState, PassageKind
from services.ingest.fieldmaps.counting import NOT_SAID, Counted, WrittenIn, difference
from services.ingest.fieldmaps.fields import Said, TextIn, as_text
from services.ingest.fieldmaps.messages import WORST, CarIn, CountsIn, LifeIn, MapIn, MessageIn, WhenIn
from services.ingest.fieldmaps.timing import NO_TIME, Timed
from services.ingest.readings import CarReading, CountReading, LifeReading, Reading, Unmeant

_SEQ_MOST = 2**63 - 1
_ID_MOST = 64


def is_of_kind(said: Said, message: MessageIn) -> bool:
    """Say whether an item is a message of this kind."""
    return all(_holds(said, condition) for condition in message.when)


def _holds(said: Said, condition: WhenIn) -> bool:
    root = said.item if condition.of == "item" else said.document
    found = ({as_text(value) for value in path.values(root)} - {None} for path in condition.path)
    texts: set[str | None] = next((some for some in found if some), set())
    if condition.equals is None:
        return not texts if condition.absent else bool(texts)
    return not texts.isdisjoint(condition.equals)


def meanings(
    said: Said, message: MessageIn, whole: MapIn, lot_code: str | None, received_at: datetime
) -> Iterator[Reading]:
    """Yield what an item says, the car before the counts that have it."""
    # An item with a plate is not kept as it was said: plates are kept only as keyed hashes.
    raw = None if message.car is not None and message.car.plate is not None else raw_of(said.item)
    if message.lot is None:
        code = lot_code
    else:
        try:
            code = message.lot.read(said)
        except ValueError:
            yield Unmeant("bad_id", _name(message.lot), raw=raw)
            return
    if code is None and (message.counts is not None or message.car is not None):
        yield Unmeant("missing_field", "lot" if message.lot is None else _name(message.lot), raw=raw)
        return
    timed = NO_TIME if message.observed_at is None else message.observed_at.read(said, whole.timezone)
    if message.car is not None and code is not None:
        yield _car(said, message, message.car, whole, code, received_at)
    if message.counts is not None and code is not None:
        yield _count(said, message, message.counts, whole, code, timed, raw)
    if message.life is not None:
        yield _life(said, message.life, whole, code)


def _count(
    said: Said, message: MessageIn, counts: CountsIn, written: WrittenIn, code: str, timed: Timed, raw: str | None
) -> Reading:
    capacity = NOT_SAID if counts.capacity is None else counts.capacity.read(said, written)
    free, dirt = _free(said, counts, written, capacity)
    opened = NOT_SAID if counts.open is None else counts.open.read(said, written, capacity.count)
    queue = NOT_SAID if counts.queue_vehicles is None else counts.queue_vehicles.read(said, written)
    dirt |= capacity.dirt | opened.dirt | timed.dirt
    if counts.place is not None:
        dirt |= counts.place.dirt(said)
    if capacity.count == 0:
        dirt |= {Dirt.CAPACITY_ZERO}
    state = _state(said, counts, free)
    count, bound = free.count, free.bound
    if count is None and state is None and not (dirt - timed.dirt):
        return Unmeant("missing_field", _missing(counts), code, raw)
    if count == 0 and state is LotState.UNKNOWN:
        count, bound = None, Bound.EXACT
        dirt |= {Dirt.NO_DATA_AS_ZERO}
    by_class = {space_class: field.read(said, written).count for space_class, field in counts.classes.items()}
    return CountReading(
        lot_code=code,
        observed_at=timed.at,
        seq=_seq(said, message),
        capacity=capacity.count,
        open=opened.count,
        free=count,
        state=state or LotState.OPEN,
        bound=bound,
        free_by_class={space_class: number for space_class, number in by_class.items() if number is not None},
        queue_vehicles=queue.count,
        method=counts.method,
        dirt=frozenset(dirt),
        raw=raw,
    )


def _free(said: Said, counts: CountsIn, written: WrittenIn, capacity: Counted) -> tuple[Counted, set[Dirt]]:
    free = NOT_SAID if counts.free is None else counts.free.read(said, written, capacity.count)
    if counts.occupied is None:
        return free, set(free.dirt)
    occupied = counts.occupied.read(said, written, capacity.count)
    left = difference(capacity, occupied)
    if free.count is None and not free.dirt and occupied is not NOT_SAID:
        return left, set(left.dirt)
    exact = free.bound is left.bound is Bound.EXACT
    if exact and None not in {free.count, left.count} and free.count != left.count:
        return free, set(free.dirt) | {Dirt.COUNTS_DISAGREE}
    return free, set(free.dirt)


def _missing(counts: CountsIn) -> str:
    field = counts.free or counts.occupied
    return "state" if field is None else field.path[0].text


def _state(said: Said, counts: CountsIn, free: Counted) -> LotState | None:
    """Give the worst of what the state fields say, and of a word that stood for a count; None: nothing is said."""
    found: list[LotState] = []
    for field in counts.state:
        # Of a field with several values, those that are not listed say nothing, unless none is.
        words = field.words(said)
        listed = [LotState(word) for word in words if word is not None]
        found += listed or ([field.otherwise] if words else [])
    if free.state is not None:
        found.append(free.state)
    return min(found, key=WORST.__getitem__, default=None)


def _seq(said: Said, message: MessageIn) -> int | None:
    text = None if message.seq is None else as_text(message.seq.find(said))
    if text is None or not text.isascii() or not text.isdecimal() or len(text) > 19:
        return None
    return number if (number := int(text)) <= _SEQ_MOST else None


def _car(said: Said, message: MessageIn, car: CarIn, whole: MapIn, code: str, received_at: datetime) -> Reading:
    kind = PassageKind(car.kind) if isinstance(car.kind, str) else _kind(car.kind.words(said))
    if kind is None:
        return Unmeant("unknown_option", "kind", code)
    timed = car.passed_at.read(said, whole.timezone)
    if timed.at is None and car.passed_at.clock == "source":
        return Unmeant("bad_time", _name(car.passed_at), code)
    try:
        parts = [field.read(said) for field in car.passage_id]
        plate = None if car.plate is None else car.plate.read(said)
    except ValueError:
        return Unmeant("bad_text", "passage_id", code)
    passage_id = ":".join(part for part in parts if part is not None)
    if None in parts or not 0 < len(passage_id) <= _ID_MOST:
        return Unmeant("missing_field" if None in parts else "wrong_length", "passage_id", code)
    return CarReading(
        lot_code=code,
        passage_id=passage_id,
        kind=kind,
        passed_at=timed.at or received_at,
        plate=plate,
        shared=car.shared is not None and "yes" in car.shared.words(said),
        moves_count=message.counts is None if car.moves_count is None else car.moves_count,
    )


def _kind(words: list[str | None]) -> PassageKind | None:
    return PassageKind(words[0]) if words and words[0] is not None else None


def _life(said: Said, life: LifeIn, whole: MapIn, code: str | None) -> Reading:
    at = None if life.at is None else life.at.read(said, whole.timezone).at
    if isinstance(life.sign, str):
        return LifeReading(code, Sign(life.sign), at)
    words = life.sign.words(said)
    if not words or words[0] is None:
        return Unmeant("unknown_option", "sign", code)
    return LifeReading(code, Sign(words[0]), at)


def _name(field: TextIn | object) -> str | None:
    path = getattr(field, "path", None)
    return None if not path else path[0].text


def raw_of(item: object) -> str:
    """Give an item as the text that is kept of it."""
    try:
        text = msgspec.json.encode(item).decode()
    except (ValueError, TypeError, RecursionError):  # half a character, which JSON can say and no text can hold
        text = json.dumps(item, ensure_ascii=True, default=repr)
    return text[:RAW_MOST]
