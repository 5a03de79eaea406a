"""Who may do what: every operation of every service, asked by everybody, about what is theirs and what is not."""

import copy
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from httpx2 import AsyncClient, Response

from bowei.domain.clock import SteppedClock
from bowei.domain.lots import HospitalId, LotId, Name, SourceId
from bowei.domain.parties import Party, PartyId, Role
from bowei.records.in_memory import InMemoryRecords
from bowei.records.registering import Source, SourceKind, key_sha256_of
from services.registry.token_keys import TokenKeys
from services.registry.tokens import Tokens
from tests.service import availability_block, routing_block
from tests.service.access_table import operations_of, table_of
from tests.service.ingest_app import KEY as SOURCE_KEY
from tests.service.ingest_app import ingest, observation, passage
from tests.service.registry_app import (
    ISSUER,
    NAME,
    NOW,
    TOKEN,
    WITHOUT_TOKEN,
    agreement,
    at,
    hospital,
    lot,
    now,
    registry,
)

HUBIN, WULIN = {"block": "hubin"}, {"block": "wulin"}
OWN = {
    "lot_id": "mall",
    "month": "2026-03",
    "hospital_id": "first",
    "agreement_id": "a",
    "source_id": "malls",
    "closure_id": "west",
    "calendar_id": "cn",
    "number": "1",
}
OTHERS = {
    "lot_id": "tower",
    "hospital_id": "second",
    "agreement_id": "b",
    "source_id": "towers",
    "closure_id": "west",
    "calendar_id": "cn",
    "number": "1",
    "month": "2026-03",
    "party_id": "somebody-else",
}
NOTHING = {**dict.fromkeys((*OWN, "party_id"), "nowhere"), "number": "7", "month": "2026-03"}
PUTS = {
    "propose_version",
    "put_lot",
    "put_hospital",
    "put_agreement",
    "put_source",
    "put_closure",
    "put_party",
    "put_calendar",
}
"""What makes a thing that is not there yet."""


@dataclass
class Registered:
    """A registry with two blocks, each with a hospital, a lot that lends to it, and a source; and all parties."""

    client: AsyncClient
    room: InMemoryRecords
    tokens: Tokens

    async def ask(self, operation: tuple[str, str], token: str | None, objects: dict[str, str], body: Any) -> Response:
        """Ask for an operation about some objects."""
        method, path = operation
        sent = {} if body is None or method in {"GET", "DELETE"} else {"json": body}
        params = {"code": "some-code"} if path.endswith("/pending") else None
        headers = {"Authorization": "" if token is None else f"Bearer {token}"}
        return await self.client.request(method, path.format_map(objects), headers=headers, params=params, **sent)

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Put everything back afterwards."""
        kept = copy.deepcopy({name: value for name, value in vars(self.room).items() if name != "clock"})
        yield
        vars(self.room).update(kept)


@asynccontextmanager
async def registered() -> AsyncIterator[Registered]:
    """Run it."""
    room = InMemoryRecords(SteppedClock(NOW))
    tokens = Tokens(TokenKeys.made(), ISSUER, now)
    yard = lot(kind="hospital", classes={})
    async with registry(records=room, tokens=tokens) as client:
        for path, body in (
            ("/v1/lots/h", yard | HUBIN | {"location": at(30.2576, 120.1621)}),
            ("/v1/lots/mall", lot(**HUBIN)),
            ("/v1/hospitals/first", hospital(**HUBIN)),
            ("/v1/agreements/a", agreement()),
            ("/v1/lots/h2", yard | WULIN | {"location": at(30.2576, 120.1621)}),
            ("/v1/lots/tower", lot(**WULIN)),
            ("/v1/hospitals/second", hospital(**WULIN, lot_id="h2")),
            ("/v1/agreements/b", agreement(lot_id="tower", hospital_id="second")),
            ("/v1/sources/malls", {"kind": "native", "lots": {"1": "mall"}}),
            ("/v1/sources/towers", {"kind": "native", "lots": {"1": "tower"}}),
            ("/v1/closures/west", _closure()),
            ("/v1/calendars/cn", _calendar()),
        ):
            answer = await client.put(path, json=body)
            assert answer.status_code == 201, answer.text
        for role in Role:
            room.parties[PartyId(role)] = _party(role)
        room.parties[PartyId("somebody-else")] = Party(PartyId("somebody-else"), Role.OPERATOR, Name("乙", "B"))
        yield Registered(client, room, tokens)


def _party(role: Role) -> Party:
    return Party(
        PartyId(role),
        role,
        Name("甲", "A"),
        lots=frozenset({LotId("mall")}),
        hospitals=frozenset({HospitalId("first")}),
        blocks=frozenset({"hubin"}),
    )


def _closure() -> dict[str, Any]:
    ring = [[120.1, 30.1], [120.2, 30.1], [120.2, 30.2], [120.1, 30.1]]
    return {
        "area": {"type": "Polygon", "coordinates": [ring]},
        "datum": "wgs84",
        "starts_at": "2026-03-02T01:00:00Z",
        "ends_at": "2026-03-02T02:00:00Z",
        "reason": NAME,
        "by": "police",
    }


def _calendar() -> dict[str, Any]:
    return {"name": NAME, "days": {"2026-02-16": 8}}


def _body(operation: str, objects: dict[str, str]) -> Any:
    """Write what the operation takes, so that it is refused for who asks and not for what is sent."""
    bodies: dict[str, Any] = {
        "put_lot": lot(),
        "put_hospital": hospital(),
        "put_agreement": agreement(lot_id=objects["lot_id"], hospital_id=objects["hospital_id"]),
        "propose_version": agreement(lot_id=objects["lot_id"], hospital_id=objects["hospital_id"], margin=3),
        "put_source": {"kind": "native", "lots": {}},
        "put_scene": {"scene": {"name": NAME, "timezone": "Asia/Shanghai"}},
        "put_road_speeds": {
            "valid_until": "2026-03-02T01:05:00Z",
            "speeds": [{"way": 1, "direction": "forward", "kmh": 10.0}],
        },
        "put_closure": _closure(),
        "put_calendar": _calendar(),
        "put_party": {"role": "city", "name": NAME},
    }
    return bodies.get(operation, {"by": "li.wei", "reason": "why"})


async def test_the_registrys_table_names_every_operation() -> None:
    """And none that there is not; whoever adds one says who may ask for it."""
    async with registered() as city:
        described = operations_of((await city.client.get("/v1/openapi.json")).json())
    assert set(table_of("Registry")) == set(described) - WITHOUT_TOKEN


@pytest.mark.parametrize("role", Role)
async def test_the_registry_lets_each_role_do_what_the_table_says(role: Role) -> None:
    """Every operation, about an own object, another's, and none; of another's the answer is as of none."""
    table, wrong, asked = table_of("Registry"), [], 0
    async with registered() as city:
        described = operations_of((await city.client.get("/v1/openapi.json")).json())
        token = city.tokens.make(PartyId(role), frozenset())
        for operation, row in table.items():
            cell, answers = row[role.replace("_", " ")], {}
            for whose, objects in (("own", {**OWN, "party_id": str(role)}), ("others", OTHERS), ("nothing", NOTHING)):
                with city.unchanged():
                    answers[whose] = await city.ask(described[operation], token, objects, _body(operation, objects))
                asked += 1
            if not _as_promised(cell, operation, described[operation][1], answers):
                wrong.append((operation, cell, {whose: one.text[:80] for whose, one in answers.items()}))
    assert asked > 100
    assert wrong == []


def _as_promised(cell: str, operation: str, path: str, answers: dict[str, Response]) -> bool:
    status = {whose: answer.status_code for whose, answer in answers.items()}
    if cell == "–":
        return set(status.values()) == {403}
    if {401, 403} & set(status.values()) or (status["own"] in (404, 422) and operation != "forget_pending_lot"):
        return False
    if cell == "all":
        return status["others"] not in (404, 422) or operation == "forget_pending_lot"
    if "{" not in path or "{month}" in path:
        return not any(f'"{name}"' in answers["own"].text for name in set(OTHERS.values()) - {"west", "1", "2026-03"})
    if operation in PUTS:
        return status["others"] == 404
    return (status["others"], answers["others"].json().get("code")) == (404, answers["nothing"].json()["code"])


async def test_no_other_key_or_token_opens_the_registry() -> None:
    """None at all, a driver's, a gate's, a source's, one of keys that are not ours, one of a party that is gone."""
    forged = Tokens(TokenKeys.made(), ISSUER, now).make(PartyId("administrator"), frozenset())
    async with registered() as city:
        described = operations_of((await city.client.get("/v1/openapi.json")).json())
        gone = city.tokens.make(PartyId("nowhere"), frozenset())
        suspended = Party(PartyId("late"), Role.ADMINISTRATOR, Name("丙", "C"), suspended=True)
        city.room.parties[suspended.party_id] = suspended
        late = city.tokens.make(suspended.party_id, frozenset())
        keys = (None, "first.a-gates-key", "malls.a-sources-key", "ZHJpdmVy.a.drivers", forged, gone, late, TOKEN[:-1])
        for operation in table_of("Registry"):
            for key in keys:
                answer = await city.ask(described[operation], key, {**OWN, "party_id": "city"}, _body(operation, OWN))
                assert answer.status_code == 401, (operation, key)


@pytest.fixture
async def world() -> AsyncIterator[routing_block.World]:
    """Give routing, with a gate's key and a source's, of one hospital and one lot."""
    async with routing_block.running_block() as world:
        await world.register.put_gate_key(routing_block.FIRST, key_sha256_of("the-gates-own-key"))
        yield world


async def test_routing_lets_each_key_do_what_the_table_says(world: routing_block.World) -> None:
    """A driver's, a gate's, a source's: what is theirs they may ask for, what is another's they may not."""
    lots = ((str(routing_block.MALL), routing_block.MALL),)
    source = Source(SourceId("malls"), SourceKind.NATIVE, key_sha256_of("the-sources-own-key"), lots=lots)
    await world.register.put_sources([source])
    driver, other = await world.driver(), await world.driver()
    held = await driver.asks()
    await other.asks()
    gate_id = "gate-1-of-a-car"
    diverted = await world.request(
        "POST", f"/v1/hospitals/{routing_block.FIRST}/diversions", "the-gates-own-key", json={"diversion_id": gate_id}
    )
    assert diverted.status_code == 201
    keys = {"driver": driver.token, "gate": "the-gates-own-key", "source": "the-sources-own-key", "nobody": None}
    described = operations_of((await world.request("GET", "/v1/openapi.json")).json())
    table = table_of("Routing")
    assert set(table) == set(described)
    party = Tokens(TokenKeys.made(), ISSUER, now).make(PartyId("administrator"), frozenset())
    asked = 0
    # Reading first, then what changes, and giving up last: each cell finds what it is about.
    order = sorted(table, key=lambda one: (described[one][0] != "GET", one in _ENDING))
    for operation in order:
        method, path = described[operation]
        at_gate = path.startswith("/v1/hospitals")
        for who, key in {**keys, "party": party}.items():
            cell = table[operation]["nobody" if who == "party" else who]
            own = {
                "diversion_id": gate_id if at_gate else driver.diversion_id,
                "lot_id": routing_block.MALL,
                "command_id": 1,
                "hospital_id": routing_block.FIRST,
            }
            others = {
                "diversion_id": other.diversion_id,
                "lot_id": routing_block.OFFICE,
                "command_id": 1,
                "hospital_id": "second-hospital",
            }
            # Who asks for what is kept of oneself can ask for nobody else.
            for objects in (own,) if path == "/v1/drivers/me" else (others, own):
                sent = {"json": _routing_body(operation, objects, held)} if method in {"PUT", "POST", "PATCH"} else {}
                if operation == "stream_diversion" and cell == "own" and objects is own:
                    continue  # it does not end; what it may show is tested where streams are
                answer = await world.request(method, path.format_map(objects), key, **sent)
                asked += 1
                expected = cell == "–" or (cell == "own" and objects is others)
                # In vain, such as leaving twice (409), is not forbidden.
                refused = answer.status_code in (401, 403, 404, *((409,) if expected else ()))
                assert refused == expected, (operation, who, objects, answer.status_code, answer.text)
    assert asked > 150


_ENDING = ("give_up_diversion", "erase_own_data")


def _routing_body(operation: str, objects: dict[str, Any], held: dict[str, Any]) -> Any:
    bodies: dict[str, Any] = {
        "put_diversion": {"hospital_id": routing_block.FIRST},
        "extend_diversion": {"extend_s": 60},
        "tell_position": {"lat": 30.2552, "lon": 120.1582, "datum": "wgs84"},
        "divert_at_gate": {"diversion_id": objects["diversion_id"]},
        "say_queue": {"vehicles": 3},
        "pause_diversions": {"minutes": 1},
        "answer_barrier": {"accepted": True},
        "arrive_by_code": {"lot_id": objects["lot_id"], "code": held["hold"]["code"]},
        "refused": {"ordinal": 1},
    }
    return bodies.get(operation, {})


async def test_ingest_takes_from_each_source_what_is_its_own() -> None:
    """Nobody's reports, and a source's about lots that are not its own, are refused; each item by itself."""
    table = table_of("Ingest")
    async with ingest(citybrain=True) as world:
        described = operations_of((await world.client.get("/v1/openapi.json")).json())
        assert set(described) | {"push_feed"} == set(table)
        own: dict[str, dict[str, Any]] = {
            "report_observations": observation(),
            "report_passages": passage(),
            "report_heartbeats": {"lot_id": "mall"},
        }
        for operation, item in own.items():
            method, path = described[operation]
            for item_lot, expected in (("mall", True), ("office", False), ("nowhere", False)):
                sent = {"items": [item | {"lot_id": item_lot}]}
                answer = await world.client.request(
                    method, path, json=sent, headers={"Authorization": f"Bearer {SOURCE_KEY}"}
                )
                (result,) = answer.json()["results"]
                refused = result.get("code") in ("not_your_lot", "unknown_lot")
                assert refused is not expected, (operation, item_lot, result)
        before = world.everything_kept()
        for operation, (method, path) in described.items():
            cell = table[operation]
            assert (cell["nobody"], cell["source"]) in (("–", "own"), ("–", "signed"))
            headers = {"Content-Type": _CONTENT_TYPES.get(operation, "application/json")}
            address = path.replace("{source_id}", "malls").replace("{method}", "uploadCarInData")
            answer = await world.client.request(method, address, content=b'{"items":[]}', headers=headers)
            assert answer.status_code in (401, 403, 404) or answer.json().get("resultCode") not in (None, 0, 200)
            assert world.everything_kept() == before


_FORM = "application/x-www-form-urlencoded"
_CONTENT_TYPES = {
    "report_datex2_status": "application/xml",
    "upload_v1": _FORM,
    "upload_v2": _FORM,
    "upload_v2_heartbeat": _FORM,
}


async def test_availability_shows_everybody_the_same(tmp_path: Path) -> None:
    """Without a token and with any, and it takes nothing: there is no operation but GET."""
    table = table_of("Availability")
    async with availability_block.running_block(history_files=tmp_path) as block:
        await block.register()
        await block.ready()
        described = operations_of(block.app.openapi())
        assert set(table) == set(described)
        assert {cell for row in table.values() for cell in row.values()} == {"all"}
        assert {method for method, _ in described.values()} == {"GET"}
        objects = {
            "hospital_id": "first-hospital",
            "lot_id": "gonglian-cc",
            "board_id": "gonglian-cc",
            "city": "bowei",
            "name": "none.csv",
        }
        for operation, (_, path) in described.items():
            if "stream" in operation:
                continue  # they do not end; that they are open is tested where streams are
            plain = await block.client.get(path.format_map(objects))
            with_key = await block.client.get(path.format_map(objects), headers={"Authorization": "Bearer anything"})
            there = 404 if operation == "get_history_file" else 200  # no day is over yet
            assert plain.status_code == with_key.status_code == there, (operation, plain.text)
