"""A whole scene over HTTP: registered as one, repeated without effect, refused as one."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from httpx2 import AsyncClient, Response
from typing_extensions import override

from bowei.domain.clock import SteppedClock
from bowei.domain.lots import Hospital, LotId
from bowei.observability import yaml_text
from bowei.records.connecting import connect
from bowei.records.failures import OutcomeUnknown, StoreAway
from bowei.records.in_memory import InMemoryRecords, InMemoryRegister
from bowei.records.migrating import migrate
from bowei.records.postgres_registering import PostgresRegister
from bowei.records.registering import Register
from tests.service.registry_app import faults, in_memory_register, registry

DOCUMENT = Path(__file__).parents[2] / "docs" / "scene-file.md"


def _example() -> str:
    found = re.search(r"```yaml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found.group(1)


async def _put(client: AsyncClient, text: str) -> Response:
    return await client.put("/v1/scene", content=text.encode(), headers={"Content-Type": "application/yaml"})


async def test_the_documents_example_is_registered_as_it_says() -> None:
    """Proves that docs/scene-file.md tells the truth: counts, keys, and windows across midnight."""
    register = in_memory_register()
    async with registry(register) as client:
        answer = await _put(client, _example())

    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in ("calendars", "lots", "hospitals", "agreements", "sources")} == {
        "calendars": 1,
        "lots": 3,
        "hospitals": 1,
        "agreements": 2,
        "sources": 2,
    }
    assert set(answer.json()["keys"]) == {"in77", "office-vendor"}
    directory = await register.directory()
    assert directory.lots[LotId("in77")].timezone == "Asia/Shanghai"
    assert directory.local_time(directory.lots[LotId("in77")]).kind_of(date(2026, 2, 16)) == 8
    night = next(one for one in directory.agreements if one.agreement_id == "office-first").windows[1]
    assert (night.starts.isoformat("minutes"), night.stops.isoformat("minutes")) == ("22:00", "06:00")


class _AwayOnce(InMemoryRegister):
    """A register whose store fails once, between lots and hospitals."""

    def __init__(self, failure: type[Exception]) -> None:
        super().__init__(InMemoryRecords(SteppedClock(datetime(2026, 3, 2, 1, 0, tzinfo=UTC))))
        self._failures = [failure]

    @override
    async def put_hospitals(self, hospitals: Sequence[Hospital]) -> None:
        if self._failures:
            raise self._failures.pop()
        await super().put_hospitals(hospitals)


@asynccontextmanager
async def _in_postgres(url: str) -> AsyncIterator[Register]:
    await migrate(url)
    pool = await connect(url, most_connections=2, check_durable=False)
    try:
        yield PostgresRegister(pool)
    finally:
        await pool.close()


async def test_a_scene_put_twice_is_as_put_once(fresh_database: str) -> None:
    """Proves, on Postgres, that nothing is doubled, no key is made anew, and an operator's pause outlives it."""
    async with _in_postgres(fresh_database) as register, registry(register) as client:
        await _put(client, _example())
        await client.post("/v1/lots/in77/pause")
        before, sources = await register.directory(), await register.sources()
        again = await _put(client, _example())
        after = await register.directory()

        assert again.json()["keys"] == {}
        assert (after.lots, after.hospitals) == (before.lots, before.hospitals)
        assert after.agreements == before.agreements
        assert await register.sources() == sources
        assert after.lots[LotId("in77")].paused


async def test_one_fault_keeps_the_whole_scene_out() -> None:
    """Proves that nothing is registered by halves, and that every fault is named at once by its path."""
    register = in_memory_register()
    text = (
        _example()
        .replace("lot_id: first-hospital\n    door", "lot_id: nowhere\n    door")
        .replace("spaces: 300", "spaces: 3000")
    )
    async with registry(register) as client:
        answer = await _put(client, text)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert faults(answer.json()) == [
        ("hospitals[0].lot_id", "unknown_lot"),
        ("agreements[0].windows[0].spaces", "lent_above_capacity"),
    ]
    assert (await register.directory()).lots == {}


async def test_a_scene_cannot_take_a_lot_from_under_a_registered_hospital() -> None:
    """Proves that a second scene is judged together with what the first one registered."""
    text = _example()
    second = text[: text.index("hospitals:")].replace("kind: hospital", "kind: mall")
    async with registry() as client:
        await _put(client, text)
        answer = await _put(client, second)

    assert faults(answer.json()) == [("lots[0].kind", "not_a_hospital_lot")]


async def test_json_says_a_scene_as_well() -> None:
    """Proves the second form, with its faults named alike."""
    about = {"name": {"zh": "甲", "en": "A"}, "timezone": "Asia/Shanghai"}
    async with registry() as client:
        good = await client.put("/v1/scene", json={"scene": about})
        bad = await client.put("/v1/scene", json={"scene": about | {"timezone": "Mars/Base"}})

    assert good.json() == {"calendars": 0, "lots": 0, "hospitals": 0, "agreements": 0, "sources": 0, "keys": {}}
    assert faults(bad.json()) == [("scene.timezone", "bad_timezone")]


@pytest.mark.parametrize(
    ("text", "where", "code"),
    [
        pytest.param("lots: []\nlots: []\n", "line 2, column 1", "duplicate_key", id="a key twice"),
        pytest.param("1: x\n", "line 1, column 1", "duplicate_key", id="a number as key"),
        pytest.param("a: &x [1]\nb: [*x, *x]\n", "line 1, column 4", "yaml_alias", id="what grows when read"),
        pytest.param("a: [1\n", "line 2, column 1", "yaml_syntax", id="not closed"),
        pytest.param("a: !!python/object/apply:os.system [ls]\n", "line 1, column 4", "yaml_syntax", id="code"),
        pytest.param("[" * 3_000, "", "yaml_syntax", id="nested too deep"),
    ],
)
async def test_yaml_that_is_no_scenes_is_refused_by_its_line(text: str, where: str, code: str) -> None:
    """Proves that a person finds the place, and that nothing is executed or blown up."""
    async with registry() as client:
        answer = await _put(client, text)

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_yaml")
    assert faults(answer.json()) == [(where, code)]


async def test_a_scene_may_be_large_but_not_without_end() -> None:
    """Proves that a scene may pass the usual body limit, and has one of its own."""
    about = "scene: {name: {zh: 甲, en: A}, timezone: Asia/Shanghai}\n"
    async with registry() as client:
        large = await _put(client, about + "#" * (300 * 1024))
        larger = await _put(client, about + "#" * yaml_text.LARGEST_BYTES)

    assert large.status_code == 200
    assert (larger.status_code, larger.json()["code"]) == (413, "body_too_large")


async def test_a_scene_is_not_guessed_from_another_type() -> None:
    """Proves that only the two types are read."""
    async with registry() as client:
        answer = await client.put("/v1/scene", content=b"a: 1", headers={"Content-Type": "text/html"})

    assert (answer.status_code, answer.json()["code"]) == (415, "wrong_content_type")


@pytest.mark.parametrize(("failure", "code"), [(StoreAway, "store_away"), (OutcomeUnknown, "outcome_unknown")])
async def test_a_store_that_fails_is_answered_503_and_the_repeat_completes(failure: type[Exception], code: str) -> None:
    """Proves that a scene cut off between lots and hospitals is whole after it is put again."""
    register = _AwayOnce(failure)
    async with registry(register) as client:
        first = await _put(client, _example())
        second = await _put(client, _example())

    assert (first.status_code, first.json()["code"]) == (503, code)
    assert int(first.headers["retry-after"]) >= 1
    assert second.status_code == 200
    assert len((await register.directory()).hospitals) == 1
