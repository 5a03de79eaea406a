"""TLS and callers' certificates, by real handshakes with a real process."""

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bowei.observability.environment import Environment
from services.local.asking_ready import ask_ready
from services.registry.__main__ import main as registry
from tests.free_ports import free_port
from tests.service.served_app import ALIVE, served


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as files."""

    certificate: Path
    key: Path


class Authority:
    """Makes certificates for servers and for their callers."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name, self._key = folder, name, ec.generate_private_key(ec.SECP256R1())
        self._subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.own = self._written(name, self._key, self._subject, x509.BasicConstraints(ca=True, path_length=0))

    def issue(self, name: str, *, days: int = 1) -> Pair:
        """Make one that is valid for some days; fewer than none: it is over."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        key = ec.generate_private_key(ec.SECP256R1())
        return self._written(
            f"{self._name}-{name}", key, subject, x509.BasicConstraints(ca=False, path_length=None), days
        )

    def _written(
        self,
        file: str,
        key: ec.EllipticCurvePrivateKey,
        subject: x509.Name,
        constraints: x509.BasicConstraints,
        days: int = 1,
    ) -> Pair:
        now = datetime.now(UTC)
        uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=9))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(constraints, critical=True)
            .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        pair = Pair(self._folder / f"{file}.pem", self._folder / f"{file}.key")
        pair.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        pair.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return pair


@pytest.fixture
def city(tmp_path: Path) -> Authority:
    """Give the city's own authority."""
    return Authority(tmp_path, "city")


def _settings(pair: Pair, callers: Authority | None = None) -> dict[str, str]:
    settings = {"BOWEI_TLS_CERTIFICATE": str(pair.certificate), "BOWEI_TLS_KEY": str(pair.key)}
    return settings if callers is None else settings | {"BOWEI_TLS_CALLERS": str(callers.own.certificate)}


def _caller(trusts: Authority, shows: Pair | None = None, newest: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(trusts.own.certificate)
    if shows is not None:
        context.load_cert_chain(shows.certificate, shows.key)
    if newest is not None:
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, newest
    return context


def _server(settings: Mapping[str, str]) -> AbstractAsyncContextManager[tuple[int, asyncio.subprocess.Process]]:
    async def ready(port: int) -> bool:
        return await asyncio.to_thread(ask_ready, port, Environment(settings)) == 0

    return served(ready, settings)


async def _answer(port: int, context: ssl.SSLContext | None) -> bytes:
    """Ask; give the answer's first line, nothing where there is none."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        try:
            writer.write(ALIVE)
            async with asyncio.timeout(10):
                return await reader.readline()
        finally:
            writer.close()
    except OSError:  # ssl.SSLError too
        return b""


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_who_trusts_the_authority_is_answered_and_nobody_without_tls(city: Authority, tmp_path: Path) -> None:
    """A caller who trusts another authority goes away; plain HTTP and TLS below 1.2 get no answer."""
    async with _server(_settings(city.issue("server"))) as (port, _):
        assert await _answer(port, _caller(city)) == b"HTTP/1.1 200 OK\r\n"
        assert await _answer(port, _caller(city, newest=ssl.TLSVersion.TLSv1_2)) == b"HTTP/1.1 200 OK\r\n"
        assert await _answer(port, _caller(city, newest=ssl.TLSVersion.TLSv1_1)) == b""
        assert await _answer(port, _caller(Authority(tmp_path, "elsewhere"))) == b""
        assert await _answer(port, None) == b""


async def test_a_caller_must_show_a_certificate_of_the_named_authority(city: Authority, tmp_path: Path) -> None:
    """None, another authority's, one that is over, and one that calls itself the same are all refused."""
    callers, elsewhere = Authority(tmp_path, "callers"), Authority(tmp_path, "elsewhere")
    (tmp_path / "double").mkdir()
    double = Authority(tmp_path / "double", "callers")
    # The service shows its own certificate where it is asked whether it is ready.
    server = callers.issue("server")
    async with _server(_settings(server, callers)) as (port, _):
        assert await _answer(port, _caller(callers, callers.issue("gate"))) == b"HTTP/1.1 200 OK\r\n"
        refused = [
            None,
            city.issue("gate"),
            elsewhere.issue("gate"),
            double.issue("gate"),
            callers.issue("old", days=-1),
        ]
        assert [await _answer(port, _caller(callers, shown)) for shown in refused] == [b""] * 5


def test_a_service_that_is_not_there_is_not_ready(city: Authority, capsys: pytest.CaptureFixture[str]) -> None:
    """Nor one whose certificate is another than the one it should have."""
    assert ask_ready(free_port(), Environment(_settings(city.issue("server")))) == 1
    assert ask_ready(free_port(), Environment({"BOWEI_TLS_KEY": "/nowhere"})) == 1
    assert "BOWEI_TLS_CERTIFICATE is not set" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"BOWEI_TLS_KEY": ""}, "BOWEI_TLS_KEY is not set", id="no key"),
        pytest.param({"BOWEI_TLS_CERTIFICATE": ""}, "BOWEI_TLS_CERTIFICATE is not set", id="no certificate"),
        pytest.param({"BOWEI_TLS_KEY": "/nowhere"}, "BOWEI_TLS_CERTIFICATE and BOWEI_TLS_KEY name no", id="no file"),
        pytest.param({"BOWEI_TLS_KEY": "other"}, "BOWEI_TLS_CERTIFICATE and BOWEI_TLS_KEY name no", id="another's key"),
        pytest.param({"BOWEI_TLS_KEY": "locked"}, "without a pass phrase", id="a locked key"),
        pytest.param({"BOWEI_TLS_CALLERS": __file__}, "BOWEI_TLS_CALLERS names no certificates", id="no authority"),
    ],
)
def test_a_wrong_setting_ends_the_start_with_one_line(
    city: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], said: str
) -> None:
    """The operator reads which variable it is; nobody is asked for a pass phrase."""
    locked = tmp_path / "locked"
    key = ec.generate_private_key(ec.SECP256R1())
    secret = serialization.BestAvailableEncryption(b"pass phrase")
    locked.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secret))
    files = {"other": str(city.issue("other").key), "locked": str(locked)}
    settings = _settings(city.issue("server")) | {name: files.get(value, value) for name, value in changes.items()}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("BOWEI_DATABASE_URL", "postgres://nowhere/")
    with pytest.raises(SystemExit) as stopped:
        registry()
    assert str(stopped.value).startswith("bowei-registry: ")
    assert said in str(stopped.value)
