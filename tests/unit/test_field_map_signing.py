"""Signing: whose a push is, by the ways that vendors have of showing it."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bowei.domain.problems import Refused
from services.ingest.fieldmaps.field_map import FieldMap
from services.ingest.fieldmaps.replays import Met, Replays
from services.ingest.fieldmaps.signing import SigningIn, at, fits, places_of, signed_text

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


def signing(**said: Any) -> SigningIn:
    """Give a signing as a map says it."""
    return SigningIn.model_validate(said)


def shipped(name: str) -> SigningIn:
    """Give the signing of a map that ships."""
    how = FieldMap.shipped(name).said.signing
    assert how is not None
    return how


SZYMZH, HEFEI = shipped("szymzh"), shipped("hefei-tyh")


def is_signed(
    how: SigningIn, body: bytes, secret: str, headers: dict[str, str] | None = None, *, form: bool = False
) -> bool:
    """Say whether a push is signed by this secret."""
    places = places_of(body, headers or {}, form=form)
    return fits(how, at(places, how.sign or ""), signed_text(how, places, body, secret), secret)


def test_sorted_members_with_the_key_behind() -> None:
    """Proves it on the example that a vendor of this family publishes, and that a change of one letter is noticed."""
    how = signing(
        scheme="md5", sign="sign", over=[{"sorted": {"leave_out": ["sign"]}}, {"text": "&key="}, {"secret": True}]
    )
    content = '{"enterTime":"2018-01-01 11:00:00","parkCode":"TEST/1P1","plateNum":"粤B12345"}'
    said = {
        "pid": "123456",
        "serviceName": "enterNotify",
        "timestamp": 1539571096,
        "bizContent": content,
        "empty": "",
        "nothing": None,
        "sign": "EE454BE0DE3D211559865DA33745E589",
    }
    key = "45DC1F8604F940829E75D6A76595C299"
    assert is_signed(how, json.dumps(said).encode(), key)
    assert not is_signed(how, json.dumps(said | {"pid": "123457"}).encode(), key)
    assert not is_signed(how, json.dumps(said).encode(), key + "0")


def test_the_data_as_it_was_sent_with_the_key_behind() -> None:
    """Proves it on a published example: spaces and order within the signed member are the sender's."""
    how = signing(scheme="md5", sign="sign", over=[{"value": "data"}, {"text": "key="}, {"secret": True}])
    data = b'{"union_id":"200208","park_id":"21835","local_id":"0071cc97102b_1001_qh321_quanhao-atest1"}'
    body = b'{"service_name":"login", "sign":"CB649425CB5548A375099103AB04CC1E", "data":' + data + b"}"
    assert is_signed(how, body, "8403A41ED5EF20BC")
    assert not is_signed(how, body.replace(b",", b", "), "8403A41ED5EF20BC")


def test_a_digest_of_the_data_within_the_signed_text() -> None:
    """Proves that the text which a vendor's example shows is the one that is signed, in lower case."""
    how = SZYMZH
    data = {"PageIndex": 1, "PageSize": 25, "OrderBy": "Uid", "OrderType": 0, "QueryCondition": []}
    said = {
        "ParkKey": "1726313394251322",
        "AppId": "fvytu5eq",
        "TimeStamp": "1728559158205",
        "Nonce": "836867",
        "Data": data,
    }
    places = places_of(json.dumps(said).encode(), {}, form=False)
    text = signed_text(how, places, b"", "secret")
    assert text == (
        b"appid=fvytu5eq&data=0a78297be1cf12b1faf9efa8b74f1c5e&parkkey=1726313394251322"
        b"&timestamp=1728559158205&nonce=836867"
    )
    sign = base64.b64encode(hmac.digest(b"secret", text, "sha256")).decode()
    assert fits(how, sign.lower(), text, "secret")
    assert not fits(how, sign.lower(), text, "Secret")


@pytest.mark.parametrize("scheme", ["hmac-sha1", "hmac-sha256"])
def test_a_digest_of_the_body_in_a_header(scheme: str) -> None:
    """Proves it with a prefix, a time in a header, and any case of the header's name and of the hex."""
    how = signing(
        scheme=scheme,
        sign="header:X-Sign",
        prefix="v1=",
        over=[{"value": "header:X-Time"}, {"text": "."}, {"body": True}],
    )
    digest = hmac.digest(b"secret", b"17.[1, 2]", scheme.removeprefix("hmac-")).hex()
    headers = {"x-time": "17", "X-SIGN": f"v1={digest.upper()}"}
    assert is_signed(how, b"[1, 2]", "secret", headers)
    assert not is_signed(how, b"[1,2]", "secret", headers)
    assert not is_signed(how, b"[1, 2]", "secret", headers | {"X-SIGN": digest})
    assert not is_signed(how, b"[1, 2]", "secret", {"x-time": "17"})


def test_the_sender_s_own_private_key() -> None:
    """Proves a signature that we can check and never make."""
    how = HEFEI
    key = generate_private_key(65537, 2048)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    said = {"access_id": "dev1", "data": "eyJ0b3RhbCI6MX0=", "sign_type": "RSA2", "time_stamp": 1772413200000}
    text = b"dev1eyJ0b3RhbCI6MX0=RSA21772413200000"
    signed = said | {"sign": base64.b64encode(key.sign(text, PKCS1v15(), SHA256())).decode()}
    assert is_signed(how, json.dumps(signed).encode(), public)
    assert not is_signed(how, json.dumps(signed | {"time_stamp": 1772413200001}).encode(), public)
    assert not is_signed(how, json.dumps(signed | {"sign": "?"}).encode(), public)


def test_a_form_is_signed_as_its_fields() -> None:
    """Proves that a form's values are taken as they mean, not as they are escaped."""
    how = signing(scheme="md5", sign="sign", over=[{"pairs": ["parkid", "name"]}, {"secret": True}])
    digest = hashlib.md5("parkid=1&name=一 号s3".encode()).hexdigest()  # noqa: S324 (the vendors' choice)
    assert is_signed(how, f"name=%E4%B8%80+%E5%8F%B7&parkid=1&sign={digest}".encode(), "s3", form=True)


def test_a_token_is_the_secret_itself() -> None:
    """Proves it in a header and in a member, and that nothing is not the secret."""
    how = signing(scheme="token", sign="header:X-Api-Key")
    assert is_signed(how, b"{}", "s3cret", {"X-Api-Key": "s3cret"})
    assert not is_signed(how, b"{}", "s3cret", {"X-Api-Key": "s3cre"})
    assert not is_signed(how, b"{}", "s3cret")
    assert is_signed(signing(scheme="token", sign="token"), b'{"token":"s3cret"}', "s3cret")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"scheme": "md5", "sign": "s", "over": [{"body": True}]}, "anybody could make this md5"),
        ({"scheme": "md5", "over": [{"secret": True}]}, "Say where the signature stands"),
        ({"scheme": "hmac-sha256", "sign": "s"}, "over lists what is signed"),
        ({"scheme": "token", "sign": "s", "over": [{"body": True}]}, "over lists what is signed"),
        ({"scheme": "bearer", "sign": "s"}, "sent as Authorization"),
        ({"scheme": "hmac-sha256", "sign": "s", "over": [{"body": True}], "nonce": "n"}, "nonce needs time"),
        ({"scheme": "hmac-sha256", "sign": "s", "over": [{"body": True, "text": "x"}]}, "exactly one of"),
        ({"scheme": "none"}, "Input should be"),
        (
            {"scheme": "hmac-sha256", "sign": "s", "over": [{"value": "data"}], "time": {"path": "t"}},
            "must be part of what is signed",
        ),
        (
            {"scheme": "hmac-sha256", "sign": "s", "over": [{"body": True}], "time": {"path": "header:T"}},
            "must be part of what is signed",
        ),
        (
            {
                "scheme": "md5",
                "sign": "s",
                "over": [{"sorted": {"leave_out": ["s", "n"]}}, {"secret": True}],
                "time": {"path": "t"},
                "nonce": "n",
            },
            "must be part of what is signed",
        ),
    ],
)
def test_a_signing_that_protects_nothing_is_refused(said: dict[str, Any], words: str) -> None:
    """Proves that a mistake in a map is found at start and not by a stranger."""
    with pytest.raises(ValidationError, match=words):
        signing(**said)


@given(body=st.binary(max_size=60), form=st.booleans(), given_sign=st.text(max_size=20))
def test_no_bytes_break_the_check(body: bytes, form: bool, given_sign: str) -> None:
    """Proves that a stranger gets a refusal, whatever is sent."""
    for how in (SZYMZH, HEFEI):
        try:
            places = places_of(body, {}, form=form)
            text = signed_text(how, places, body, "secret")
        except Refused:
            continue
        assert not fits(how, given_sign, text, "secret")


def test_what_was_taken_is_known_again_for_a_while() -> None:
    """Proves that a repeat is told from another push of the same number, and is forgotten when its time is over."""
    replays = Replays(timedelta(seconds=60))
    assert replays.met("n1", b"a", NOW) is Met.NEW
    assert replays.met("n1", b"a", NOW) is Met.NEW  # what was not acknowledged may come again
    replays.taken("n1", b"a", NOW)
    replays.taken("", b"c", NOW)
    later = NOW + timedelta(seconds=59)
    assert [replays.met("n1", b"a", later), replays.met("n1", b"b", later), replays.met("n2", b"a", later)] == [
        Met.SAME,
        Met.OTHER,
        Met.NEW,
    ]
    assert replays.met("", b"c", later) is Met.SAME
    assert replays.met("n1", b"a", NOW + timedelta(seconds=60)) is Met.NEW


def test_what_is_remembered_is_bounded() -> None:
    """Proves that a flood of pushes does not fill the memory."""
    replays = Replays(timedelta(hours=1))
    for number in range(10_001):
        replays.taken(str(number), b"", NOW)
    assert replays.met("0", b"", NOW) is Met.NEW
    assert replays.met("1", b"", NOW) is Met.SAME
