"""Nothing is changed in the registry that was not noted: who, what, about what, and what became of it."""

import re
from typing import Any

import pytest
from typing_extensions import override

from bowei.domain.acts import Act, Entry, first_break
from bowei.domain.clock import SteppedClock
from bowei.records.failures import StoreAway
from bowei.records.in_memory import InMemoryAuditTrail, InMemoryRecords
from tests.service.registry_app import NOW, WITHOUT_TOKEN, lot, registry

_CHANGING = ("put", "post", "patch", "delete")


def _room() -> InMemoryRecords:
    return InMemoryRecords(SteppedClock(NOW))


async def test_an_act_is_noted_before_it_is_tried_and_when_it_is_done() -> None:
    """With the party that acted, the request's id, and a digest of what was sent in place of it."""
    room = _room()
    async with registry(records=room) as client:
        answer = await client.put("/v1/lots/in77", json=lot(), headers={"X-Request-Id": "a-request-of-a-test"})
        assert answer.status_code == 201
        assert (await client.get("/v1/lots/in77")).status_code == 200
    asked, done = room.audit
    assert (asked.act.actor, asked.act.act, asked.act.subject) == ("administrator", "put_lot", "/v1/lots/in77")
    assert [asked.act.outcome, done.act.outcome] == ["asked", "done"]
    assert asked.act.request_id == done.act.request_id == "a-request-of-a-test"
    assert asked.act.body_sha256 is not None
    assert first_break(room.audit) is None


async def test_what_is_refused_is_noted_with_its_reason_and_who_has_no_key_leaves_no_trace() -> None:
    """An attempt of somebody known is an act; whoever knocks without a key can't fill the audit."""
    room = _room()
    async with registry(records=room) as client:
        assert (await client.post("/v1/lots/nowhere/pause")).status_code == 404
        assert (await client.put("/v1/lots/in77", json={"nonsense": 1})).status_code == 422
        for headers in ({"Authorization": "Bearer wrong"}, {"Authorization": ""}):
            assert (await client.put("/v1/lots/in77", json=lot(), headers=headers)).status_code == 401
    assert [entry.act.outcome for entry in room.audit] == ["asked", "unknown_lot", "asked", "invalid_request"]


async def test_a_subject_is_noted_as_it_was_sent() -> None:
    """Whatever stands in an address: a database's text can't hold a zero, and the attempt is to be noted."""
    room = _room()
    async with registry(records=room) as client:
        assert (await client.put("/v1/lots/a%00b%F0%9F%9A%97", json=lot())).status_code == 422
    assert {entry.act.subject for entry in room.audit} == {"/v1/lots/a%00b%F0%9F%9A%97"}


async def test_every_address_that_changes_something_leaves_an_entry() -> None:
    """Taken from the API's own description, so that a new one can't be forgotten."""
    room = _room()
    async with registry(records=room) as client:
        paths: dict[str, dict[str, Any]] = (await client.get("/v1/openapi.json")).json()["paths"]
        acts = [
            (method, re.sub(r"\{[^}]*\}", "some-id", path), operation["operationId"])
            for path, methods in paths.items()
            for method, operation in methods.items()
            if method in _CHANGING and operation["operationId"] not in WITHOUT_TOKEN
        ]
        assert len(acts) >= 12
        for method, path, operation_id in acts:
            before = len(room.audit)
            await client.request(method, path, json={} if method != "delete" else None)
            noted = [entry.act for entry in room.audit[before:]]
            assert [one.act for one in noted] == [operation_id] * 2, (method, path)
            assert noted[0].outcome == "asked"


class _Away(InMemoryAuditTrail):
    @override
    async def note(self, act: Act) -> Entry:
        raise StoreAway


async def test_with_the_audit_away_nothing_is_changed() -> None:
    """Better no change than one that nobody knows of."""
    room = _room()
    async with registry(records=room, audit=_Away(room)) as client:
        answer = await client.put("/v1/lots/in77", json=lot())
        assert (answer.status_code, answer.json()["code"]) == (503, "store_away")
        assert (await client.get("/v1/lots/in77")).status_code == 404


@pytest.mark.parametrize("limit", [1, 100])
async def test_the_audit_is_read_in_pages_by_who_may_see_it(limit: int) -> None:
    """With the newest link, which is to be kept elsewhere."""
    room = _room()
    async with registry(records=room) as client:
        for lot_id in ("one", "two", "three"):
            await client.put(f"/v1/lots/{lot_id}", json=lot())
        read: list[dict[str, Any]] = []
        while True:
            after = read[-1]["serial"] if read else 0
            page = (await client.get(f"/v1/audit?after={after}&limit={limit}")).json()
            assert page["head"] == {"serial": 6, "hash": room.audit[-1].hash.hex()}
            if not page["items"]:
                break
            read += page["items"]
        assert [one["subject"] for one in read[::2]] == ["/v1/lots/one", "/v1/lots/two", "/v1/lots/three"]
        assert (await client.get("/v1/audit", headers={"Authorization": ""})).status_code == 401
        assert (await client.get("/v1/audit?limit=100000")).status_code == 422
