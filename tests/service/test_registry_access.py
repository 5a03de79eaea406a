"""Who may use the registry, which sources may report, and what is kept of their keys."""

import hashlib
import json
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric.dsa import generate_private_key as generate_dsa_key
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bowei.observability.environment import Environment, WrongEnvironment
from services.registry.settings import settings_from
from services.registry.token_keys import with_new_key
from tests.service.registry_app import TOKEN, WITHOUT_TOKEN, faults, in_memory_register, now, registry, settle_in

DATABASE = "postgresql://bowei:hunter2@db/bowei"


@pytest.mark.parametrize(
    ("header", "code"),
    [
        pytest.param("", "key_missing", id="nothing"),
        pytest.param("Bearer ", "key_missing", id="an empty token"),
        pytest.param(f"Basic {TOKEN}", "key_missing", id="another scheme"),
        pytest.param(f"Bearer {TOKEN}x", "key_wrong", id="a longer token"),
        pytest.param(f"Bearer {TOKEN[:-1]}", "key_wrong", id="a shorter token"),
        pytest.param("Bearer \u00ff\u00fe", "key_wrong", id="no ASCII"),
    ],
)
async def test_nobody_gets_in_without_a_token(header: str, code: str) -> None:
    """Proves it for each address that the API describes, before anything else of the request is judged."""
    async with registry() as client:
        described = (await client.get("/v1/openapi.json")).json()["paths"]
        answers = [
            await client.request(
                method, path.replace("{", "").replace("}", ""), headers={b"Authorization": header.encode("latin-1")}
            )
            for path, methods in described.items()
            for method, operation in methods.items()
            if operation["operationId"] not in WITHOUT_TOKEN
        ]

    assert len(answers) > 15
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(401, code)}
    assert {answer.headers["www-authenticate"] for answer in answers} == {"Bearer"}


async def test_every_operation_has_an_id_and_says_how_it_refuses() -> None:
    """Proves that client generators and readers find problems in the API's description."""
    async with registry() as client:
        described = (await client.get("/v1/openapi.json")).json()["paths"]

    operations = [operation for methods in described.values() for operation in methods.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    for operation in operations:
        assert "application/problem+json" in operation["responses"]["422"]["content"]


async def test_a_native_source_gets_its_key_once_and_only_its_hash_is_kept() -> None:
    """Proves that the key can't be read again from the registry, and that it is long enough not to be guessed."""
    register = in_memory_register()
    async with registry(register) as client:
        await settle_in(client)
        body = {"kind": "native", "lots": {"P-1": "mall"}}
        made = await client.put("/v1/sources/garage", json=body)
        again = await client.put("/v1/sources/garage", json=body)
        shown = (await client.get("/v1/sources")).json()

    key = made.json()["key"]
    assert made.status_code == 201
    assert key.startswith("garage.")
    assert len(key.removeprefix("garage.")) == 43
    assert "key" not in again.json()
    assert shown["items"] == [again.json()]
    [kept] = await register.sources()
    assert kept.key_sha256 == hashlib.sha256(key.encode()).digest()


async def test_a_lost_key_is_replaced_on_demand() -> None:
    """Proves that `new_key` makes another and ends the first."""
    register = in_memory_register()
    async with registry(register) as client:
        first = (await client.put("/v1/sources/garage", json={"kind": "native"})).json()["key"]
        second = (await client.put("/v1/sources/garage", json={"kind": "native", "new_key": True})).json()["key"]

    [kept] = await register.sources()
    assert first != second
    assert kept.key_sha256 == hashlib.sha256(second.encode()).digest()


async def test_a_suspended_source_stays_so_until_told_otherwise() -> None:
    """Proves that changing its lots does not let it report again."""
    async with registry() as client:
        await settle_in(client)
        await client.put("/v1/sources/garage", json={"kind": "native", "suspended": True})
        changed = await client.put("/v1/sources/garage", json={"kind": "native", "lots": {"P-1": "mall"}})
        resumed = await client.put("/v1/sources/garage", json={"kind": "native", "suspended": False})

    assert changed.json()["suspended"] is True
    assert resumed.json()["suspended"] is False


async def test_a_city_brain_source_brings_its_public_key() -> None:
    """Proves that it is registered with an RSA key of 1024 bits, as the field has them, and gets no key of ours."""
    async with registry() as client:
        answer = await client.put("/v1/sources/brain", json={"kind": "citybrain", "public_key": _rsa_pem(1024)})

    assert answer.status_code == 201
    assert "key" not in answer.json()


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        pytest.param({"kind": "citybrain"}, "public_key", "key_needed", id="no public key"),
        pytest.param({"kind": "native", "public_key": "x"}, "public_key", "key_needed", id="a key too many"),
        pytest.param({"kind": "citybrain", "public_key": "x"}, "public_key", "bad_public_key", id="no key at all"),
        pytest.param({"kind": "citybrain", "public_key": "钥匙"}, "public_key", "bad_public_key", id="no ASCII"),
        pytest.param({"kind": "native", "lots": {"P-1": "nowhere"}}, "lots[0]", "unknown_lot", id="unknown lot"),
        pytest.param({"kind": "pigeon"}, "kind", "unknown_option", id="unknown kind"),
    ],
)
async def test_a_source_that_cannot_be_is_refused(body: dict[str, object], field: str, code: str) -> None:
    """Proves one rule each, and that nothing was registered."""
    register = in_memory_register()
    async with registry(register) as client:
        answer = await client.put("/v1/sources/s", json=body)

    assert (answer.status_code, faults(answer.json())) == (422, [(field, code)])
    assert await register.sources() == []


async def test_a_key_of_another_kind_is_no_city_brain_key() -> None:
    """Proves that a DSA key, though it is long enough, is refused: the protocol can't use it."""
    key = generate_dsa_key(1024)  # noqa: S505 (only its kind matters)
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    async with registry() as client:
        answer = await client.put("/v1/sources/brain", json={"kind": "citybrain", "public_key": pem.decode()})

    assert faults(answer.json()) == [("public_key", "bad_public_key")]


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        pytest.param({"BOWEI_ADMIN_TOKEN": TOKEN}, "BOWEI_DATABASE_URL", id="no database"),
        pytest.param({"BOWEI_DATABASE_URL": DATABASE, "BOWEI_TOKEN_KEYS": "{}"}, "BOWEI_TOKEN_KEYS", id="no keys"),
        pytest.param(
            {"BOWEI_DATABASE_URL": DATABASE, "BOWEI_OPENID_ISSUER": "https://id.example"},
            "BOWEI_OPENID_JWKS_URL",
            id="a provider without keys",
        ),
        pytest.param(
            {
                "BOWEI_DATABASE_URL": DATABASE,
                "BOWEI_OPENID_ISSUER": "https://id.example",
                "BOWEI_OPENID_JWKS_URL": "http://id.example/jwks",
            },
            "BOWEI_OPENID_JWKS_URL",
            id="a provider's keys without TLS",
        ),
        pytest.param({"BOWEI_DATABASE_URL": DATABASE, "BOWEI_ADMIN_TOKEN": "short"}, "BOWEI_ADMIN_TOKEN", id="short"),
        pytest.param(
            {"BOWEI_DATABASE_URL": "mysql://bowei:hunter2@db", "BOWEI_ADMIN_TOKEN": TOKEN},
            "BOWEI_DATABASE_URL",
            id="another database",
        ),
        pytest.param(
            {"BOWEI_DATABASE_URL": DATABASE, "BOWEI_ADMIN_TOKEN_FILE": "/nowhere/token"},
            "BOWEI_ADMIN_TOKEN_FILE",
            id="no such file",
        ),
    ],
)
def test_a_wrong_setting_is_named_and_never_shown(environment: dict[str, str], named: str) -> None:
    """Proves that the start is refused with the variable's name, and that no secret is in the text."""
    with pytest.raises(WrongEnvironment, match=named) as refused:
        settings_from(Environment(environment))

    assert "hunter2" not in str(refused.value)
    assert "short" not in str(refused.value).replace("shorter", "")


def test_settings_do_not_show_their_secrets() -> None:
    """Proves that settings may be printed."""
    keys = with_new_key(None, now())
    environment = {"BOWEI_DATABASE_URL": DATABASE, "BOWEI_ADMIN_TOKEN": TOKEN, "BOWEI_TOKEN_KEYS": keys}
    settings = settings_from(Environment(environment))

    assert "hunter2" not in repr(settings)
    assert json.loads(keys)["keys"][0]["d"] not in repr(settings)
    assert TOKEN not in repr(settings)


def test_the_registry_does_not_start_without_a_database() -> None:
    """Proves it for the command itself: a sentence, no traceback, a status that says failed."""
    ended = subprocess.run(
        [sys.executable, "-m", "services.registry"],
        env={"BOWEI_ADMIN_TOKEN": TOKEN},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert ended.returncode == 1
    assert ended.stderr.startswith("bowei-registry: BOWEI_DATABASE_URL is not set.")
    assert "Traceback" not in ended.stderr


def _rsa_pem(bits: int) -> str:
    key: RSAPrivateKey = generate_rsa_key(65_537, bits)
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
