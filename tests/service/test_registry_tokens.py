"""Signing in: what is given for a party's secret, for how long, and that nothing else is taken for it."""

import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from httpx2 import AsyncClient, Response
from joserfc import jwt
from joserfc.jwk import OKPKey, RSAKey

from bowei.domain.clock import SteppedClock
from bowei.domain.lots import Name
from bowei.domain.parties import Party, PartyId, Role
from bowei.domain.problems import Refused
from bowei.records.in_memory import InMemoryRecords
from bowei.records.registering import key_sha256_of
from services.registry.token_keys import TokenKeys, WrongKeys, with_new_key, without_old_keys
from services.registry.tokens import LIFETIME, OutsideTokens, Provider, Tokens
from tests.service.forged_tokens import FORGERIES, Good, claims, rsa_pem, signed
from tests.service.registry_app import ISSUER, NAME, NOW, now, registry

SECRET = "gonglian.a-secret-of-tests"
OUTSIDE = Provider("https://id.example", "https://id.example/jwks", "bowei-registry")
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass
class City:
    """A registry in which one operator is registered, with the keys that its tokens are signed with."""

    client: AsyncClient
    room: InMemoryRecords
    keys: TokenKeys
    clock: SteppedClock

    async def sign_in(self, form: str, **headers: str) -> Response:
        """Ask for a token."""
        return await self.client.post("/v1/token", content=form, headers={**FORM, "Authorization": "", **headers})

    async def look(self, token: str) -> Response:
        """Ask for what the operator may see."""
        return await self.client.get("/v1/lots", headers={"Authorization": f"Bearer {token}"})


@asynccontextmanager
async def _city(outside: OutsideTokens | None = None) -> AsyncIterator[City]:
    room, clock = InMemoryRecords(SteppedClock(NOW)), SteppedClock(now())
    room.parties[PartyId("gonglian")] = Party(
        PartyId("gonglian"), Role.OPERATOR, Name("工联", "Gonglian"), secret_sha256=key_sha256_of(SECRET)
    )
    keys = TokenKeys.read(with_new_key(with_new_key(None, now()), now() - timedelta(hours=1)))
    tokens = Tokens(keys, ISSUER, clock.now)
    async with registry(records=room, tokens=tokens, outside_tokens=outside) as client:
        yield City(client, room, keys, clock)


@pytest.fixture
async def city() -> AsyncIterator[City]:
    """Run it."""
    async with _city() as running:
        yield running


GOOD = f"grant_type=client_credentials&client_id=gonglian&client_secret={SECRET}"


async def test_a_secret_gives_a_token_for_ten_minutes_that_opens_what_the_role_may(city: City) -> None:
    """In the form or as Basic, as OAuth 2.0 has it; it is over at its end, by the clock."""
    basic = base64.b64encode(f"gonglian:{SECRET}".encode()).decode()
    answers = [
        await city.sign_in(GOOD),
        await city.sign_in("grant_type=client_credentials", Authorization=f"Basic {basic}"),
    ]
    for answer in answers:
        said = answer.json()
        assert (answer.status_code, said["token_type"], said["expires_in"]) == (200, "Bearer", 600)
        assert answer.headers["cache-control"] == "no-store"
        assert "pause_lot" in said["scope"].split()
        assert "put_lot" not in said["scope"].split()
        assert (await city.look(said["access_token"])).status_code == 200
    city.clock.step_to(city.clock.now() + LIFETIME + timedelta(seconds=11))
    assert (await city.look(answers[0].json()["access_token"])).status_code == 401


@pytest.mark.parametrize(
    ("form", "status", "code"),
    [
        pytest.param(GOOD + "x", 401, "key_wrong", id="another secret"),
        pytest.param(GOOD.replace("gonglian&", "nobody&"), 401, "key_wrong", id="nobody"),
        pytest.param(GOOD.replace(SECRET, ""), 401, "key_missing", id="no secret"),
        pytest.param(GOOD.replace("client_credentials", "password"), 400, "wrong_grant", id="another grant"),
        pytest.param("", 400, "wrong_grant", id="nothing"),
        pytest.param(GOOD.replace(SECRET, "x" * 300), 401, "key_wrong", id="too long"),
        pytest.param(GOOD.replace("gonglian&", "g%00&"), 401, "key_wrong", id="a zero"),
    ],
)
async def test_whoever_has_not_the_secret_gets_nothing(city: City, form: str, status: int, code: str) -> None:
    """And it is not said whether there is such a party."""
    answer = await city.sign_in(form)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json().get("error") in {"invalid_client", "unsupported_grant_type"}


async def test_a_party_that_is_suspended_or_gone_is_out_at_once(city: City) -> None:
    """Its tokens that are not over open nothing, and it gets no more."""
    token = (await city.sign_in(GOOD)).json()["access_token"]
    city.room.parties[PartyId("gonglian")] = replace(city.room.parties[PartyId("gonglian")], suspended=True)
    assert (await city.look(token)).status_code == 401
    assert (await city.sign_in(GOOD)).status_code == 401
    del city.room.parties[PartyId("gonglian")]
    assert (await city.look(token)).status_code == 401


async def test_a_new_secret_ends_the_one_before(city: City) -> None:
    """A party makes itself one; it is shown in that answer and never again."""
    token = (await city.sign_in(GOOD)).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    made = await city.client.post("/v1/parties/gonglian/secret", headers=headers)
    assert made.status_code == 201
    assert (await city.sign_in(GOOD)).status_code == 401
    assert (await city.sign_in(GOOD.replace(SECRET, made.json()["secret"]))).status_code == 200
    shown = await city.client.get("/v1/parties/gonglian", headers=headers)
    assert shown.status_code == 200
    assert "secret" not in shown.json()
    assert (await city.client.post("/v1/parties/other/secret", headers=headers)).status_code == 404


async def test_acts_are_noted_under_the_partys_id(city: City) -> None:
    """So that it can be told who did what."""
    token = (await city.sign_in(GOOD)).json()["access_token"]
    await city.client.post("/v1/lots/nowhere/pause", headers={"Authorization": f"Bearer {token}"})
    assert {(entry.act.actor, entry.act.act) for entry in city.room.audit} == {("gonglian", "pause_lot")}


async def test_no_forged_altered_or_foreign_token_opens_anything(city: City) -> None:
    """Of each kind of attack one or many; the one that is right opens, so that it is the attack which is refused."""
    good = Good.made(city.keys, city.clock.now())
    assert (await city.look(good.token)).status_code == 200
    tried = [forgery for kind in FORGERIES for forgery in kind(good)]
    assert len(tried) > 80
    opened = []
    for name, token in tried:
        answer = await city.client.get("/v1/lots", headers={b"Authorization": b"Bearer " + token.encode()})
        if answer.status_code != 401:
            opened.append((name, answer.status_code))
    assert opened == []


def test_keys_take_turns_and_the_old_one_is_checked_until_it_is_taken_out() -> None:
    """A new key is published before it signs; what the old one signed opens until it is pruned."""
    first = with_new_key(None, now())
    both = with_new_key(first, now() + timedelta(minutes=10))
    old, keys = TokenKeys.read(first), TokenKeys.read(both)
    assert len(keys.published()["keys"]) == 2
    assert all("d" not in key for key in keys.published()["keys"])
    assert keys.signing(now()).kid == old.signing(now()).kid
    later = now() + timedelta(minutes=11)
    assert keys.signing(later).kid != old.signing(later).kid
    assert Tokens(keys, ISSUER, now).signed(Tokens(old, ISSUER, now).make(PartyId("a"), frozenset()))
    assert without_old_keys(both, now()) == both
    pruned = TokenKeys.read(without_old_keys(both, later))
    assert [key["kid"] for key in pruned.published()["keys"]] == [keys.signing(later).kid]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"keys": []}',
        '{"keys": [1]}',
        '{"keys": [{"kty": "oct", "k": "AAAA"}]}',
        '{"keys": [{"kty": "OKP"}]}',
    ],
)
def test_what_can_not_sign_is_no_key_set(text: str) -> None:
    """It is said at the start, not at the first token."""
    with pytest.raises(WrongKeys):
        TokenKeys.read(text)


class _OutsideProvider:
    """A provider whose keys can be had, or can't."""

    def __init__(self) -> None:
        self.key = RSAKey.import_key(rsa_pem(), {"kid": "outside-1", "use": "sig"})
        self.fetched = 0
        self.away = False

    async def fetch(self, _: str) -> Mapping[str, Any]:
        self.fetched += 1
        if self.away:
            raise OSError("away")
        return {"keys": [self.key.as_dict(private=False)]}

    def token(self, typ: str | None = "at+jwt", **changes: Any) -> str:
        known = {"iss": OUTSIDE.issuer, "sub": "someone@example", "bowei_party": "gonglian"}
        said = claims(now(), **(known | changes))
        head = {"alg": "RS256", "kid": self.key.kid}
        return signed(self.key, head if typ is None else head | {"typ": typ}, said)


async def test_a_provider_outside_says_who_it_is_and_the_register_what_they_may() -> None:
    """Its token opens what the party that it names may do, and no more; its keys are fetched once."""
    outside = _OutsideProvider()
    async with _city(OutsideTokens(OUTSIDE, outside.fetch, now)) as city:
        for _ in range(3):
            assert (await city.look(outside.token())).status_code == 200
        assert outside.fetched == 1
        headers = {"Authorization": f"Bearer {outside.token()}"}
        assert (await city.client.get("/v1/audit", headers=headers)).status_code == 403
        assert (await city.sign_in(GOOD)).status_code == 200
        wrong: list[dict[str, Any]] = [
            {"aud": "another"},
            {"exp": 1},
            {"bowei_party": None},
            {"bowei_party": "nobody"},
            {"bowei_party": 7},
            {"iss": ISSUER},
        ]
        for changes in wrong:
            assert (await city.look(outside.token(**changes))).status_code == 401, changes


async def test_a_provider_s_id_token_opens_nothing() -> None:
    """It is for us and names a party, but says to a client who somebody is; also where access tokens have no type."""
    outside = _OutsideProvider()
    tokens = OutsideTokens(OUTSIDE, outside.fetch, now)
    for good in ("at+jwt", "application/at+jwt", "AT+JWT"):
        assert await tokens.party_of(outside.token(good)) == "gonglian"
    untyped = OutsideTokens(replace(OUTSIDE, token_type="JWT"), outside.fetch, now)
    assert await untyped.party_of(outside.token("JWT")) == "gonglian"
    wrong = [
        *((tokens, outside.token(typ)) for typ in (None, "JWT", "id+jwt", "")),
        *((tokens, outside.token(**{claim: "x"})) for claim in ("nonce", "at_hash", "c_hash")),
        *((untyped, outside.token("JWT", **{claim: "x"})) for claim in ("nonce", "at_hash", "c_hash")),
        (untyped, outside.token("logout+jwt")),
    ]
    for opens, token in wrong:
        with pytest.raises(Refused) as refused:
            await opens.party_of(token)
        assert refused.value.code == "key_wrong"


async def test_a_providers_new_key_is_fetched_when_it_is_named_but_not_for_every_forgery() -> None:
    """Whoever names keys that there are not can't make us ask the provider again and again."""
    outside, seconds = _OutsideProvider(), [0.0]
    tokens = OutsideTokens(OUTSIDE, outside.fetch, now, monotonic=lambda: seconds[0])
    assert await tokens.party_of(outside.token()) == "gonglian"
    outside.key = RSAKey.import_key(rsa_pem(), {"kid": "outside-2", "use": "sig"})
    for _ in range(5):
        with pytest.raises(Refused):
            await tokens.party_of(outside.token())
    assert outside.fetched == 1
    seconds[0] = 31.0
    assert await tokens.party_of(outside.token()) == "gonglian"
    assert outside.fetched == 2


async def test_with_the_provider_away_its_last_keys_go_on_and_without_any_it_is_said() -> None:
    """Nobody is locked out by a provider that restarts."""
    outside, seconds = _OutsideProvider(), [0.0]
    tokens = OutsideTokens(OUTSIDE, outside.fetch, now, monotonic=lambda: seconds[0])
    await tokens.party_of(outside.token())
    outside.away, seconds[0] = True, 3_700.0
    assert await tokens.party_of(outside.token()) == "gonglian"
    never = OutsideTokens(OUTSIDE, outside.fetch, now, monotonic=lambda: seconds[0])
    with pytest.raises(Refused) as refused:
        await never.party_of(outside.token())
    assert refused.value.code == "store_away"


async def test_the_first_administrator_is_made_by_the_printed_code_alone() -> None:
    """Once; the secret that it gives signs in, and the act is noted."""
    room = InMemoryRecords(SteppedClock(NOW))
    code = "a-code-that-was-printed"
    room.first_code = (key_sha256_of(code), NOW + timedelta(hours=1))
    async with registry(records=room) as client:
        body = {"party_id": "li", "name": NAME, "code": code}
        nobody = {"Authorization": ""}
        wrong = await client.post("/v1/first-administrator", json=body | {"code": code + "x"}, headers=nobody)
        assert (wrong.status_code, wrong.json()["code"]) == (401, "key_wrong")
        made = await client.post("/v1/first-administrator", json=body, headers=nobody)
        assert (made.status_code, made.json()["role"]) == (201, "administrator")
        again = await client.post("/v1/first-administrator", json=body | {"party_id": "wang"}, headers=nobody)
        assert again.status_code == 401
        form = f"grant_type=client_credentials&client_id=li&client_secret={made.json()['secret']}"
        token = (await client.post("/v1/token", content=form, headers=FORM | nobody)).json()["access_token"]
        assert (await client.get("/v1/parties", headers={"Authorization": f"Bearer {token}"})).status_code == 200
    assert [(entry.act.actor, entry.act.act) for entry in room.audit] == [("first-code", "make_first_administrator")]


async def test_the_published_keys_check_what_issigned(city: City) -> None:
    """Anybody may check a token by them, with any library; no private half is among them."""
    token = (await city.sign_in(GOOD)).json()["access_token"]
    published = (await city.client.get("/.well-known/jwks.json", headers={"Authorization": ""})).json()
    kid = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))["kid"]
    (named,) = [one for one in published["keys"] if one["kid"] == kid]
    key = OKPKey.import_key({name: value for name, value in named.items() if name in ("kty", "crv", "x", "kid")})
    assert jwt.decode(token, key, algorithms=["Ed25519"]).claims["sub"] == "gonglian"
    assert not any("d" in one for one in published["keys"])
