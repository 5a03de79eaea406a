"""Lots, hospitals and agreements: what may be registered, what may not, and what stays as it was."""

import pytest

from bowei.domain.agreements import AgreementId
from bowei.domain.lots import LotId
from bowei.domain.places import Point, distance_m, to_gcj02
from bowei.records.registering import key_sha256_of
from tests.service.registry_app import (
    NAME,
    Document,
    agreement,
    at,
    faults,
    hospital,
    in_memory_register,
    lot,
    registry,
    settle_in,
)

LAKE = Point(30.2552, 120.1582)
_LAT_GCJ, _LON_GCJ = to_gcj02(LAKE)


async def test_what_is_shown_may_be_put_again_and_changes_nothing() -> None:
    """Proves that lots, hospitals and agreements come back in the shape in which they are put."""
    async with registry() as client:
        await settle_in(client)
        for path, own_id in (
            ("/v1/lots/mall", "lot_id"),
            ("/v1/hospitals/first", "hospital_id"),
            ("/v1/agreements/a", "agreement_id"),
        ):
            shown = (await client.get(path)).json()
            again = await client.put(path, json={name: value for name, value in shown.items() if name != own_id})

            assert (again.status_code, again.json()) == (200, shown)


async def test_lists_hold_all_items_and_their_total() -> None:
    """Proves the lists of lots, hospitals and agreements."""
    async with registry() as client:
        await settle_in(client)
        lots, hospitals, agreements = [
            (await client.get(f"/v1/{what}")).json() for what in ("lots", "hospitals", "agreements")
        ]

    assert [item["lot_id"] for item in lots["items"]] == ["h", "mall"]
    assert lots["total"] == 2
    assert [item["hospital_id"] for item in hospitals["items"]] == ["first"]
    assert [item["agreement_id"] for item in agreements["items"]] == ["a"]


async def test_a_gcj02_position_is_kept_in_wgs84() -> None:
    """Proves that what a Chinese map says lands where the lot is, not half a kilometre off."""
    register = in_memory_register()
    async with registry(register) as client:
        answer = await client.put("/v1/lots/mall", json=lot(location=at(_LAT_GCJ, _LON_GCJ, "gcj02")))

    assert answer.json()["location"]["datum"] == "wgs84"
    assert distance_m((await register.directory()).lots[LotId("mall")].location, LAKE) < 0.1


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        pytest.param({"location": {"lat": 30.2552, "lon": 120.1582}}, "location.datum", "missing_datum", id="no datum"),
        pytest.param({"location": at(120.1582, 30.2552)}, "location", "swapped_axes", id="axes swapped"),
        pytest.param({"location": at(30.2, 20.1, "gcj02")}, "location", "out_of_range", id="GCJ-02 outside China"),
        pytest.param({"location": at(3_349_000.5, 13_376_000.25)}, "location", "metres_as_degrees", id="metres"),
        pytest.param({"location": at(30.2552, 190.0)}, "location", "out_of_range", id="beyond the earth"),
        pytest.param(
            {"location": at(30.2552, 120.1582, also=at(30.2552, 120.1582, "gcj02"))},
            "location",
            "wrong_datum",
            id="off by a datum",
        ),
        pytest.param(
            {"location": at(30.2552, 120.1582, also=at(30.2562, 120.1582))},
            "location",
            "datum_mismatch",
            id="two places",
        ),
        pytest.param(
            {"entrances": [{"entrance_id": "e", "name": NAME, "location": at(30.2652, 120.1582)}]},
            "entrances[0].location",
            "too_far_from_lot",
            id="an entrance 1.1 km away",
        ),
        pytest.param(
            {"entrances": [{"entrance_id": "e", "name": NAME, "location": at(30.2552, 120.1582)}] * 2},
            "entrances[1].entrance_id",
            "duplicate_id",
            id="an entrance twice",
        ),
        pytest.param({"entrances": []}, "entrances", "wrong_length", id="no entrance"),
        pytest.param({"timezone": "Asia/Hangzhou"}, "timezone", "bad_timezone", id="no such zone"),
        pytest.param({"timezone": "../etc/passwd"}, "timezone", "bad_timezone", id="a path as zone"),
        pytest.param(
            {"classes": {"disabled": 60, "ev": 41}}, "classes", "classes_above_capacity", id="too many classes"
        ),
        pytest.param({"classes": {"standard": 6}}, "classes", "unknown_option", id="standard is the rest"),
        pytest.param({"capacity": -1}, "capacity", "out_of_range", id="capacity below 0"),
        pytest.param({"kind": "harbour"}, "kind", "unknown_option", id="unknown kind"),
        pytest.param({"name": {"zh": "甲"}}, "name.en", "missing_field", id="one language only"),
        pytest.param({"name": {"zh": "甲", "en": "A\u202eB"}}, "name.en", "bad_text", id="turned writing"),
        pytest.param({"held": 3}, "held", "unknown_field", id="a field that is not the sender's"),
    ],
)
async def test_a_lot_that_cannot_be_is_refused_and_changes_nothing(changes: Document, field: str, code: str) -> None:
    """Proves one rule each, and that a refusal leaves the register as it was."""
    register = in_memory_register()
    async with registry(register) as client:
        await settle_in(client)
        before = await register.directory()
        answer = await client.put("/v1/lots/mall", json=lot(**changes))

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert faults(answer.json()) == [(field, code)]
    assert await register.directory() == before


async def test_swapped_axes_of_an_entrance_are_seen_by_its_lot() -> None:
    """Proves it where both ways round are places on earth: Zurich and the Gulf of Aden."""
    zurich = lot(
        timezone="Europe/Zurich",
        location=at(47.3769, 8.5417),
        entrances=[{"entrance_id": "e", "name": NAME, "location": at(8.5420, 47.3770)}],
    )
    async with registry() as client:
        answer = await client.put("/v1/lots/z", json=zurich)

    assert faults(answer.json()) == [("entrances[0].location", "swapped_axes")]


async def test_two_readings_of_one_place_that_agree_are_taken() -> None:
    """Proves that the second reading is compared after conversion."""
    async with registry() as client:
        answer = await client.put(
            "/v1/lots/mall", json=lot(location=at(30.2552, 120.1582, also=at(_LAT_GCJ, _LON_GCJ, "gcj02")))
        )

    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        pytest.param({"lot_id": "nowhere"}, "lot_id", "unknown_lot", id="unknown lot"),
        pytest.param({"lot_id": "mall"}, "lot_id", "not_a_hospital_lot", id="a mall as its lot"),
        pytest.param({"door": at(30.2776, 120.1621)}, "door", "too_far_from_lot", id="a door 2.2 km away"),
        pytest.param({"gate": {"lat": 30.25, "lon": 120.16}}, "gate.datum", "missing_datum", id="no datum"),
        pytest.param({"radius_m": 50}, "radius_m", "out_of_range", id="no radius to speak of"),
        pytest.param(
            {"thresholds": {"full_at": 5, "leave_full_at": 5}},
            "thresholds",
            "bad_thresholds",
            id="a sign that flickers",
        ),
        pytest.param({"rules": {"least_chance": 1.5}}, "rules.least_chance", "out_of_range", id="surer than sure"),
        pytest.param({"rules": {"fill_penalty": 3}}, "rules.fill_penalty", "unknown_field", id="no such rule"),
        pytest.param({"rules": {"value_of_time": 0}}, "rules.value_of_time", "out_of_range", id="time for nothing"),
    ],
)
async def test_a_hospital_that_cannot_be_is_refused(changes: Document, field: str, code: str) -> None:
    """Proves one rule each."""
    async with registry() as client:
        await settle_in(client)
        answer = await client.put("/v1/hospitals/first", json=hospital(**changes))

    assert faults(answer.json()) == [(field, code)]


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        pytest.param({"lot_id": "nowhere"}, "lot_id", "unknown_lot", id="unknown lot"),
        pytest.param({"hospital_id": "nowhere"}, "hospital_id", "unknown_hospital", id="unknown hospital"),
        pytest.param({"lot_id": "h"}, "lot_id", "lends_to_itself", id="lends to itself"),
        pytest.param({"windows": [{"spaces": 95}]}, "windows[0].spaces", "lent_above_capacity", id="94 are standard"),
        pytest.param(
            {"windows": [{"spaces": 4}, {"class": "ev", "spaces": 1}]},
            "windows[1].spaces",
            "lent_above_capacity",
            id="no EV spaces",
        ),
        pytest.param({"windows": []}, "windows", "wrong_length", id="never"),
        pytest.param({"windows": [{"spaces": 4, "days": [0]}]}, "windows[0].days", "bad_window", id="day 0"),
        pytest.param({"windows": [{"spaces": 4, "days": []}]}, "windows[0].days", "wrong_length", id="no day"),
        pytest.param({"windows": [{"spaces": 4, "starts": "7:00"}]}, "windows[0].starts", "bad_window", id="7:00"),
        pytest.param({"windows": [{"spaces": 4, "stops": "24:00"}]}, "windows[0].stops", "bad_window", id="24:00"),
        pytest.param({"margin": 41}, "margin", "margin_above_lent", id="keeps back more than it lends"),
        pytest.param({"protects": {"therapy": 41}}, "protects", "margin_above_lent", id="protects more than it lends"),
        pytest.param({"protects": {"visitor": 1}}, "protects", "unknown_option", id="nobody stands after visitors"),
        pytest.param({"tariff": {"per_hour": -1}}, "tariff.per_hour", "out_of_range", id="pays the driver"),
        pytest.param({"tariff": {"per_hour": "1.005"}}, "tariff.per_hour", "bad_value", id="half a cent"),
        pytest.param(
            {"tariff": {"per_hour": 1, "currency": "EUR"}}, "tariff.currency", "wrong_currency", id="another currency"
        ),
        pytest.param({"margin_rule": "some"}, "margin_rule", "unknown_option", id="no such rule"),
        pytest.param({"latest_leave": "24:00"}, "latest_leave", "bad_window", id="24:00 to leave"),
        pytest.param(
            {"windows": [{"spaces": 4, "steps": [{"at": "10:00", "spaces": 1}, {"at": "09:00", "spaces": 0}]}]},
            "windows[0]",
            "bad_window",
            id="steps out of order",
        ),
        pytest.param(
            {"windows": [{"spaces": 4, "stops": "09:00", "steps": [{"at": "10:00", "spaces": 1}]}]},
            "windows[0]",
            "bad_window",
            id="a step after the end",
        ),
        pytest.param(
            {"windows": [{"spaces": 4, "steps": [{"at": "10:00", "spaces": 95}]}]},
            "windows[0].steps[0].spaces",
            "lent_above_capacity",
            id="a step above the capacity",
        ),
        pytest.param({"valid_from": "2026-13-01"}, "valid_from", "bad_time", id="month 13"),
        pytest.param({"valid_from": "2026-W01-4"}, "valid_from", "bad_time", id="a week's day"),
        pytest.param({"valid_to": ""}, "valid_to", "bad_time", id="no day at all"),
        pytest.param({"valid_from": "2026-05-01", "valid_to": "2026-04-30"}, "valid_to", "bad_dates", id="backwards"),
    ],
)
async def test_an_agreement_that_cannot_be_is_refused(changes: Document, field: str, code: str) -> None:
    """Proves one rule each."""
    async with registry() as client:
        await settle_in(client)
        answer = await client.put("/v1/agreements/a", json=agreement(**changes))

    assert (answer.status_code, faults(answer.json())) == (422, [(field, code)])


async def test_a_lot_stays_paused_until_someone_resumes_it() -> None:
    """Proves that changing a lot's data does not open it again behind the operator's back."""
    async with registry() as client:
        await settle_in(client)
        assert (await client.post("/v1/lots/mall/pause")).json()["paused"] is True
        assert (await client.put("/v1/lots/mall", json=lot(capacity=120))).json()["paused"] is True
        assert (await client.post("/v1/lots/mall/resume")).json()["paused"] is False
        assert (await client.post("/v1/lots/nowhere/pause")).json()["code"] == "unknown_lot"


async def test_a_hospitals_lot_cannot_move_away_from_it() -> None:
    """Proves that what was checked for the hospital still holds after its lot changes."""
    async with registry() as client:
        await settle_in(client)
        entrance = {"entrance_id": "e", "name": NAME, "location": at(30.2876, 120.1621)}
        moved = lot(kind="hospital", location=at(30.2876, 120.1621), entrances=[entrance], classes={})
        answer = await client.put("/v1/lots/h", json=moved)

    assert set(faults(answer.json())) == {("location", "too_far_from_lot")}


async def test_an_agreement_never_used_can_be_removed_once() -> None:
    """Proves removal, and that the second time there is nothing."""
    register = in_memory_register()
    async with registry(register) as client:
        await settle_in(client)
        first, second = await client.delete("/v1/agreements/a"), await client.delete("/v1/agreements/a")

    assert (first.status_code, second.status_code, second.json()["code"]) == (204, 404, "unknown_agreement")
    assert AgreementId("a") not in {one.agreement_id for one in (await register.directory()).agreements}


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v1/lots/nowhere", "unknown_lot"),
        ("/v1/hospitals/nowhere", "unknown_hospital"),
        ("/v1/agreements/nowhere", "unknown_agreement"),
        ("/v1/sources/nowhere", "unknown_source"),
        ("/v1/harbours", "not_found"),
    ],
)
async def test_what_is_not_registered_is_named_as_unknown(path: str, code: str) -> None:
    """Proves the 404 of each kind."""
    async with registry() as client:
        answer = await client.get(path)

    assert (answer.status_code, answer.json()["code"]) == (404, code)


async def test_a_gates_key_is_shown_once_and_kept_as_a_hash() -> None:
    """Proves that the key of a hospital's gate is in the answer that made it, and that another takes its place."""
    register = in_memory_register()
    async with registry(register) as client:
        await settle_in(client)
        made = [(await client.post("/v1/hospitals/first/gate-key")) for _ in range(2)]
        unknown = await client.post("/v1/hospitals/nowhere/gate-key")

    assert [answer.status_code for answer in made] == [201, 201]
    keys = [answer.json()["key"] for answer in made]
    assert keys[0] != keys[1]
    assert keys[1].startswith("first.")
    assert await register.gate_keys() == {key_sha256_of(keys[1]): "first"}
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_hospital")
