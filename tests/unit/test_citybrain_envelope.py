"""The City Brain envelope: what is let in, what is refused, and in which order the checks come."""

import base64
import hashlib
from contextlib import suppress
from datetime import timedelta
from typing import NoReturn, cast
from urllib.parse import urlencode

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import MD5, SHA256
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.citybrain.envelope import (
    BLOCKS_MAX,
    BODY_BYTES_MAX,
    Envelope,
    open_envelope,
    read_form,
    seal,
    verify_envelope,
)
from services.ingest.citybrain.keys import Client, Keys, Sealing
from services.ingest.citybrain.problems import CityBrainProblem, ProblemCode

BITS = 1024
"""The size of the field's own keys."""

CLIENT_KEY, SERVER_KEY, STRANGER_KEY = (rsa.generate_private_key(65537, BITS) for _ in range(3))
KEYS = Keys(
    {
        "classic": Client("classic", CLIENT_KEY.public_key()),
        "clone": Client("clone", CLIENT_KEY.public_key(), Sealing.SERVER_PUBLIC_KEY),
    },
    SERVER_KEY,
)
STATE = {
    "parkingCode": "1001",
    "totalBerthNum": 150,
    "openBerthNum": 130,
    "freeBerthNum": 10,
    "uploadTime": "2015-09-01 09:10:11",
    "parkingName": "云泊测试停车场2",
}
WITHIN_A_SECOND = settings(deadline=timedelta(seconds=1), max_examples=150)


def sealed(access_id: str, data: dict[str, object] | None = None) -> Envelope:
    """Seal as the client of that name does."""
    server_key = SERVER_KEY.public_key() if access_id == "clone" else None
    return seal(
        STATE if data is None else data,
        access_id=access_id,
        client_key=CLIENT_KEY,
        server_public_key=server_key,
    )


def signed(access_id: str, cipher: str, key: rsa.RSAPrivateKey = CLIENT_KEY) -> Envelope:
    """Sign any text as a cipher, so that only what comes after the signature is under test."""
    sign = key.sign(cipher.encode(), PKCS1v15(), MD5())  # noqa: S303  the protocol's
    return Envelope(access_id, cipher, base64.b64encode(sign).decode())


def sealed_text(access_id: str, text: bytes) -> Envelope:
    """Seal text that need not be JSON, block by block, by hand."""
    chunks = [text[i : i + 117] for i in range(0, len(text), 117)] or [b""]
    if access_id == "clone":
        blocks = [SERVER_KEY.public_key().encrypt(chunk, PKCS1v15()) for chunk in chunks]
    else:
        blocks = [private_operation(b"\x00\x01" + b"\xff" * (125 - len(c)) + b"\x00" + c) for c in chunks]
    return signed(access_id, base64.b64encode(b"".join(blocks)).decode())


def private_operation(block: bytes) -> bytes:
    """Do the bare RSA operation with big integers, independently of OpenSSL."""
    numbers = CLIENT_KEY.private_numbers()
    return pow(int.from_bytes(block, "big"), numbers.d, numbers.public_numbers.n).to_bytes(128, "big")


def refusal(envelope: Envelope, keys: Keys = KEYS) -> ProblemCode:
    """Open what can't be opened, and say why."""
    with pytest.raises(CityBrainProblem) as caught:
        open_envelope(envelope, keys)
    return caught.value.code


@pytest.mark.parametrize("access_id", ["classic", "clone"])
def test_a_sealed_message_comes_out_as_it_went_in(access_id: str) -> None:
    """Both ways of sealing survive the form, with Chinese text across block borders."""
    body = sealed(access_id).to_form()
    assert open_envelope(read_form(body), KEYS) == STATE


@pytest.mark.parametrize("bits", [1024, 2048, 4096])
def test_longer_keys_work_the_same(bits: int) -> None:
    """Block sizes follow the key, whichever half of whose key seals."""
    key = rsa.generate_private_key(65537, bits)
    for server_key in (None, SERVER_KEY):
        sealing = Sealing.SERVER_PUBLIC_KEY if server_key else Sealing.CLIENT_PRIVATE_KEY
        keys = Keys({"a": Client("a", key.public_key(), sealing)}, server_key)
        public = server_key.public_key() if server_key else None
        assert open_envelope(seal(STATE, access_id="a", client_key=key, server_public_key=public), keys) == STATE


def test_a_client_that_seals_with_its_own_key_says_the_same_twice() -> None:
    """A retry is the same bytes, so simulated lots can be replayed; the other sealing is random."""
    assert sealed("classic") == sealed("classic")
    assert sealed("clone") != sealed("clone")


def test_our_seal_is_what_the_published_clients_compute() -> None:
    """Seal and sign equal block type 1 and DigestInfo worked out by hand with big integers."""
    text = msgspec.json.encode({"data": STATE})
    by_hand = sealed_text("classic", text)
    assert sealed("classic") == by_hand
    digest_info = bytes.fromhex("3020300c06082a864886f70d020505000410")
    digest_info += hashlib.md5(by_hand.cipher.encode()).digest()  # noqa: S324
    block = b"\x00\x01" + b"\xff" * (125 - len(digest_info)) + b"\x00" + digest_info
    assert base64.b64decode(by_hand.sign) == private_operation(block)


@given(
    st.one_of(
        st.binary(min_size=127, max_size=127).map(lambda tail: b"\x00" + tail),
        st.builds(
            lambda kind, filling, rest: (b"\x00" + kind + b"\xff" * filling + rest).ljust(128, b"{")[:128],
            st.sampled_from([b"\x00", b"\x01", b"\x02"]),
            st.integers(0, 126),
            st.binary(max_size=40).map(lambda rest: b"\x00" + rest) | st.binary(max_size=40),
        ),
    )
)
@WITHIN_A_SECOND
def test_a_block_opens_only_if_its_padding_is_right(block: bytes) -> None:
    """OpenSSL's reading of block type 1 agrees with the rule of PKCS#1 (at least eight FF, then 00) written out."""
    end = block.find(b"\x00", 2)
    right = block[:2] == b"\x00\x01" and end >= 10 and not block[2:end].strip(b"\xff")
    code = None
    try:
        open_envelope(signed("classic", base64.b64encode(private_operation(block)).decode()), KEYS)
    except CityBrainProblem as problem:
        code = problem.code
    assert (code is ProblemCode.BAD_CIPHER) is not right


@pytest.mark.parametrize("access_id", ["classic", "clone"])
def test_a_changed_message_is_refused_as_not_signed(access_id: str) -> None:
    """One letter changed in the cipher or in the signature breaks the signature."""
    good = sealed(access_id)
    other = "A" if good.cipher[50] != "A" else "B"
    assert (
        refusal(Envelope(access_id, good.cipher[:50] + other + good.cipher[51:], good.sign))
        is ProblemCode.BAD_SIGNATURE
    )
    other = "A" if good.sign[50] != "A" else "B"
    assert (
        refusal(Envelope(access_id, good.cipher, good.sign[:50] + other + good.sign[51:])) is ProblemCode.BAD_SIGNATURE
    )


def test_another_clients_signature_does_not_count() -> None:
    """Who is not registered, who signs with another key, and who signs with another digest are refused."""
    good = sealed("classic")
    assert refusal(Envelope("nobody", good.cipher, good.sign)) is ProblemCode.UNKNOWN_ACCESS_ID
    assert refusal(signed("classic", good.cipher, STRANGER_KEY)) is ProblemCode.BAD_SIGNATURE
    sha = base64.b64encode(CLIENT_KEY.sign(good.cipher.encode(), PKCS1v15(), SHA256())).decode()
    assert refusal(Envelope("classic", good.cipher, sha)) is ProblemCode.BAD_SIGNATURE


class UntouchableKey:
    """A server key that must not be used."""

    key_size = 1024

    def decrypt(self, _block: bytes, _padding: PKCS1v15) -> NoReturn:
        """Cry out."""
        raise AssertionError("opened before it was verified")


def test_nothing_is_opened_before_the_signature_is_verified() -> None:
    """A key that cries when used stays silent for a bad signature, and cries for a good one."""
    untouchable = cast("rsa.RSAPrivateKey", UntouchableKey())
    keys = Keys({"clone": KEYS.clients["clone"]}, untouchable)
    good = sealed("clone")
    assert refusal(signed("clone", good.cipher, STRANGER_KEY), keys) is ProblemCode.BAD_SIGNATURE
    with pytest.raises(AssertionError, match="opened before"):
        open_envelope(good, keys)


@pytest.mark.parametrize("access_id", ["classic", "clone"])
@pytest.mark.parametrize(
    "cipher",
    ["", "====", "not base64!", "QUJD", "云", "A" * 172, base64.b64encode(b"\xff" * 128).decode()],
)
def test_junk_counts_as_a_bad_cipher_only_once_it_is_signed(access_id: str, cipher: str) -> None:
    """The same junk is `bad_signature` from a stranger and `bad_cipher` from the client: the order of the checks."""
    assert refusal(signed(access_id, cipher, STRANGER_KEY)) is ProblemCode.BAD_SIGNATURE
    expected = ProblemCode.BAD_CIPHER if cipher.isascii() else ProblemCode.BAD_SIGNATURE
    assert refusal(signed(access_id, cipher)) is expected


@pytest.mark.parametrize("access_id", ["classic", "clone"])
def test_no_more_than_64_blocks_are_opened(access_id: str) -> None:
    """The 65th block is refused, the 64th is still read; the client's own seal keeps to the same limit."""
    start, end = b'{"data":{"a":"', b'"}}'
    full = start + b"x" * (117 * BLOCKS_MAX - len(start) - len(end)) + end
    assert len(str(open_envelope(sealed_text(access_id, full), KEYS)["a"])) > 7000
    longer = start + b"x" + full[len(start) :]
    assert refusal(sealed_text(access_id, longer)) is ProblemCode.BAD_CIPHER
    with pytest.raises(ValueError, match="blocks"):
        sealed(access_id, {"a": "x" * (117 * BLOCKS_MAX)})


UNREADABLE = [
    b"",
    b"not json",
    b"[1]",
    b"\xff\xfe",
    b'{"data":{"a":NaN}}',
    b'{"data":{"a":1}} and more',
    b'{"data":"not json"}',
    b'{"data":"[1]"}',
    b'{"data":[1]}',
    b'{"data":7}',
    b'{"data":{"a":"\\ud800"}}',
    b'{"data":{"a":' + b"9" * 5000 + b"}}",
    b"[" * 7000,
    b'{"data":' * 900,
]


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_is_not_a_json_object_is_refused(text: bytes) -> None:
    """Broken, deep, endless or wrong JSON gets one code from a client who seals with its own key."""
    assert refusal(sealed_text("classic", text)) is ProblemCode.MALFORMED_JSON


@pytest.mark.parametrize("text", UNREADABLE)
def test_wrong_padding_and_wrong_text_are_told_apart_by_nobody(text: bytes) -> None:
    """Where our own key opens, the answer to junk inside a right block equals the answer to a wrong block."""
    wrong_block = signed("clone", base64.b64encode(b"\x01" * 128).decode())
    answers = []
    for envelope in (sealed_text("clone", text), wrong_block):
        with pytest.raises(CityBrainProblem) as caught:
            open_envelope(envelope, KEYS)
        answers.append((caught.value.code, caught.value.detail))
    assert answers == [(ProblemCode.BAD_CIPHER, "")] * 2


@pytest.mark.parametrize("text", [b"{}", b'{"data":null}', b'{"parkingCode":"1001"}'])
def test_a_message_without_data_says_so(text: bytes) -> None:
    """The outer object must hold `data`."""
    assert refusal(sealed_text("classic", text)) is ProblemCode.MISSING_FIELD


def test_data_may_be_an_object_written_as_text() -> None:
    """The Java clone of 2024 puts the object in as a string of JSON."""
    text = msgspec.json.encode({"data": msgspec.json.encode(STATE).decode()})
    assert open_envelope(sealed_text("clone", text), KEYS) == STATE


GOOD_FORM = {"accessID": "classic", "cipher": "QUJD", "sign": "QUJD"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b'{"accessID":"a"}',
        urlencode(GOOD_FORM | {"accessID": ""}).encode(),
        urlencode(GOOD_FORM | {"accessID": "a b"}).encode(),
        urlencode(GOOD_FORM | {"accessID": "a" * 65}).encode(),
        urlencode(GOOD_FORM).encode() + b"&cipher=QUJE",
        urlencode({"accessID": "classic", "cipher": "QUJD"}).encode(),
        b"accessID=classic&cipher=QU+D&sign=QUJD",
        b"accessID=classic&cipher=QUJD&sign=%FF",
        b"&".join(b"f%d=1" % i for i in range(40)),
    ],
)
def test_a_body_that_is_not_the_three_fields_is_refused(body: bytes) -> None:
    """Missing, doubled, empty or mangled fields, an unescaped plus, and forms of very many fields."""
    with pytest.raises(CityBrainProblem) as caught:
        read_form(body)
    assert caught.value.code is ProblemCode.MALFORMED_ENVELOPE


def test_a_body_may_be_16_kib_and_not_a_byte_more() -> None:
    """The limit itself is let in; further fields are ignored."""
    form = urlencode(GOOD_FORM).encode() + b"&file="
    body = form.ljust(BODY_BYTES_MAX, b"x")
    assert read_form(body) == Envelope("classic", "QUJD", "QUJD")
    with pytest.raises(CityBrainProblem) as caught:
        read_form(body + b"x")
    assert caught.value.code is ProblemCode.BODY_TOO_LARGE


@given(st.binary(max_size=BODY_BYTES_MAX + 100))
@WITHIN_A_SECOND
def test_no_body_does_more_than_be_refused(body: bytes) -> None:
    """Any bytes: an envelope or one of our problems, nothing else."""
    with suppress(CityBrainProblem):
        read_form(body)


@given(
    st.sampled_from(["classic", "clone"]) | st.text(max_size=80),
    st.text(max_size=400) | st.binary(max_size=300).map(lambda raw: base64.b64encode(raw).decode()),
    st.text(max_size=400) | st.binary(max_size=140).map(lambda raw: base64.b64encode(raw).decode()),
)
@WITHIN_A_SECOND
def test_no_three_fields_do_more_than_be_refused(access_id: str, cipher: str, sign: str) -> None:
    """Any text in the three fields, posted or handed in: never opened, never another error."""
    with pytest.raises(CityBrainProblem):
        open_envelope(Envelope(access_id, cipher, sign), KEYS)
    body = urlencode({"accessID": access_id, "cipher": cipher, "sign": sign}).encode()
    with pytest.raises(CityBrainProblem):
        open_envelope(read_form(body), KEYS)


@given(
    st.sampled_from(["classic", "clone"]),
    st.text(max_size=400)
    | st.binary(max_size=300).map(lambda raw: base64.b64encode(raw).decode())
    | st.lists(st.binary(min_size=128, max_size=128), max_size=4).map(
        lambda blocks: base64.b64encode(b"".join(blocks)).decode()
    ),
)
@WITHIN_A_SECOND
def test_a_signed_cipher_of_junk_does_no_more_than_be_refused(access_id: str, cipher: str) -> None:
    """Behind a right signature, too, any text ends in one of our problems."""
    with pytest.raises(CityBrainProblem):
        open_envelope(signed(access_id, cipher), KEYS)


@given(st.sampled_from(["classic", "clone"]), st.binary(max_size=1000))
@WITHIN_A_SECOND
def test_any_sealed_text_is_an_object_or_refused(access_id: str, text: bytes) -> None:
    """Whatever a client seals, what comes out is a JSON object or one of our problems."""
    with suppress(CityBrainProblem):
        assert isinstance(open_envelope(sealed_text(access_id, text), KEYS), dict)


def test_an_envelope_does_not_show_its_content_when_printed() -> None:
    """A sealed plate can be opened with a public key, so the cipher stays out of logs too."""
    assert "cipher" not in repr(sealed("classic"))


def test_the_signature_alone_says_who_it_is() -> None:
    """Calls that are not kept are verified without being opened."""
    assert verify_envelope(signed("classic", "junk"), KEYS).access_id == "classic"
