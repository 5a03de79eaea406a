"""Every field map that ships reads what its senders send: one fixture each, in the sender's shape, written for this.

A fixture says what was sent, and what it means as `bowei feeds check` prints it. A map without one is noticed.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bowei.observability.yaml_text import read_yaml
from services.ingest.fieldmaps.field_map import SHIPPED, FieldMap
from services.local.feed_checking import line_of

FIXTURES = Path(__file__).parent / "field_maps" / "shipped"
NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
NAMES = sorted(file.stem for file in SHIPPED.glob("*.yaml"))


def test_every_map_that_ships_has_a_fixture_and_its_own_name() -> None:
    """Proves that none is shipped untried, and that a map is found by the name that it bears."""
    assert sorted(file.stem for file in FIXTURES.glob("*.yaml")) == NAMES
    assert [FieldMap.shipped(name).name for name in NAMES] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_map_reads_what_its_senders_send(name: str) -> None:
    """Proves each item of each message: what it becomes, its bounds, its dirt, and what is dropped."""
    document: Any = read_yaml((FIXTURES / f"{name}.yaml").read_bytes())
    field_map = FieldMap.shipped(name)
    for case in document["cases"]:
        readings = field_map.read(case["sent"].encode(), received_at=NOW, lot_code="the-lot")
        assert [line_of(reading) for reading in readings] == case["means"], case["sent"]
