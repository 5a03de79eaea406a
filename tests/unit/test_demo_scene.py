"""The scenes that come with the project: of the published size, and accepted by the registry's own rules."""

from datetime import datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from bowei.domain.calendars import LocalTime
from bowei.domain.lots import LotKind
from bowei.domain.places import distance_m
from bowei.roads.opening import open_travel_times
from services.local.demo.scene import DemoScene, SceneName, load_scene, read_document
from services.local.demo.secrets_folder import public_pem
from services.local.scenes.city import city_document
from services.local.setup_problem import SetupProblem


@pytest.fixture(scope="module")
def pem() -> str:
    """Give a public key for the City Brain source."""
    return public_pem(generate_private_key(public_exponent=65537, key_size=2048))


def _scene(name: SceneName, pem: str) -> DemoScene:
    return load_scene(name, {"citybrain-in77": pem, "citybrain-example": pem})


def _lent(scene: DemoScene, hour: int) -> int:
    zone = scene.lots[0].zone
    monday = datetime(2026, 3, 2, hour, tzinfo=zone)
    return sum(sum(agreement.lent_at(monday, LocalTime(zone)).values()) for agreement in scene.agreements)


def test_the_block_has_the_published_size(pem: str) -> None:
    """127 spaces of the hospital's own, 1,293 lent within 2 km on a Monday morning, far fewer after noon."""
    scene = _scene("hangzhou", pem)
    hospital = scene.hospitals[0]
    own = next(lot for lot in scene.lots if lot.lot_id == hospital.lot_id)
    assert own.capacity == 127
    assert _lent(scene, 7) == 1_293
    assert _lent(scene, 13) < 450
    assert all(distance_m(lot.location, hospital.door) <= 2_000 for lot in scene.lots)


def test_invented_lots_say_that_they_are(pem: str) -> None:
    """Whoever sees a name sees whether the place exists."""
    for name in ("hangzhou", "city"):
        for lot in _scene(name, pem).lots:
            assert lot.synthetic == ("示例" in lot.name.zh), lot.lot_id


def test_one_lot_has_no_barrier_link_and_one_speaks_the_citys_protocol(pem: str) -> None:
    """The demo shows a guided, not guaranteed lot, and the Hangzhou protocol, beside the usual."""
    scene = _scene("hangzhou", pem)
    shared = [lot for lot in scene.lots if lot.kind is not LotKind.HOSPITAL]
    assert [lot.barrier_link for lot in shared].count(False) == 1
    by_protocol = {lot_id for feed in scene.feeds if feed.kind == "citybrain" for lot_id in feed.codes}
    with_key = [lot_id for feed in scene.feeds if feed.kind == "native" for lot_id in feed.codes]
    assert len(by_protocol) == 1
    assert sorted(with_key) == sorted(lot.lot_id for lot in scene.lots), "a barrier answers by such a key"


def test_every_lot_of_the_block_can_be_driven_to(pem: str) -> None:
    """Over the streets drawn for the block, every entrance is less than ten minutes from the hospital's gate."""
    scene = _scene("hangzhou", pem)
    assert scene.roads is not None
    travel_times = open_travel_times(scene.roads)
    shared = [lot for lot in scene.lots if lot.kind is not LotKind.HOSPITAL]
    drives = travel_times.drive(
        scene.hospitals[0].gate, travel_times.targets([lot.entrances[0].point for lot in shared])
    )
    assert not drives.estimated
    for lot, seconds in zip(shared, drives.seconds, strict=True):
        assert seconds is not None, lot.lot_id
        assert 0 < seconds < 600, lot.lot_id


def test_the_city_has_26_hospitals_that_draw_on_the_same_lots(pem: str) -> None:
    """Some 200 lots, most of them lent to more than one hospital; the same city every time."""
    scene = _scene("city", pem)
    assert len(scene.hospitals) == 26
    by_lot: dict[str, set[str]] = {}
    for agreement in scene.agreements:
        by_lot.setdefault(agreement.lot_id, set()).add(agreement.hospital_id)
    assert sum(len(lot.name.zh) > 0 for lot in scene.lots if lot.kind is not LotKind.HOSPITAL) == 200
    assert sum(len(hospitals) > 1 for hospitals in by_lot.values()) > 80
    assert {agreement.hospital_id for agreement in scene.agreements} == {one.hospital_id for one in scene.hospitals}
    assert city_document() == city_document()


def test_a_scene_that_the_registry_would_refuse_stops_the_demo_with_the_fault() -> None:
    """The message names the place in the file."""
    document = city_document()
    document["lots"][3]["capacity"] = -1
    with pytest.raises(SetupProblem) as caught:
        read_document("city", document, {})
    assert caught.value.code == "scene_unusable"
    assert "lots[3].capacity" in caught.value.what
