"""What City Brain lots say of themselves: their day's tally, their name, and where they are."""

from datetime import date

from bowei.domain.lots import SourceId
from bowei.domain.places import Point, distance_m, to_gcj02
from services.ingest.citybrain.fields import CHINA_TIME
from tests.service.ingest_app import HERE, MALL, NOW, ingest

BRAIN = SourceId("brain")
TALLY, INFO = "/tcjg/api/uploadCheckRecord", "/api/v2/cp/uploadParkingInfo"
WRITTEN = NOW.astimezone(CHINA_TIME).strftime("%Y-%m-%d %H:%M:%S")


def info(lat: float, lon: float, code: str = "330106") -> dict[str, object]:
    """Let a lot describe itself, with its place in GCJ-02."""
    return {
        "parkingCode": code,
        "parkingName": "示例商场",
        "address": "示例路 1 号",
        "regionCode": "330102",
        "attachedType": "13",
        "totalBerthNum": 300,
        "openBerthNum": 280,
        "gmapX": lon,
        "gmapY": lat,
        "uploadTime": WRITTEN,
    }


async def test_a_day_s_tally_is_kept_for_its_lot() -> None:
    """Proves that the lot's own sums stand beside the cars that came, and that the last word counts."""
    async with ingest(citybrain=True) as world:
        tally = {
            "parkingCode": "330106",
            "checkDate": "2026-03-01",
            "leaveNum": 809,
            "payTotal": 0,
            "uploadTime": WRITTEN,
        }
        for arrived in (800, 812):
            assert (await world.upload(TALLY, tally | {"arriveNum": arrived}))["resultCode"] == 200
        kept = world.records.reconciliations[MALL, date(2026, 3, 1)]
        assert (kept.arrived, kept.departed, kept.source_id) == (812, 809, BRAIN)


async def test_a_lot_that_nobody_registered_waits_with_its_name_and_place() -> None:
    """Proves that what it says of itself helps a person to register it, or to see which lot it is."""
    async with ingest(citybrain=True) as world:
        answer = await world.upload(INFO, info(*to_gcj02(HERE), code="999"))
        assert answer["resultCode"] == 40402
        await world.notes.write()
        (stranger,) = (await world.quality.city()).strangers
        assert (stranger.code, stranger.name, stranger.dirt.value, stranger.like) == (
            "999",
            "示例商场",
            "renamed_lot",
            MALL,
        )
        assert stranger.place is not None
        assert distance_m(stranger.place, HERE) < 1


async def test_a_lot_registered_in_the_wrong_datum_is_told_so() -> None:
    """Proves that a place that was never converted is noticed when the lot says where it is."""
    async with ingest(citybrain=True) as world:
        assert (await world.upload(INFO, info(*to_gcj02(HERE))))["msg"] == "操作成功"
        moved = Point(HERE.lat + 0.003, HERE.lon)
        assert (await world.upload(INFO, info(*to_gcj02(moved))))["msg"] == "操作成功"
        answer = await world.upload(INFO, info(HERE.lat, HERE.lon))
        assert answer["resultCode"] == 200
        assert str(answer["msg"]).startswith("wrong_datum")
