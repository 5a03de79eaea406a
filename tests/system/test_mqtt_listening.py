"""One listener and a real broker: who is acknowledged when, how much is held, and who may speak."""

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from prometheus_client import CollectorRegistry, generate_latest

from bowei.observability.background import in_background
from bowei.observability.environment import Environment
from bowei.records.failures import StoreAway
from services.ingest.feeds_file import read_feeds_file
from services.ingest.mqtt.assembling import account, brokers_of
from services.ingest.mqtt.decoding import Decodes, Said
from services.ingest.mqtt.feed import MqttFeed
from services.ingest.mqtt.listening import Listener
from services.ingest.mqtt.measures import MqttMeasures, Result
from tests.system.brokers import Broker, find_program, publisher, running_broker

ROOM = 10


class Noting(Decodes):
    """Notes what it is given; it may be told to wait, to fail, or to break on a message."""

    def __init__(self) -> None:
        self.noted: list[str] = []
        self.batches: list[int] = []
        self.failing = False
        self.going = asyncio.Event()
        self.going.set()

    async def take(self, messages: Sequence[Said]) -> list[Result]:  # noqa: D102 (the port says it)
        self.batches.append(len(messages))
        await self.going.wait()
        if self.failing:
            raise StoreAway
        said = [message.payload.decode() for message in messages]
        if "break" in said:
            raise ZeroDivisionError
        self.noted += said
        return [Result.TAKEN] * len(messages)


class Listening:
    """A listener, what it noted, and what it measures."""

    def __init__(self, feed: MqttFeed, noting: Noting, registry: CollectorRegistry) -> None:
        self.feed = feed
        self.noting = noting
        self._registry = registry

    def metric(self, name: str) -> float:
        """Give the value of one line of the metrics; 0 where it is not there."""
        found = re.search(rf"^{re.escape(name)} (\S+)$", generate_latest(self._registry).decode(), re.MULTILINE)
        return float(found.group(1)) if found else 0.0

    @property
    def connected(self) -> bool:
        """Whether the broker is connected."""
        return self.metric('bowei_ingest_mqtt_connected{source="east"}') == 1

    async def noted(self, count: int) -> list[str]:
        """Wait until so much was noted, and give it."""
        await until(lambda: len(self.noting.noted) >= count)
        return self.noting.noted


@pytest.fixture
def broker(server_folder: Path) -> Iterator[Broker]:
    """A broker of this test's own."""
    with running_broker(server_folder / "broker") as running:
        yield running


@asynccontextmanager
async def listening(
    feeds: Path, port: int, noting: Noting | None = None, *, more: str = "", replica: str = "one", up: bool = True
) -> AsyncIterator[Listening]:
    """Listen to a broker until the test is done, as the feeds file says with `more`."""
    host = "" if "host:" in more else ", host: 127.0.0.1"
    said = f"source: east, way: mqtt{host}, port: {port}, topics: ['a/#'], receive_maximum: {ROOM}{more}"
    (feeds / "feeds.yaml").write_text(f"feeds: [{{{said}}}]", "utf-8")
    [broker] = brokers_of(read_feeds_file(feeds / "feeds.yaml", Environment({"PASSWORD": "hunter2", "WRONG": "x"})))
    registry, noting = CollectorRegistry(), noting or Noting()
    listener = Listener(
        broker.feed.said, lambda: account(broker, replica), noting, MqttMeasures(registry), jitter=lambda: 0.0
    )
    listening = Listening(broker.feed.said, noting, registry)
    async with in_background(listener.run):
        if up:
            await until(lambda: listening.connected)
        yield listening


async def until(reached: Callable[[], bool], *, within_s: float = 10.0) -> None:
    """Poll until it is so."""
    async with asyncio.timeout(within_s):
        while not reached():  # noqa: ASYNC110 (what is waited for happens at the broker too)
            await asyncio.sleep(0.01)


async def publish(broker: Broker, *payloads: str, qos: int = 1, retain: bool = False, topic: str = "a/b") -> None:
    """Publish messages, one after the other."""
    async with publisher(broker) as client:
        for payload in payloads:
            await client.publish(topic, payload, qos=qos, retain=retain)


def numbers(count: int) -> list[str]:
    """Name so many messages."""
    return [str(number) for number in range(count)]


async def test_messages_are_noted_in_the_order_in_which_they_were_published(broker: Broker, tmp_path: Path) -> None:
    """One after the other, whatever was retained, kept or live."""
    async with listening(tmp_path, broker.port) as east:
        await publish(broker, *numbers(50))
        assert await east.noted(50) == numbers(50)


async def test_who_is_slow_holds_no_more_than_was_asked_for(broker: Broker, tmp_path: Path) -> None:
    """A flood waits at the broker: of two thousand messages no more than a few are ever here."""
    async with listening(tmp_path, broker.port) as east:
        east.noting.going.clear()
        await publish(broker, *numbers(2_000))
        await until(lambda: bool(east.noting.batches))
        east.noting.going.set()
        assert await east.noted(2_000) == numbers(2_000)
        assert 1 < max(east.noting.batches) <= ROOM  # those that are here share a commit


async def test_what_could_not_be_recorded_is_not_acknowledged(broker: Broker, tmp_path: Path) -> None:
    """Whoever comes back under the same name gets it again, and once it is acknowledged nobody does."""
    noting = Noting()
    noting.failing = True
    async with listening(tmp_path, broker.port, noting):
        await publish(broker, *numbers(5))
        await until(lambda: len(noting.batches) > 1)
    assert noting.noted == []
    async with listening(tmp_path, broker.port) as again:
        assert await again.noted(5) == numbers(5)
    async with listening(tmp_path, broker.port) as last:
        await publish(broker, "end")
        assert await last.noted(1) == ["end"]


async def test_when_the_record_is_back_what_waited_is_noted_once(broker: Broker, tmp_path: Path) -> None:
    """The connection stands meanwhile; what was of now, and acknowledged to nobody, is let go."""
    async with listening(tmp_path, broker.port) as east:
        east.noting.failing = True
        await publish(broker, "old", qos=0)
        await publish(broker, *numbers(30))
        await until(lambda: len(east.noting.batches) > 1)
        east.noting.failing = False
        assert await east.noted(30) == numbers(30)
        assert east.metric('bowei_ingest_mqtt_messages_total{result="dropped",source="east"}') == 1
        assert east.metric('bowei_ingest_mqtt_connects_total{result="connected",source="east"}') == 1


async def test_a_message_that_breaks_its_reader_never_blocks_the_line(broker: Broker, tmp_path: Path) -> None:
    """It is our mistake: it is counted, acknowledged, and the others go on."""
    async with listening(tmp_path, broker.port) as east:
        east.noting.failing = True
        await publish(broker, "1", "break", "2", "3")
        await until(lambda: 4 in east.noting.batches)  # all in one commit
        east.noting.failing = False
        assert await east.noted(3) == ["1", "2", "3"]
        assert east.metric('bowei_ingest_mqtt_messages_total{result="failed",source="east"}') == 1
    async with listening(tmp_path, broker.port) as again:
        await publish(broker, "4")
        assert await again.noted(1) == ["4"]


async def test_two_processes_divide_what_they_share(broker: Broker, tmp_path: Path) -> None:
    """Each message goes to one of them; what is retained goes to both, for a shared subscription gives it to none."""
    await publish(broker, "kept", retain=True, topic="a/kept")
    async with (
        listening(tmp_path, broker.port, more=", share: bowei", replica="one") as one,
        listening(tmp_path, broker.port, more=", share: bowei", replica="two") as two,
    ):
        await one.noted(1)
        await two.noted(1)
        assert set(one.noting.noted) == set(two.noting.noted) == {"kept"}
        await asyncio.sleep(5.5)  # until neither asks for what is retained any more
        await publish(broker, *numbers(100))
        shared = [listener.noting.noted for listener in (one, two)]
        await until(lambda: sum(len([said for said in noted if said != "kept"]) for noted in shared) >= 100)
        shares = [[said for said in noted if said != "kept"] for noted in shared]
        assert sorted(shares[0] + shares[1], key=int) == numbers(100)
        assert all(shares)


async def test_a_listener_comes_back_when_the_broker_does(broker: Broker, tmp_path: Path) -> None:
    """Also when it was away from the start."""
    broker.stop()
    async with listening(tmp_path, broker.port, up=False) as east:
        await until(lambda: east.metric('bowei_ingest_mqtt_connects_total{result="failed",source="east"}') >= 2)
        broker.start()
        await until(lambda: east.connected)
        await publish(broker, "here")
        assert await east.noted(1) == ["here"]


async def test_an_older_broker_s_protocol_is_spoken_too(broker: Broker, tmp_path: Path) -> None:
    """MQTT 3.1.1 has no receive maximum: then nothing is read while there is no room."""
    async with listening(tmp_path, broker.port, more=", protocol: '3.1.1'") as east:
        east.noting.going.clear()
        await publish(broker, *numbers(200))
        await until(lambda: bool(east.noting.batches))
        east.noting.going.set()
        assert await east.noted(200) == numbers(200)
        assert max(east.noting.batches) <= ROOM


async def test_a_session_that_is_not_kept_begins_anew(broker: Broker, tmp_path: Path) -> None:
    """With session_expiry_s 0 nothing that came while nobody was there is taken, not even from a session of before."""
    async with listening(tmp_path, broker.port):
        pass
    await publish(broker, "missed")
    async with listening(tmp_path, broker.port, more=", session_expiry_s: 0") as again:
        await publish(broker, "seen")
        assert await again.noted(1) == ["seen"]


def _certificates(folder: Path) -> None:
    """Make an authority's certificate, and a broker's that it signed."""
    now = datetime.now(UTC)
    authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
    until_when = now + timedelta(days=1)
    root = (
        x509.CertificateBuilder(issuer, issuer, authority.public_key(), 1, now, until_when)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority, SHA256())
    )
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker")])
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    own = (
        x509.CertificateBuilder(issuer, subject, key.public_key(), 2, now, until_when)
        .add_extension(names, critical=False)
        .sign(authority, SHA256())
    )
    (folder / "ca.pem").write_bytes(root.public_bytes(Encoding.PEM))
    (folder / "broker.pem").write_bytes(own.public_bytes(Encoding.PEM))
    (folder / "broker.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


@pytest.fixture
def guarded(server_folder: Path) -> Iterator[Broker]:
    """A broker with TLS and accounts: east may read a, and nobody else anything."""
    folder = server_folder / "guarded"
    folder.mkdir()
    _certificates(folder)
    (folder / "passwords").write_text("east:hunter2\n", "utf-8")
    (folder / "acl").write_text("user east\ntopic read a/#\n", "utf-8")
    (folder / "acl").chmod(0o700)
    subprocess.run([find_program("mosquitto_passwd"), "-U", str(folder / "passwords")], check=True)
    broker = Broker(
        folder,
        more="listener {port} 127.0.0.1\nallow_anonymous false\n"
        f"password_file {folder}/passwords\nacl_file {folder}/acl\n"
        f"cafile {folder}/ca.pem\ncertfile {folder}/broker.pem\nkeyfile {folder}/broker.key\n",
    )
    broker.start()
    yield broker
    broker.stop()


ACCOUNT = ", tls: true, ca_file: ca.pem, username: east, secret_env: PASSWORD"


async def test_a_broker_with_tls_and_an_account_is_listened_to(
    guarded: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    """And the password is in no line of the log."""
    async with listening(guarded.folder, guarded.port, more=ACCOUNT) as east:
        assert east.connected
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize(
    ("more", "cause"),
    [
        (", tls: true, username: east, secret_env: PASSWORD", "CERTIFICATE_VERIFY_FAILED"),
        (
            ", tls: true, ca_file: ca.pem, host: localhost, username: east, secret_env: PASSWORD",
            "doesn't match|not valid",
        ),
        (ACCOUNT.replace("PASSWORD", "WRONG"), "Not authorized"),
        (", tls: true, ca_file: ca.pem", "Not authorized"),
        (", tls: false, username: east, secret_env: PASSWORD", "lost|TimeoutError|refused"),
        (ACCOUNT.replace("ca.pem", "nowhere.pem"), "No such file"),
    ],
)
async def test_a_broker_that_is_not_the_right_one_or_does_not_want_us_is_not_listened_to(
    guarded: Broker, more: str, cause: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An unknown authority, another name, a wrong password, none, no TLS: each is said, and tried again."""
    async with listening(guarded.folder, guarded.port, more=more, up=False) as east:
        await until(
            lambda: east.metric('bowei_ingest_mqtt_connects_total{result="failed",source="east"}') >= 2, within_s=30
        )
        assert not east.connected
    [first, *_] = [record for record in caplog.records if record.message == "broker_lost"]
    assert re.search(cause, str(vars(first)["cause"]))
    assert "hunter2" not in caplog.text
