"""Field maps: a document becomes readings, item by item, and a map that can't be meant is refused in words."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowei.domain.dirt import Dirt
from bowei.domain.field_kinds import FIELD_KINDS
from bowei.domain.heartbeats import Sign
from bowei.domain.lots import LARGEST_COUNT, SpaceClass
from bowei.domain.observations import RAW_MOST, Bound, LotState, PassageKind
from bowei.domain.problems import Refused
from services.ingest.fieldmaps.documents import ITEMS_MOST
from services.ingest.fieldmaps.field_map import SHIPPED, FieldMap, FieldMapWrong
from services.ingest.readings import CarReading, CountReading, LifeReading, Reading, Unmeant

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
HEAD = "map: own\nabout: a test\ntimezone: Asia/Shanghai\n"
PLAIN = f"{HEAD}messages: [{{items: '$[*]', lot: id, observed_at: at, counts: {{free: free, capacity: all}}}}]"


def a_map(tmp_path: Path, text: str) -> FieldMap:
    """Load a map of this text."""
    file = tmp_path / "own.yaml"
    file.write_text(text, "utf-8")
    return FieldMap.load(file)


def read(field_map: FieldMap, document: object, lot_code: str | None = None) -> list[Reading]:
    """Read a document that came as JSON."""
    return field_map.read(json.dumps(document).encode(), received_at=NOW, lot_code=lot_code)


def counted(field_map: FieldMap, document: object) -> CountReading:
    """Read a document that holds one count."""
    [reading] = read(field_map, document)
    assert isinstance(reading, CountReading)
    return reading


def test_each_item_is_read_by_itself(tmp_path: Path) -> None:
    """Proves that a bad item stands in its place, says why, and never stops the others."""
    items = [
        {"id": "a", "at": "2026-03-02 09:00:00", "free": "118", "all": 300},
        {"id": ["b"], "free": 1},
        {"free": 2},
        {"id": 4, "free": "--", "all": 300},
        {"id": "e"},
    ]
    readings = read(a_map(tmp_path, PLAIN), items)
    assert readings == [
        CountReading(
            "a",
            NOW,
            capacity=300,
            free=118,
            dirt=frozenset({Dirt.NAIVE_TIME}),
            raw=readings[0].raw,  # type: ignore[union-attr]
        ),
        Unmeant("bad_id", "id", raw='{"id":["b"],"free":1}'),
        Unmeant("missing_field", "id", raw='{"free":2}'),
        CountReading(
            "4",
            None,
            capacity=300,
            dirt=frozenset({Dirt.NOT_A_NUMBER, Dirt.NO_TIME}),
            raw='{"id":4,"free":"--","all":300}',
        ),
        Unmeant("missing_field", "free", "e", raw='{"id":"e"}'),
    ]


def test_closed_is_not_full_and_no_data_is_not_zero(tmp_path: Path) -> None:
    """Proves it for a state beside the count, the worst of several, a word in the count's place, and 0 without data."""
    field_map = a_map(
        tmp_path,
        f"{HEAD}messages: [{{lot: id, counts: {{free: {{path: free, means: {{geschlossen: closed}}}}, state: ["
        "{path: service, means: {'1': open, '0': closed}}, {path: '$.words[*]', means: {open: open, full: "
        "full_at_entrance}}]}}]",
    )
    assert counted(field_map, {"id": 1, "free": 7, "service": 1}).state is LotState.OPEN
    assert counted(field_map, {"id": 1, "free": 7, "service": 0, "words": ["open"]}).state is LotState.CLOSED
    assert counted(field_map, {"id": 1, "free": 7, "words": ["open", "full"]}).state is LotState.FULL_AT_ENTRANCE
    no_data = counted(field_map, {"id": 1, "free": 0, "service": 9})
    assert (no_data.state, no_data.free) == (LotState.UNKNOWN, None)
    assert Dirt.NO_DATA_AS_ZERO in no_data.dirt
    word = counted(field_map, {"id": 1, "free": "geschlossen"})
    assert (word.state, word.free) == (LotState.CLOSED, None)


def test_free_follows_from_what_is_occupied(tmp_path: Path) -> None:
    """Proves that occupied is never shown as free, and that numbers which do not add up are said not to."""
    field_map = a_map(tmp_path, f"{HEAD}messages: [{{lot: id, counts: {{free: f, occupied: o, capacity: c}}}}]")
    assert counted(field_map, {"id": 1, "o": 56, "c": 65}).free == 9
    assert counted(field_map, {"id": 1, "o": "60+", "c": 65}).bound is Bound.AT_MOST
    both = counted(field_map, {"id": 1, "f": 3, "o": 56, "c": 65})
    assert (both.free, Dirt.COUNTS_DISAGREE in both.dirt) == (3, True)
    over = counted(field_map, {"id": 1, "o": 66, "c": 65})
    assert (over.free, Dirt.NEGATIVE_COUNT in over.dirt) == (None, True)
    assert read(field_map, {"id": 1, "o": 3})[0] == Unmeant("missing_field", "f", "1", '{"id":1,"o":3}')


def test_a_sensor_of_one_space_is_a_lot_of_one(tmp_path: Path) -> None:
    """Proves that a yes or no about a known number of spaces is a count."""
    field_map = a_map(
        tmp_path,
        f"{HEAD}messages: [{{lot: id, counts: {{occupied: {{path: taken, means: {{'true': 1, 'false': 0}}}}, "
        "capacity: {constant: 1}}}]",
    )
    assert [counted(field_map, {"id": 1, "taken": taken}).free for taken in (True, False)] == [0, 1]


def test_classes_order_and_the_rest_are_read(tmp_path: Path) -> None:
    """Proves that spaces of a class, a queue, a number of the report, and a capacity of 0 come through."""
    field_map = a_map(
        tmp_path,
        f"{HEAD}means: {{'-9': unknown}}\nmessages: [{{lot: id, seq: n, counts: {{free: free, capacity: all, open: "
        "public, queue_vehicles: queue, classes: {disabled: dis, ev: ev}, method: camera}}]",
    )
    said = counted(field_map, {"id": 1, "n": "17", "free": 0, "all": 0, "public": 5, "queue": 70, "dis": "3", "ev": -9})
    assert (said.seq, said.open, said.queue_vehicles, said.method) == (17, 5, 70, "camera")
    assert said.free_by_class == {SpaceClass.DISABLED: 3}
    assert Dirt.CAPACITY_ZERO in said.dirt
    for nonsense in ("x", -1, 1.5, 2**63, True, "１"):
        assert counted(field_map, {"id": 1, "n": nonsense, "free": 0}).seq is None


CARS = (
    f"{HEAD}messages: [{{lot: park, counts: {{free: left}}, car: {{passage_id: [no, {{path: lane}}], "
    "kind: {path: way, means: {'1': enter, '0': exit}}, passed_at: at, plate: {path: plate, unknown: [无牌车]}, "
    "shared: {path: type, means: {'3': 'yes'}}}}]"
)


def test_a_car_comes_before_the_count_that_has_it_and_its_plate_is_nowhere_else(tmp_path: Path) -> None:
    """Proves order, and that no plate is kept in what was said, also not of an item that can't be meant."""
    field_map = a_map(tmp_path, CARS)
    said = {"park": "P1", "no": 7, "lane": "A", "way": 1, "at": "2026-03-02 09:00:00", "plate": "浙A12345", "left": 4}
    car, count = read(field_map, said | {"type": "3"})
    assert car == CarReading("P1", "7:A", PassageKind.ENTER, NOW, "浙A12345", shared=True, moves_count=False)
    assert isinstance(count, CountReading)
    assert (count.free, count.raw) == (4, None)
    spoilings: list[dict[str, object]] = [
        {"park": []},
        {"way": 5},
        {"at": "soon"},
        {"no": None},
        {"no": "n" * 80},
        {"left": {}},
    ]
    for spoilt in spoilings:
        readings = read(field_map, said | spoilt)
        assert all("12345" not in (one.raw or "") for one in readings if isinstance(one, CountReading | Unmeant))
        assert any(isinstance(one, Unmeant) for one in readings) or "left" in spoilt
    assert read(field_map, [said]) == [Unmeant("missing_field", "park")]
    assert read(a_map(tmp_path, CARS.replace("lot: park", "when: {path: park}, lot: park")), {"plate": "浙A12345"}) == [
        Unmeant("missing_field", "items")
    ]
    assert isinstance(unread := read(field_map, said | {"plate": "无牌车"})[0], CarReading)
    assert unread.plate is None


def test_a_sign_of_life_says_nothing_of_spaces(tmp_path: Path) -> None:
    """Proves it for one lot, for a whole link, and for a word that nobody knows."""
    field_map = a_map(
        tmp_path,
        f"{HEAD}messages: [{{lot: id, life: {{at: at, sign: "
        "{path: up, means: {'1': heartbeat, '0': comms_lost}}}}]",
    )
    assert read(field_map, {"id": 1, "up": 1}) == [LifeReading("1", Sign.HEARTBEAT)]
    assert read(field_map, {"up": 0, "at": "2026-03-02T01:00:00Z"}) == [LifeReading(None, Sign.COMMS_LOST, NOW)]
    assert read(field_map, {"id": 1, "up": 2}) == [Unmeant("unknown_option", "sign", "1")]


def test_the_time_of_a_count_is_none_of_the_sign_of_life_beside_it(tmp_path: Path) -> None:
    """Proves that life is dated by its receipt, unless the map says where its own time stands."""
    field_map = a_map(tmp_path, f"{HEAD}messages: [{{lot: id, observed_at: at, counts: {{free: free}}, life: {{}}}}]")
    count, life = read(field_map, {"id": 1, "at": "2026-03-02T00:40:00Z", "free": 3})
    assert isinstance(count, CountReading)
    assert count.observed_at == NOW - timedelta(minutes=20)
    assert life == LifeReading("1", Sign.HEARTBEAT)


def test_each_kind_of_message_has_its_own_meaning(tmp_path: Path) -> None:
    """Proves that kinds are told apart, that some are dropped, and that one that nobody knows is said."""
    field_map = a_map(
        tmp_path,
        f"{HEAD}messages: [{{when: {{path: do, equals: state}}, items: '$.data[*]', lot: id, counts: {{free: free}}}}, "
        "{when: {path: do, equals: [login, pay]}, dropped: true}, {when: {path: beat}, life: {}}]",
    )
    # Conditions look at the item by default, so the first kind looks at the document.
    assert read(field_map, {"do": "login"}) == []
    assert read(field_map, {"beat": 1}) == [LifeReading(None, Sign.HEARTBEAT)]
    assert read(field_map, {"do": "dance"}) == [Unmeant("missing_field", "items", raw='{"do":"dance"}')]


def test_a_condition_may_ask_for_nothing(tmp_path: Path) -> None:
    """Proves that a kind can be known by what it lacks, and that an item is read by the first kind that claims it."""
    field_map = a_map(
        tmp_path,
        f"{HEAD}messages: [{{when: [{{path: [out, left], absent: true}}, {{path: in}}], lot: id, life: {{}}}}, "
        "{lot: id, life: {sign: comms_lost}}]",
    )
    assert read(field_map, {"id": 1, "in": 7}) == [LifeReading("1", Sign.HEARTBEAT)]
    assert read(field_map, {"id": 1, "in": 7, "left": 8}) == [LifeReading("1", Sign.COMMS_LOST)]


def test_a_map_may_leave_the_lot_to_the_feed(tmp_path: Path) -> None:
    """Proves that a payload without a code is the lot that the feed names, and is nobody's without one."""
    field_map = a_map(tmp_path, f"{HEAD}messages: [{{counts: {{free: leftLot}}}}]")
    assert field_map.needs_lot_code
    [reading] = read(field_map, {"leftLot": 994}, lot_code="mall")
    assert reading.lot_code == "mall"
    assert read(field_map, {"leftLot": 994}) == [Unmeant("missing_field", "lot", raw='{"leftLot":994}')]


def test_csv_forms_and_wrapped_documents_are_read(tmp_path: Path) -> None:
    """Proves it for columns by name with a mark at the start, a form, and JSON in a text in JSON."""
    csv_map = a_map(
        tmp_path,
        f"{HEAD}document: {{format: csv, delimiter: ';', skip_lines: 1}}\n"
        "messages: [{lot: Code, counts: {free: Frei}}]",
    )
    body = '\ufeffStand\r\nCode;Frei;Name\r\nA;7;"x;y"\r\n\r\nB;;z\r\nC\r\n'.encode()
    assert [(one.lot_code, getattr(one, "free", None)) for one in csv_map.read(body, received_at=NOW)] == [
        ("A", 7),
        ("B", None),
        ("C", None),
    ]
    marked = a_map(tmp_path, PLAIN).read('\ufeff[{"id":"a","free":7}]'.encode(), received_at=NOW)
    assert [reading.lot_code for reading in marked] == ["a"]
    form = a_map(
        tmp_path, f"{HEAD}document: {{format: form}}\nmessages: [{{lot: parkid, counts: {{free: spaceLeft}}}}]"
    )
    [reading] = form.read(b"parkid=%E4%B8%80&spaceLeft=7", received_at=NOW)
    assert reading.lot_code == "一"
    wrapped = a_map(
        tmp_path,
        f"{HEAD}document: {{unwrap: [{{member: data, holds: base64_json}}]}}\n"
        "messages: [{items: $.data, lot: id, counts: {free: free}}]",
    )
    [reading] = read(wrapped, {"data": "eyJpZCI6MSwiZnJlZSI6N30="})
    assert reading == CountReading("1", None, free=7, dirt=frozenset({Dirt.NO_TIME}), raw='{"id":1,"free":7}')


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"nothing",
        b'{"a":1,"a":2}',
        b"[" * 100 + b"]" * 100,
        b"[" * 100_000,
        b'{"a":' + b"9" * 5_000 + b"}",
    ],
)
def test_what_is_no_document_is_refused_whole(tmp_path: Path, body: bytes) -> None:
    """Proves that it is one refusal with a code, whatever the bytes are."""
    with pytest.raises(Refused, match="malformed_body"):
        a_map(tmp_path, PLAIN).read(body, received_at=NOW)


def test_too_many_items_are_refused(tmp_path: Path) -> None:
    """Proves that no body makes unbounded work."""
    with pytest.raises(Refused, match="too_many_items"):
        read(a_map(tmp_path, PLAIN), [{"id": 1, "free": 1}] * (ITEMS_MOST + 1))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["-9", "开放中", "30+"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["id", "at", "free", "all", "data", "Data", "ParkKey", "x"]), inner, max_size=6
        )
    ),
    max_leaves=20,
)
SHIPPED_MAPS = {file.stem: FieldMap.load(file) for file in sorted(SHIPPED.glob("*.yaml"))}


@given(document=JSON, name=st.sampled_from(sorted(SHIPPED_MAPS)))
def test_no_document_breaks_a_map_or_makes_an_impossible_count(document: object, name: str) -> None:
    """Proves that reading raises nothing but its refusals, and that raw texts can be stored."""
    _check(SHIPPED_MAPS[name], json.dumps(document).encode())


@given(body=st.binary(max_size=200), name=st.sampled_from(sorted(SHIPPED_MAPS)))
def test_no_bytes_break_a_map(body: bytes, name: str) -> None:
    """Proves that reading raises nothing but its refusals."""
    _check(SHIPPED_MAPS[name], body)


def _check(field_map: FieldMap, body: bytes) -> None:
    try:
        readings = field_map.read(body, received_at=NOW, lot_code="lot")
    except Refused:
        return
    for reading in readings:
        if isinstance(reading, CountReading):
            counts = [
                reading.free,
                reading.capacity,
                reading.open,
                reading.queue_vehicles,
                *reading.free_by_class.values(),
            ]
            assert all(count is None or 0 <= count <= LARGEST_COUNT for count in counts)
        if isinstance(reading, Unmeant):
            assert reading.code in FIELD_KINDS
        if isinstance(reading, CountReading | Unmeant) and reading.raw is not None:
            assert len(reading.raw.encode("utf-8").decode()) <= RAW_MOST
            assert "\0" not in reading.raw


ONE = "messages: [{lot: id, counts: {free: free}}]"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"about: x\n{ONE}", "map: This field is needed."),
        (f"map: Own\nabout: x\n{ONE}", "map: This text has characters that are not allowed."),
        (f"{HEAD}", "messages: This field is needed."),
        (f"{HEAD}messages: []", "messages: This is too short or too long. (length >= 1)"),
        (f"{HEAD}{ONE}\ncolour: red", "colour: There is no such field. Remove it."),
        (f"{HEAD.replace('Asia/Shanghai', 'CST')}{ONE}", "timezone: This is no IANA time zone."),
        (f"{HEAD}messages: [{{lot: id}}]", "messages[0]: Say counts, car or life"),
        (f"{HEAD}messages: [{{lot: id, counts: {{}}}}]", "messages[0].counts: Say where free, occupied or state"),
        (f"{HEAD}messages: [{{lot: id, counts: {{occupied: o}}}}]", "messages[0].counts: To know what is free"),
        (f"{HEAD}messages: [{{lot: $.a[, counts: {{free: f}}}}]", "line 4"),
        (f"{HEAD}messages: [{{lot: '$.a[', counts: {{free: f}}}}]", "messages[0].lot.path[0]: This is no JSON path"),
        (f"{HEAD}messages: [{{lot: '$', counts: {{free: '$..f'}}}}]", "messages[0].counts.free.path[0]: This path may"),
        (f"{HEAD}messages: [{{lot: 7, counts: {{free: f}}}}]", "messages[0].lot"),
        (
            f"{HEAD}messages: [{{lot: id, observed_at: {{path: t, format: soon}}, counts: {{free: f}}}}]",
            "messages[0].observed_at.format[0]: Write rfc3339, epoch_s, epoch_ms, or a pattern of strptime",
        ),
        (
            f"{HEAD}messages: [{{lot: id, counts: {{state: {{path: s, means: {{'1': ajar}}}}}}}}]",
            "messages[0].counts.state[0]: ajar: no such meaning. There are: closed, full_at_entrance, open",
        ),
        (f"{HEAD}decimal: ','\nthousands: ','\n{ONE}", "the file: decimal and thousands are the same mark."),
        (
            f"{HEAD}messages: [{{lot: id, car: {{passage_id: plate, plate: plate, kind: enter, passed_at: t}}}}]",
            "messages[0].car: passage_id is kept in the clear, so it must not hold the plate.",
        ),
        (f"{HEAD}messages: [{{items: park, lot: id, counts: {{free: f}}}}]", "messages[0]: items: write a JSON path"),
        ("map: [", "line 1, column 7"),
    ],
)
def test_a_map_that_can_t_be_meant_is_refused_with_the_field_and_the_fix(tmp_path: Path, text: str, said: str) -> None:
    """Proves that an operator is told where and what to write."""
    with pytest.raises(FieldMapWrong) as refused:
        a_map(tmp_path, text)
    assert str(refused.value).startswith(said)


def test_a_map_is_found_by_its_name_or_its_file(tmp_path: Path) -> None:
    """Proves both, and that a name that is none lists those that are."""
    a_map(tmp_path, PLAIN)
    assert FieldMap.named("own.yaml", tmp_path).name == "own"
    assert FieldMap.named("szymzh", tmp_path).name == "szymzh"
    with pytest.raises(FieldMapWrong, match=r"There are: .*szymzh"):
        FieldMap.named("../szymzh", tmp_path)
    with pytest.raises(FieldMapWrong, match="can't be read"):
        FieldMap.named("nowhere.yaml", tmp_path)
    assert all(FieldMap.shipped(name).name == name for name in SHIPPED_MAPS)
