"""Pushes in a sender's own shape: whose they are, what becomes of them, and what the sender hears."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response

from bowei.observability.environment import Environment
from bowei.observability.operator_files import FileWrong
from bowei.records.failures import StoreAway
from bowei.records.registering import SourceKind
from services.ingest.feeds_file import read_feeds_file
from services.ingest.fieldmaps.pushing import Pushes, keyless_sources, pushes_of
from tests.service.ingest_app import KEY, NOW, OTHER_KEY, IngestWorld, ingest, results

SECRET = "the vendor's own secret"
AT = "/api/vendor/callback"
COUNTS = "messages: [{items: '$.lots[*]', lot: code, observed_at: at, counts: {free: left, capacity: all}}]"
SIGNED = """
signing:
  scheme: hmac-sha256
  sign: sign
  over: [{sorted: {leave_out: [sign]}}]
  time: {path: time, format: epoch_s, window_s: 300}
  nonce: nonce
reply:
  accepted: {body: {ResultCode: 200, ResultMsg: ok, uuid: "{member:nonce}"}}
  refused: {status: 403, body: {ResultCode: 400, ResultMsg: "{code}"}}
  try_again: {body: {ResultCode: 500, ResultMsg: "{code}"}}
"""


def pushes(tmp_path: Path, a_map: str = "", feed: str = "") -> Pushes:
    """Make ready one feed of the vendor."""
    (tmp_path / "own.yaml").write_text(f"map: own\nabout: a test\ntimezone: Asia/Shanghai\n{COUNTS}\n{a_map}")
    (tmp_path / "secret").write_text(SECRET)
    text = f"feeds:\n  - {{source: vendor, way: push, map: own.yaml, {feed}}}"
    (tmp_path / "feeds.yaml").write_text(text)
    return pushes_of(read_feeds_file(tmp_path / "feeds.yaml", Environment({})))


def lots(*left: object, code: str = "1001", at: str = "2026-03-02 08:59:57") -> dict[str, Any]:
    """Write what the vendor says of its lots."""
    return {"lots": [{"code": code, "at": at, "left": one, "all": 300} for one in left]}


def signed(said: Mapping[str, Any], *, nonce: str = "n1", ago_s: float = 0) -> bytes:
    """Write a push as the vendor signs it."""
    time = str(int((NOW - timedelta(seconds=ago_s)).timestamp()))
    whole = {**said, "time": time, "nonce": nonce}
    body = json.dumps(whole, separators=(",", ":"))
    raw = json.dumps(said["lots"], separators=(",", ":"))
    text = f"lots={raw}&nonce={nonce}&time={time}"
    return body[:-1].encode() + f',"sign":"{hmac.digest(SECRET.encode(), text.encode(), "sha256").hex()}"}}'.encode()


async def post(world: IngestWorld, body: bytes, path: str = AT, **headers: str) -> Response:
    """Post a push."""
    return await world.client.post(path, content=body, headers={"Content-Type": "application/json"} | headers)


def vendor(tmp_path: Path) -> Pushes:
    """Give the feed of the vendor that signs, and has an address that it can't change."""
    return pushes(tmp_path, SIGNED, f"path: {AT}, secret_file: secret")


async def test_a_signed_push_is_shown_and_answered_in_the_vendor_s_words(tmp_path: Path) -> None:
    """Proves the whole way from a vendor's bytes to what everyone sees."""
    async with ingest(pushes=vendor(tmp_path)) as world:
        answer = await post(world, signed(lots("１１８")))
        assert (answer.status_code, answer.json()) == (200, {"ResultCode": 200, "ResultMsg": "ok", "uuid": "n1"})
        seen = await world.seen()
        assert seen is not None
        assert (seen.free, seen.capacity) == (118, 300)
        assert seen.observed_at == NOW - timedelta(seconds=3)
        assert await world.metric('bowei_ingest_observations_total{result="applied",way="push"}') == 1


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda body: body.replace(b"118", b"119"), "signature_wrong"),
        (lambda body: body[:-10], "malformed_body"),
        (lambda _: b"{}", "signature_wrong"),
        (lambda _: b"\xff", "signature_wrong"),
        (lambda _: b"[1]", "signature_wrong"),
        (lambda _: b"", "signature_wrong"),
    ],
)
async def test_a_push_that_is_not_the_vendor_s_changes_nothing(tmp_path: Path, spoil: Any, code: str) -> None:
    """Proves that nothing of it is kept, and that the vendor hears why in its own shape."""
    async with ingest(pushes=vendor(tmp_path)) as world:
        before = world.everything_kept()
        answer = await post(world, spoil(signed(lots(118))))
        assert (answer.status_code, answer.json()["ResultMsg"]) == (403, code)
        assert world.everything_kept() == before
        assert await world.metric(f'bowei_ingest_pushes_refused_total{{code="{code}"}}') == 1


async def test_a_caught_push_grows_old_and_is_not_taken_twice(tmp_path: Path) -> None:
    """Proves the window, that a repeat is answered and not taken, and that a number belongs to one push."""
    async with ingest(pushes=vendor(tmp_path)) as world:
        for ago_s in (301, -301):
            assert (await post(world, signed(lots(5), ago_s=ago_s))).json()["ResultMsg"] == "signature_old"
        first = signed(lots(118))
        assert (await post(world, first)).json()["ResultMsg"] == "ok"
        assert (await post(world, signed(lots(7, at="2026-03-02 08:59:58"), nonce="n2"))).json()["ResultMsg"] == "ok"
        kept = world.everything_kept()
        assert (await post(world, first)).json()["ResultMsg"] == "ok"
        assert (await post(world, signed(lots(9)))).json()["ResultMsg"] == "replayed"
        assert world.everything_kept() == kept


async def test_with_the_record_away_the_vendor_is_told_to_come_again_and_then_heard(tmp_path: Path) -> None:
    """Proves that a push which was not acknowledged may be sent again as it is."""
    async with ingest(pushes=vendor(tmp_path)) as world:
        world.journal.failing = StoreAway()
        answer = await post(world, signed(lots(118)))
        assert answer.json() == {"ResultCode": 500, "ResultMsg": "store_away"}
        world.journal.failing = None
        assert (await post(world, signed(lots(118)))).json()["ResultMsg"] == "ok"
        assert len(world.records.observations) == 1


async def test_a_push_all_in_vain_is_refused_and_one_in_part_is_not(tmp_path: Path) -> None:
    """Proves that a vendor with a wrong code hears of it, and one bad lot does not make it send for ever."""
    async with ingest(pushes=vendor(tmp_path)) as world:
        answer = await post(world, signed(lots(5, code="nowhere")))
        assert (answer.status_code, answer.json()["ResultMsg"]) == (403, "unknown_lot")
        part = {"lots": lots(5, code="nowhere")["lots"] + lots(118)["lots"]}
        assert (await post(world, signed(part, nonce="n2"))).json()["ResultMsg"] == "ok"
        changed = await post(world, signed({"lots": []}, nonce="n3"))
        assert changed.json()["ResultMsg"] == "missing_field"


async def test_without_a_reply_of_its_own_each_item_has_a_result(tmp_path: Path) -> None:
    """Proves the answer that native senders get, by the key of the feed."""
    async with ingest(pushes=pushes(tmp_path, "", "secret_file: secret")) as world:
        said = {"lots": [*lots(118, "--")["lots"], {"left": 3}, *lots(304)["lots"]]}
        body = json.dumps(said).encode()
        answer = await post(world, body, "/v1/feeds/vendor", Authorization=f"Bearer {SECRET}")
        assert results(answer) == [
            ("applied", None),
            ("applied", None),
            ("rejected", "missing_field"),
            ("quarantined", "free_above_capacity"),
        ]
        assert answer.json()["results"][2]["field"] == "code"
        for key, code in ((None, "key_missing"), (f"Bearer {SECRET}x", "key_wrong"), (f"Bearer {KEY}", "key_wrong")):
            headers = {} if key is None else {"Authorization": key}
            refused = await post(world, body, "/v1/feeds/vendor", **headers)
            assert (refused.status_code, refused.json()["code"]) == (401, code)
        assert (await post(world, body, "/v1/feeds/malls")).status_code == 404


@pytest.mark.parametrize("scheme", ["bearer", "basic"])
async def test_a_native_source_may_push_in_another_shape_with_its_own_key(tmp_path: Path, scheme: str) -> None:
    """Proves that a key of ours opens only its own source's feed."""
    (tmp_path / "own.yaml").write_text(f"map: own\nabout: x\n{COUNTS}\nsigning: {{scheme: {scheme}}}")
    (tmp_path / "feeds.yaml").write_text("feeds: [{source: malls, way: push, map: own.yaml}]")
    ready = pushes_of(read_feeds_file(tmp_path / "feeds.yaml", Environment({})))
    body = json.dumps(lots(118, at="2026-03-02T00:59:57Z")).encode()

    def said(key: str, user: str = "malls") -> str:
        return f"Bearer {key}" if scheme == "bearer" else f"Basic {base64.b64encode(f'{user}:{key}'.encode()).decode()}"

    async with ingest(pushes=ready) as world:
        answer = await post(world, body, "/v1/feeds/malls", Authorization=said(KEY))
        assert results(answer) == [("applied", None)]
        for wrong in (said(OTHER_KEY), said("x"), "Basic !", "Bearer", said(KEY, user="other") + "x"):
            assert (await post(world, body, "/v1/feeds/malls", Authorization=wrong)).status_code == 401


async def test_whoever_knows_an_unsigned_address_is_heard_only_where_the_operator_says_so(tmp_path: Path) -> None:
    """Proves that a feed without any secret is closed unless it is said to be open."""
    body = json.dumps(lots(118)).encode()
    async with ingest(pushes=pushes(tmp_path)) as world:
        assert (await post(world, body, "/v1/feeds/vendor")).status_code == 401
    async with ingest(pushes=pushes(tmp_path, "", "unsigned: true")) as world:
        assert results(await post(world, body, "/v1/feeds/vendor")) == [("applied", None)]


async def test_a_feed_that_pushes_too_often_or_too_much_is_refused(tmp_path: Path) -> None:
    """Proves both limits, and that a large body within them is read."""
    async with ingest(pushes=pushes(tmp_path, "", "unsigned: true, per_minute: 3")) as world:
        large = json.dumps(lots(*range(1_200))).encode()
        assert len(large) > 64 * 1024
        answer = await post(world, large, "/v1/feeds/vendor")
        assert len(answer.json()["results"]) == 1_200
        for body, status in ((b" " * (1024 * 1024 + 1), 413), (b"[1", 400), (b"{}", 200), (b"{}", 429)):
            assert (await post(world, body, "/v1/feeds/vendor")).status_code == status


async def test_a_stranger_does_not_use_up_what_the_sender_may_send(tmp_path: Path) -> None:
    """Proves that only pushes which are the sender's own are counted against its limit."""
    async with ingest(pushes=pushes(tmp_path, SIGNED, f"path: {AT}, secret_file: secret, per_minute: 1")) as world:
        for _ in range(5):
            assert (await post(world, b'{"sign":"x"}')).json()["ResultMsg"] == "signature_wrong"
        assert (await post(world, signed(lots(118)))).json()["ResultMsg"] == "ok"
        assert (await post(world, signed(lots(118), nonce="n2"))).json()["ResultMsg"] == "too_many_requests"


async def test_a_suspended_source_s_push_is_not_taken(tmp_path: Path) -> None:
    """Proves it for a feed that has a secret and not a key of ours."""
    (tmp_path / "own.yaml").write_text(f"map: own\nabout: x\n{COUNTS}")
    (tmp_path / "feeds.yaml").write_text("feeds: [{source: liar, way: push, map: own.yaml, unsigned: true}]")
    ready = pushes_of(read_feeds_file(tmp_path / "feeds.yaml", Environment({})))
    async with ingest(pushes=ready) as world:
        before = world.everything_kept()
        answer = await post(world, json.dumps(lots(118)).encode(), "/v1/feeds/liar")
        assert results(answer) == [("rejected", "not_allowed")]
        assert world.everything_kept() == before


async def test_without_a_feeds_file_there_is_no_such_address() -> None:
    """Proves that the way in is off unless it is described."""
    async with ingest() as world:
        assert (await post(world, b"{}", "/v1/feeds/vendor")).status_code == 404


async def test_a_form_signed_by_a_sum_of_its_fields_is_read(tmp_path: Path) -> None:
    """Proves another vendor's whole way: a form, an md5, an address of its own."""
    (tmp_path / "own.yaml").write_text(
        "map: own\nabout: x\ndocument: {format: form}\nmessages: [{lot: parkid, counts: {free: spaceLeft}}]\n"
        "signing: {scheme: md5, sign: sign, over: [{sorted: {leave_out: [sign]}}, {text: '&key='}, {secret: true}]}"
    )
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "feeds.yaml").write_text(
        "feeds: [{source: vendor, way: push, map: own.yaml, path: /up, secret_file: secret}]"
    )
    ready = pushes_of(read_feeds_file(tmp_path / "feeds.yaml", Environment({})))
    sign = hashlib.md5(f"parkid=1001&spaceLeft=30+&key={SECRET}".encode()).hexdigest()  # noqa: S324 (the vendors' choice)
    async with ingest(pushes=ready) as world:
        answer = await world.client.post("/up", data={"parkid": "1001", "spaceLeft": "30+", "sign": sign})
        assert results(answer) == [("applied", None)]
        seen = await world.seen()
        assert seen is not None
        assert seen.free == 30


@pytest.mark.parametrize(
    ("a_map", "feed", "said"),
    [
        (SIGNED, "", "the feed of vendor: its map says that it is signed. Say secret_file or secret_env."),
        (SIGNED, "unsigned: true, secret_file: secret", "the feed of vendor: it is signed, or has a secret. Remove"),
        ("colour: red", "", "the map of vendor: colour: There is no such field."),
        (
            "signing: {scheme: rsa-sha256, sign: sign, over: [{body: true}]}",
            "secret_file: secret",
            "the feed of vendor: its secret is to be the sender's public key, and is none: neither PEM nor base64.",
        ),
    ],
)
def test_a_feed_that_does_not_fit_its_map_stops_the_start(tmp_path: Path, a_map: str, feed: str, said: str) -> None:
    """Proves that an operator hears at start what would refuse every push."""
    with pytest.raises(FileWrong) as refused:
        pushes(tmp_path, a_map, feed)
    assert str(refused.value).startswith(said)
    assert SECRET not in str(refused.value)


def test_a_feed_that_nobody_has_a_key_for_is_named(tmp_path: Path) -> None:
    """Proves that an operator hears why every push would be refused; a native source has a key, a secret is one."""
    kinds = {"vendor": SourceKind.FEED}
    assert list(keyless_sources(pushes(tmp_path), kinds)) == ["vendor"]
    assert list(keyless_sources(pushes(tmp_path), {"vendor": SourceKind.NATIVE})) == []
    assert list(keyless_sources(pushes(tmp_path, "", "secret_file: secret"), kinds)) == []
    assert list(keyless_sources(pushes(tmp_path, "", "unsigned: true"), kinds)) == []
    assert list(keyless_sources(vendor(tmp_path), kinds)) == []


def test_a_map_that_names_no_lot_needs_it_in_the_feed(tmp_path: Path) -> None:
    """Proves that nothing is read as nobody's."""
    (tmp_path / "own.yaml").write_text("map: own\nabout: x\nmessages: [{counts: {free: left}}]")
    for more, fits in (("", False), (", lot: '1001'", True)):
        (tmp_path / "feeds.yaml").write_text(f"feeds: [{{source: vendor, way: push, map: own.yaml{more}}}]")
        feeds = read_feeds_file(tmp_path / "feeds.yaml", Environment({}))
        if fits:
            assert len(pushes_of(feeds).by_address) == 1
        else:
            with pytest.raises(FileWrong, match="names no lot"):
                pushes_of(feeds)
