"""Where a request may lead: nobody makes us ask inside, and nobody but the one that was meant hears a secret."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from services.ingest.pulling.failures import Failure
from services.ingest.pulling.fetching import Ask, Fetcher
from services.ingest.pulling.targets import is_public
from tests.service.feed_server import by_path, feed_server, reply
from tests.service.fetching_here import BODY, bounds, failure_of, fetch, fetcher, sent_on


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 (nothing is bound)
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
        ("::127.0.0.1", False),
        ("::ffff:0:7f00:1", False),
        ("64:ff9b:1::a00:1", False),
        ("fec0::1", False),
        ("64:ff9b::808:808", True),
    ],
)
def test_an_address_inside_is_known_however_it_is_written(address: str, public: bool) -> None:
    """Also where IPv6 carries IPv4."""
    assert is_public(address) is public


async def test_nobody_makes_us_ask_inside() -> None:
    """One inside address among those of a name is enough to refuse it, and nothing is asked."""
    async with feed_server(reply(BODY)) as server:
        for addresses in (["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:127.0.0.1"]):
            failure, detail = await failure_of(
                fetcher({"feed.example": addresses}).fetch(
                    Ask(server.url(host="feed.example")), bounds(allow_private=False)
                )
            )
            assert failure is Failure.TARGET_REFUSED
            assert "feed.example is an address inside" in detail
        assert server.asked == []


async def test_the_address_that_was_checked_is_the_one_that_is_asked() -> None:
    """A name that means something else a moment later changes nothing: it is looked up once."""
    looked_up: list[str] = []

    async def resolves(host: str, _: int) -> list[str]:
        looked_up.append(host)
        return ["127.0.0.1"] if len(looked_up) == 1 else ["192.0.2.1"]

    async with feed_server(reply(BODY)) as server:
        ask = Ask(server.url(host="feed.example"))
        answer = await Fetcher(resolves=resolves).fetch(ask, bounds())
        assert (answer.body, looked_up) == (BODY, ["feed.example"])
        assert server.asked[0].headers["host"] == f"feed.example:{server.port}"


async def test_the_next_address_is_tried_where_one_takes_no_connection() -> None:
    """As of a name with an address of IPv6 on a machine without it."""
    async with feed_server(reply(BODY)) as server:
        ask = Ask(server.url(host="feed.example"))
        assert (await fetcher({"feed.example": ["127.0.0.9", "127.0.0.1"]}).fetch(ask, bounds())).body == BODY


async def test_a_name_without_address_and_a_closed_port_are_unreachable() -> None:
    """Each says the host."""

    async def nowhere(*_: object) -> list[str]:
        raise OSError

    ask = Ask("http://feed.example:9/")
    expected = (Failure.UNREACHABLE, "the name feed.example has no address")
    assert await failure_of(Fetcher(resolves=nowhere).fetch(ask, bounds())) == expected
    async with feed_server(reply(BODY)) as server:
        url = server.url()
    assert await failure_of(fetcher().fetch(Ask(url), bounds())) == (
        Failure.UNREACHABLE,
        "127.0.0.1 takes no connection",
    )


async def test_it_may_be_sent_on_within_its_host() -> None:
    """A few times."""
    answers = by_path(old=sent_on("/older"), older=sent_on("new?page=1", "308 Moved"), new=reply(BODY))
    async with feed_server(answers) as server:
        assert (await fetch(server, "/old")).body == BODY
        assert [asked.path for asked in server.asked] == ["/old", "/older", "/new?page=1"]


async def test_it_is_not_sent_in_circles() -> None:
    """Three times is enough."""
    async with feed_server(sent_on("/status")) as server:
        assert (await failure_of(fetch(server)))[0] is Failure.TARGET_REFUSED
        assert len(server.asked) == 4


async def test_it_is_sent_to_no_other_host_but_a_declared_one_and_never_inside() -> None:
    """A declared host is looked up and checked like the first; an inside one is refused all the same."""
    names = {"feed.example": ["127.0.0.1"], "cdn.example": ["127.0.0.1"]}
    async with feed_server(reply(BODY)) as other, feed_server(sent_on(other.url(host="cdn.example"))) as server:
        ask = Ask(server.url(host="feed.example"))
        failure, detail = await failure_of(fetcher(names).fetch(ask, bounds()))
        assert (failure, "redirect_hosts" in detail) == (Failure.TARGET_REFUSED, True)
        assert other.asked == []
        declared = bounds(redirect_hosts=frozenset({"cdn.example"}))
        assert (await fetcher(names).fetch(ask, declared)).body == BODY


async def test_a_public_server_can_not_send_us_inside() -> None:
    """Here 127.0.0.1 stands for an address outside; what it leads to is looked at as the first one was."""
    names = {"feed.example": ["127.0.0.1"], "inside.example": ["127.0.0.2"]}

    async def resolves(host: str, _: int) -> list[str]:
        return names[host]

    looking = Fetcher(resolves=resolves, is_outside=lambda address: address == "127.0.0.1")
    within = bounds(allow_private=False, redirect_hosts=frozenset({"inside.example"}))
    async with feed_server(reply(BODY)) as inside:
        answers = by_path(good=sent_on("/status"), status=reply(BODY), bad=sent_on(inside.url(host="inside.example")))
        async with feed_server(answers) as server:
            assert (await looking.fetch(Ask(server.url("/good", "feed.example")), within)).body == BODY
            failure, detail = await failure_of(looking.fetch(Ask(server.url("/bad", "feed.example")), within))
    assert failure is Failure.TARGET_REFUSED
    assert detail.startswith("inside.example is an address inside")
    assert inside.asked == []


async def test_a_secret_goes_to_no_other_host() -> None:
    """Neither Authorization nor a header that the operator named as holding it."""
    names = {"feed.example": ["127.0.0.1"], "cdn.example": ["127.0.0.1"]}
    async with feed_server(reply(BODY)) as other, feed_server(sent_on(other.url(host="cdn.example"))) as server:
        headers = {"Authorization": "Bearer hunter2", "X-Key": "hunter2", "X-Plain": "city"}
        ask = Ask(server.url(host="feed.example"), headers=headers, secret_headers=frozenset({"x-key"}))
        await fetcher(names).fetch(ask, bounds(redirect_hosts=frozenset({"cdn.example"})))
        assert server.asked[0].headers["x-key"] == "hunter2"
        assert "hunter2" not in str(other.asked[0].headers)
        assert other.asked[0].headers["x-plain"] == "city"
        assert "hunter2" not in repr(ask) + repr(Ask("https://feed.example/?key=hunter2"))


async def test_without_tls_only_where_the_operator_accepts_it() -> None:
    """An http:// address is refused before anybody is asked."""
    async with feed_server(reply(BODY)) as server:
        assert await failure_of(fetch(server, insecure=False)) == (Failure.TARGET_REFUSED, "it leads away from TLS")
        assert server.asked == []


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    """Make a certificate that nobody vouches for; give a server's TLS with it, and its file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(IPv4Address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, SHA256())
    )
    public, private = folder / "cert.pem", folder / "key.pem"
    public.write_bytes(made.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(public, private)
    return tls, public


async def test_a_certificate_that_nobody_vouches_for_is_refused_in_words(tmp_path: Path) -> None:
    """The operator reads why; with the file of the authority it works, and only for its own name."""
    tls, public = certificate(tmp_path, "feed.example")
    names = {"feed.example": ["127.0.0.1"], "other.example": ["127.0.0.1"]}
    trusting = ssl.create_default_context(cafile=str(public))
    async with feed_server(reply(BODY), tls) as server:
        ask = Ask(server.url(host="feed.example", scheme="https"))
        failure, detail = await failure_of(fetcher(names).fetch(ask, bounds(insecure=False)))
        assert failure is Failure.TLS
        assert detail.startswith("feed.example: self")
        answer = await fetcher(names).fetch(ask, bounds(insecure=False, tls=trusting))
        assert answer.body == BODY
        other = Ask(server.url(host="other.example", scheme="https"))
        failure, detail = await failure_of(fetcher(names).fetch(other, bounds(insecure=False, tls=trusting)))
        assert failure is Failure.TLS
        assert "ostname mismatch" in detail


async def test_a_server_without_tls_where_there_should_be_some_is_refused() -> None:
    """As of an address with the wrong port."""

    def plainly(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(plainly, "127.0.0.1", 0)
    async with server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        failure, _ = await failure_of(fetcher().fetch(Ask(url), bounds()))
    assert failure is Failure.TLS


async def test_it_is_not_sent_away_from_tls(tmp_path: Path) -> None:
    """Even where the operator would accept it for an address of his own."""
    tls, public = certificate(tmp_path, "feed.example")
    async with feed_server(reply(BODY)) as plain, feed_server(sent_on(plain.url()), tls) as server:
        within = bounds(tls=ssl.create_default_context(cafile=str(public)))
        failure, detail = await failure_of(fetcher().fetch(Ask(server.url(scheme="https")), within))
        assert (failure, detail) == (Failure.TARGET_REFUSED, "it is sent away from TLS")
        assert plain.asked == []
