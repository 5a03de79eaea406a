"""Signed reports: a source shows that a report is its own, and its key is never sent."""

from collections.abc import Iterator
from datetime import timedelta

import msgspec
import pytest
from httpx2 import Response

from bowei.domain.lots import LotId, SourceId
from bowei.records.registering import Source, SourceKind, key_sha256_of
from services.ingest.native.signing import WINDOW, sign
from tests.service.ingest_app import KEY, MALL, IngestWorld, ingest, observation, passage, results

SECOND = timedelta(seconds=1)
BODY = msgspec.json.encode({"items": [observation()]})


def header(
    world: IngestWorld,
    body: bytes = BODY,
    *,
    path: str = "/v1/observations",
    source: str = "malls",
    key: str = KEY,
    method: str = "POST",
    ago: timedelta = timedelta(0),
) -> str:
    """Sign as a source does."""
    at_s = int((world.clock.now() - ago).timestamp())
    signature = sign(key_sha256_of(key), at_s, method, path, body).hex()
    return f"Bowei-HMAC-SHA256 source={source},at={at_s},signature={signature}"


async def post(world: IngestWorld, authorization: str, body: bytes = BODY, path: str = "/v1/observations") -> Response:
    """Post a body with an Authorization header."""
    headers = {"Authorization": authorization, "Content-Type": "application/json"}
    return await world.client.post(path, content=body, headers=headers)


def refused_as(answer: Response) -> tuple[int, str]:
    """Give status and code of a refusal."""
    return answer.status_code, answer.json()["code"]


async def test_what_is_signed_is_taken_at_each_address_and_a_repeat_changes_nothing() -> None:
    """Also with the clocks nearly five minutes apart, either way."""
    async with ingest() as world:
        authorization = header(world)
        assert results(await post(world, authorization)) == [("applied", None)]
        assert results(await post(world, authorization)) == [("duplicate", None)]
        for ago in (WINDOW - SECOND, SECOND - WINDOW):
            assert (await post(world, header(world, ago=ago))).status_code == 200
        for path, item in (
            ("/v1/passages", passage()),
            ("/v1/heartbeats", {"lot_id": "mall", "sent_at": "2026-03-02T00:59:58Z"}),
        ):
            body = msgspec.json.encode({"items": [item]})
            answer = await post(world, header(world, body, path=path), body, path)
            assert answer.status_code == 200, answer.text
            assert answer.json()["accepted"] == 1, answer.text
        report = await world.seen(MALL)
        assert report is not None
        assert report.free == 118 - 1


def forgeries(world: IngestWorld) -> Iterator[tuple[str, str, bytes]]:
    """Give what is wrong, the header and the body."""
    good = header(world)
    named, at, signature = good.split(",")
    yield "another body", good, BODY.replace(b"118", b"119")
    yield "a space more", good, BODY + b" "
    yield "no body", good, b""
    yield "another address", header(world, path="/v1/passages"), BODY
    yield "another method", header(world, method="PUT"), BODY
    yield "another key", header(world, key=KEY + "x"), BODY
    yield "another source", header(world, source="office"), BODY
    yield "no such source", header(world, source="nobody"), BODY
    yield "a later instant", f"{named},at={int(at[3:]) + 1},{signature}", BODY
    for place in range(len("signature="), len(signature)):
        digit = "0" if signature[place] != "0" else "1"
        yield f"digit {place}", f"{named},{at},{signature[:place]}{digit}{signature[place + 1 :]}", BODY
    yield "cut short", good[:-1], BODY
    yield "longer", good + "0", BODY
    yield "no instant", f"{named},{signature}", BODY
    yield "two instants", f"{named},{at},{at},{signature}", BODY
    yield "a signed instant", f"{named},at=-1,{signature}", BODY
    yield "a huge instant", f"{named},at={'9' * 12},{signature}", BODY
    yield "no signature", f"{named},{at},signature=", BODY
    yield "no source", f"Bowei-HMAC-SHA256 {at},{signature}", BODY
    yield "nothing", "Bowei-HMAC-SHA256", BODY
    at_s = int(at[3:])
    by_nothing = sign(b"", at_s, "POST", "/v1/observations", BODY).hex()
    for source in ("brain", "nobody"):
        yield f"{source} has no key", f"Bowei-HMAC-SHA256 source={source},{at},signature={by_nothing}", BODY
    yield "the key's hash as signature", f"{named},{at},signature={key_sha256_of(KEY).hex()}", BODY


async def test_no_forged_or_altered_report_is_taken() -> None:
    """Whatever is changed of it; and what is refused is not shown."""
    tried = 0
    async with ingest() as world:
        for what, authorization, body in forgeries(world):
            assert refused_as(await post(world, authorization, body)) == (401, "signature_wrong"), what
            tried += 1
        assert await world.seen(MALL) is None
    assert tried > 80


async def test_what_was_signed_long_ago_is_refused_and_said_to_be_old() -> None:
    """A copy of a report is worth nothing after five minutes, and a clock that is wrong is told."""
    async with ingest() as world:
        for ago in (WINDOW + SECOND, -WINDOW - SECOND, timedelta(days=365)):
            assert refused_as(await post(world, header(world, ago=ago))) == (401, "signature_old")
        kept = header(world)
        world.step(301)
        assert refused_as(await post(world, kept)) == (401, "signature_old")
        assert await world.seen(MALL) is None


async def test_where_reports_must_be_signed_a_key_opens_nothing() -> None:
    """Not even the right one; a signature does."""
    async with ingest(signed_only=True) as world:
        assert refused_as(await world.observe(observation())) == (401, "signature_missing")
        assert (await post(world, header(world))).status_code == 200


@pytest.mark.parametrize("suspended", [False, True])
async def test_a_source_registered_a_moment_ago_is_known_and_one_that_is_suspended_is_not_heard(
    suspended: bool,
) -> None:
    """As with keys; whether somebody is suspended is told only to whoever can sign."""
    async with ingest() as world:
        assert (await post(world, header(world))).status_code == 200
        key = "new.a-secret-that-nobody-has-seen-before"
        source = Source(
            SourceId("new"),
            SourceKind.NATIVE,
            key_sha256_of(key),
            lots=(("mall", LotId("mall")),),
            suspended=suspended,
        )
        await world.register.put_sources([source])
        answer = await post(world, header(world, source="new", key=key))
        assert answer.status_code == (403 if suspended else 200), answer.text
        assert refused_as(await post(world, header(world, source="new"))) == (401, "signature_wrong")
