"""What an operator may set for ingest, and which City Brain clients that lets in."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from bowei.domain.clock import SteppedClock
from bowei.domain.lots import SourceId
from bowei.domain.trust import TrustRules
from bowei.observability.environment import Environment, WrongEnvironment
from bowei.records.in_memory import InMemoryRecords, InMemoryRegister
from bowei.records.registering import Source, SourceKind
from services.ingest.citybrain.envelope import seal
from services.ingest.citybrain.messages import Heartbeat
from services.ingest.citybrain.receiving import receive
from services.ingest.settings import settings_from
from services.ingest.sources import Sources

STORES = {"BOWEI_DATABASE_URL": "postgresql://bowei:hunter2@db/bowei", "BOWEI_REDIS_URL": "redis://:hunter3@redis"}
NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


def pem(key: RSAPrivateKey) -> str:
    """Write a private key as an operator has it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def test_by_default_the_legacy_protocol_is_off_and_no_plate_is_kept() -> None:
    """Proves that an operator who sets only the stores runs no risk unknowingly."""
    settings = settings_from(Environment(STORES))

    assert not settings.citybrain
    assert settings.plate_keys is None
    assert not settings.allow_demo


def test_settings_never_show_a_secret() -> None:
    """Proves that they may stand in a log or a traceback."""
    key = generate_private_key(65537, 2048)
    secrets = {"BOWEI_PLATE_KEY": "hunter4", "BOWEI_CITYBRAIN_SERVER_KEY": pem(key)}
    settings = settings_from(Environment(STORES | secrets | {"BOWEI_CITYBRAIN_SERVER_SEALED": "clone"}))

    assert "hunter" not in repr(settings)
    assert "PRIVATE" not in repr(settings)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        pytest.param({"BOWEI_REDIS_URL": "redis://r"}, "BOWEI_DATABASE_URL", id="no Postgres"),
        pytest.param(STORES | {"BOWEI_REDIS_URL": "http://r"}, "BOWEI_REDIS_URL", id="no Redis"),
        pytest.param(STORES | {"BOWEI_CITYBRAIN": "maybe"}, "BOWEI_CITYBRAIN", id="neither on nor off"),
        pytest.param(STORES | {"BOWEI_INGEST_CONNECTIONS": "0"}, "BOWEI_INGEST_CONNECTIONS", id="no connections"),
        pytest.param(STORES | {"BOWEI_PLATE_KEY_BEFORE": "hunter6"}, "BOWEI_PLATE_KEY", id="only the key before"),
        pytest.param(
            STORES | {"BOWEI_PLATE_KEY": "hunter7", "BOWEI_PLATE_KEY_BEFORE": "hunter7"},
            "BOWEI_PLATE_KEY_BEFORE",
            id="the same key twice",
        ),
        pytest.param(
            STORES | {"BOWEI_CITYBRAIN_SERVER_SEALED": "clone"}, "BOWEI_CITYBRAIN_SERVER_KEY", id="no server key"
        ),
        pytest.param(
            STORES | {"BOWEI_CITYBRAIN_SERVER_SEALED": "clone", "BOWEI_CITYBRAIN_SERVER_KEY": "hunter5"},
            "BOWEI_CITYBRAIN_SERVER_KEY",
            id="no key at all",
        ),
    ],
)
def test_a_wrong_setting_stops_the_start_and_is_named(values: dict[str, str], named: str) -> None:
    """Proves that the text names the variable and never its value."""
    with pytest.raises(WrongEnvironment, match=named) as stopped:
        settings_from(Environment(values))
    assert "hunter" not in str(stopped.value)


async def test_a_client_that_seals_with_our_public_key_is_let_in_by_name() -> None:
    """Proves the way of the other city's clone of the protocol, from the environment to the message."""
    client_key = generate_private_key(65537, 1024)  # noqa: S505 (the protocol's size)
    server_key = generate_private_key(65537, 2048)
    environment = {"BOWEI_CITYBRAIN_SERVER_SEALED": "clone, other", "BOWEI_CITYBRAIN_SERVER_KEY": pem(server_key)}
    settings = settings_from(Environment(STORES | environment))
    register = InMemoryRegister(InMemoryRecords(SteppedClock(NOW)))
    public = client_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    await register.put_sources([Source(SourceId("clone"), SourceKind.CITYBRAIN, public_key=public)])
    sources = Sources(register, sealings=settings.sealings)

    said = {"parkingCode": "1", "uploadTime": "2026-03-02 09:00:00"}
    envelope = seal(said, access_id="clone", client_key=client_key, server_public_key=server_key.public_key())
    keys = (await sources.registered()).citybrain_keys
    received = receive("/tcjg/api/uploadHeartbeat", envelope.to_form(), keys, now=NOW)

    assert received.upload == Heartbeat("1", NOW)


async def test_one_unusable_key_does_not_shut_the_others_out() -> None:
    """Proves that a client whose key was mangled in the register is the only one who is not heard."""
    key = generate_private_key(65537, 1024)  # noqa: S505 (the protocol's size)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    register = InMemoryRegister(InMemoryRecords(SteppedClock(NOW)))
    await register.put_sources(
        [
            Source(SourceId("good"), SourceKind.CITYBRAIN, public_key=public),
            Source(SourceId("mangled"), SourceKind.CITYBRAIN, public_key=public[:100]),
        ]
    )

    assert set((await Sources(register).registered()).citybrain_keys.clients) == {"good"}


def test_what_it_takes_to_be_trusted_may_be_set() -> None:
    """A city may ask for more than a day, or less; what is not set stands in the rules."""
    assert settings_from(Environment(STORES)).trust == TrustRules()
    asked = {"BOWEI_TRUST_REPORTS": "50", "BOWEI_TRUST_HOURS": "72", "BOWEI_SUSPEND_HOURS": "1.5"}
    rules = settings_from(Environment(STORES | asked)).trust
    assert (rules.good_reports, rules.over, rules.bad_for) == (50, timedelta(hours=72), timedelta(hours=1.5))
    with pytest.raises(WrongEnvironment, match="BOWEI_SUSPEND_BAD_SHARE"):
        settings_from(Environment(STORES | {"BOWEI_SUSPEND_BAD_SHARE": "2"}))
