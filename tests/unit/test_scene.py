"""Scene files: what the text means, and what their blocks say about their lots."""

import pytest

from bowei.domain.directory import Directory
from bowei.domain.field_kinds import FIELD_KINDS
from bowei.domain.problems import Refused
from bowei.observability.yaml_text import read_yaml
from services.registry.scene import check_scene, read_scene

SQUARE = "[[[120.15, 30.25], [120.17, 30.25], [120.17, 30.27], [120.15, 30.27], [120.15, 30.25]]]"


def _scene(area: str = SQUARE, lat: float = 30.2576, lon: float = 120.1621, block: str = "hubin") -> str:
    return f"""
scene: {{name: {{zh: 街区, en: Block}}, timezone: Asia/Shanghai}}
blocks:
  - block_id: hubin
    name: {{zh: 湖滨, en: Hubin}}
    area: {{type: Polygon, coordinates: {area}}}
lots:
  - lot_id: mall
    kind: mall
    name: {{zh: 甲, en: A}}
    capacity: 100
    location: {{lat: {lat}, lon: {lon}, datum: wgs84}}
    entrances: [{{entrance_id: e, name: {{zh: 东, en: E}}, location: {{lat: {lat}, lon: {lon}, datum: wgs84}}}}]
    block: {block}
"""


def _faults(text: str) -> list[tuple[str, str]]:
    try:
        check_scene(read_scene(read_yaml(text.encode())), Directory.empty(), [])
    except Refused as refused:
        return [(error.field, error.code) for error in refused.errors]
    return []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("22:00", "22:00"),
        ("07:00", "07:00"),
        ("2026-01-01", "2026-01-01"),
        ("no", "no"),
        ("on", "on"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("true", True),
        ("12", 12),
        ("-3.5", -3.5),
        ("1e3", "1e3"),
        ("~", None),
        ("", None),
        ("'12'", "12"),
        ("甲", "甲"),
    ],
)
def test_a_plain_value_means_what_a_person_reads(text: str, value: object) -> None:
    """Proves that hours, dates and words are not turned into numbers, instants and booleans as YAML 1.1 does."""
    assert read_yaml(f"x: {text}".encode()) == {"x": value}


def test_a_lot_in_its_block_is_taken() -> None:
    """Proves the way without faults, and that the scene's zone is the lot's."""
    scene = check_scene(read_scene(read_yaml(_scene().encode())), Directory.empty(), [])

    assert [(lot.lot_id, lot.timezone, lot.block) for lot in scene.lots] == [("mall", "Asia/Shanghai", "hubin")]


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        pytest.param(_scene(lon=120.1751), [("lots[0].location", "outside_block")], id="half a kilometre outside"),
        pytest.param(_scene(lon=120.1701), [], id="ten metres outside are forgiven"),
        pytest.param(_scene(block="nowhere"), [("lots[0].block", "unknown_block")], id="a block not described"),
        pytest.param(
            _scene(area="[[[30.25, 120.15], [30.25, 120.17], [30.27, 120.17], [30.25, 120.15]]]"),
            [("blocks[0].area", "swapped_axes")],
            id="latitude first, which GeoJSON is not",
        ),
        pytest.param(
            _scene(area="[[[120.15, 30.25], [120.17, 30.27], [120.17, 30.25], [120.15, 30.27], [120.15, 30.25]]]"),
            [("blocks[0].area", "bad_polygon")],
            id="edges that cross",
        ),
        pytest.param(
            _scene(area="[[[120.15, 30.25], [120.17, 30.25], [120.17, 30.27], [120.15, 30.27]]]"),
            [("blocks[0].area", "bad_polygon")],
            id="not closed",
        ),
        pytest.param(
            _scene(area="[[[120.15, 30.25, 4.0]]]"),
            [("blocks[0].area.coordinates[0][0]", "wrong_length")],
            id="a third number",
        ),
        pytest.param(
            _scene(
                area="[[[8.50, 47.30], [8.60, 47.30], [8.60, 47.40], [8.50, 47.40], [8.50, 47.30]]]",
                lat=8.55,
                lon=47.35,
            ),
            [("lots[0].location", "swapped_axes")],
            id="swapped where both ways are places on earth",
        ),
    ],
)
def test_a_block_tells_which_of_its_lots_lie_wrong(text: str, faults: list[tuple[str, str]]) -> None:
    """Proves one rule each, with the path in the file."""
    assert _faults(text) == faults


def test_every_id_counts_once() -> None:
    """Proves that a lot copied and not renamed is noticed, and named where it is."""
    text = _scene()
    twice = text + text[text.index("  - lot_id") :]

    assert _faults(twice) == [("lots[1].lot_id", "duplicate_id")]


def test_every_fault_has_its_words_in_both_languages() -> None:
    """Proves that no code is shown bare."""
    for kind in FIELD_KINDS.values():
        assert kind.en.endswith((".", "?"))
        assert kind.zh.endswith("。")
