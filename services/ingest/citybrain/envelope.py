"""The envelope: three form fields, a signature and RSA blocks around one JSON object.

    cipher = base64(blocks)    each block one PKCS#1 v1.5 operation on 117 bytes of JSON (1024-bit key: size − 11)
    sign   = base64(MD5withRSA over the text of cipher), by the client's private key

The signature is verified before a block is opened, so strangers never reach the decryption. MD5, RSA-1024 and no nonce
are the protocol's, not ours: put TLS in front, and keep the window of `uploadTime` narrow.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import NoDigestInfo
from cryptography.hazmat.primitives.hashes import MD5

from services.ingest.citybrain.keys import Client, Keys, Sealing
from services.ingest.citybrain.problems import CityBrainProblem, ProblemCode

BODY_BYTES_MAX = 16 * 1024
BLOCKS_MAX = 64
_FORM_FIELDS_MAX = 16
_PADDING_BYTES = 11
_ACCESS_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")


@dataclass(frozen=True, slots=True)
class Envelope:
    """What was posted: who says it, the sealed text, and the signature over that text. Nothing is verified yet."""

    access_id: str
    cipher: str = field(repr=False)
    sign: str = field(repr=False)

    def to_form(self) -> bytes:
        """Give the body to post as application/x-www-form-urlencoded."""
        return urlencode({"accessID": self.access_id, "cipher": self.cipher, "sign": self.sign}).encode("ascii")


def read_form(body: bytes) -> Envelope:
    """Read a posted body; further fields are ignored.

    Raises:
        CityBrainProblem: `body_too_large`, `malformed_envelope`.
    """
    if len(body) > BODY_BYTES_MAX:
        raise CityBrainProblem(ProblemCode.BODY_TOO_LARGE, f"{BODY_BYTES_MAX} bytes at most")
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_FORM_FIELDS_MAX
        )
    except ValueError:
        raise CityBrainProblem(ProblemCode.MALFORMED_ENVELOPE, "not a form") from None
    names = [name for name, _ in pairs]
    if any(names.count(name) != 1 for name in ("accessID", "cipher", "sign")):
        raise CityBrainProblem(ProblemCode.MALFORMED_ENVELOPE, "accessID, cipher and sign once each")
    fields = dict(pairs)
    if not _ACCESS_ID.fullmatch(fields["accessID"]):
        raise CityBrainProblem(ProblemCode.MALFORMED_ENVELOPE, "accessID")
    for name in ("cipher", "sign"):
        # An unescaped "+" arrives as a space. Said here, because "bad signature" would send people after their keys.
        if " " in fields[name]:
            raise CityBrainProblem(ProblemCode.MALFORMED_ENVELOPE, f"{name} has a space: write + as %2B")
    return Envelope(fields["accessID"], fields["cipher"], fields["sign"])


def verify_envelope(envelope: Envelope, keys: Keys) -> Client:
    """Find who sent it and make sure that they did.

    Raises:
        CityBrainProblem: `unknown_access_id`, `bad_signature`.
    """
    client = keys.clients.get(envelope.access_id)
    if client is None:
        raise CityBrainProblem(ProblemCode.UNKNOWN_ACCESS_ID)
    try:
        signature = base64.b64decode(envelope.sign, validate=True)
        # OpenSSL builds the one expected block and compares it whole, so no lax parse of the padding can be fooled.
        client.public_key.verify(signature, envelope.cipher.encode("ascii"), PKCS1v15(), MD5())  # noqa: S303
    except (InvalidSignature, ValueError):  # bad base64 and text that is not ASCII are ValueErrors too
        raise CityBrainProblem(ProblemCode.BAD_SIGNATURE) from None
    return client


def open_envelope(envelope: Envelope, keys: Keys) -> Mapping[str, object]:
    """Verify, open, and give the JSON object under `data`.

    Raises:
        CityBrainProblem: `unknown_access_id`, `bad_signature`, `bad_cipher`, `malformed_json`, `missing_field`.
    """
    client = verify_envelope(envelope, keys)
    if client.sealing is Sealing.CLIENT_PRIVATE_KEY:
        return _read_data(_open_by_client_key(envelope.cipher, client.public_key))
    if keys.server_key is None:  # Keys refuses this; the type does not know
        raise CityBrainProblem(ProblemCode.BAD_CIPHER)
    try:
        return _read_data(_open_by_server_key(envelope.cipher, keys.server_key))
    except CityBrainProblem as problem:
        # One answer whether the padding or the text inside was wrong: a client may sign blocks caught from another, and
        # two answers would make us the oracle that opens them.
        if problem.code is ProblemCode.MALFORMED_JSON:
            raise CityBrainProblem(ProblemCode.BAD_CIPHER) from None
        raise


def seal(
    data: Mapping[str, object],
    *,
    access_id: str,
    client_key: RSAPrivateKey,
    server_public_key: RSAPublicKey | None = None,
) -> Envelope:
    """Seal and sign one message as a client does.

    Without `server_public_key` the client's own key seals, and the same data gives the same envelope each time; with
    it the padding is random.

    Raises:
        ValueError: more than `BLOCKS_MAX` blocks.
    """
    text = msgspec.json.encode({"data": data})
    sealing_size = server_public_key.key_size if server_public_key is not None else client_key.key_size
    step = _bytes_of(sealing_size) - _PADDING_BYTES
    chunks = [text[start : start + step] for start in range(0, len(text), step)]
    if len(chunks) > BLOCKS_MAX:
        raise ValueError(f"{len(chunks)} blocks; {BLOCKS_MAX} at most")
    if server_public_key is None:
        blocks = [client_key.sign(chunk, PKCS1v15(), NoDigestInfo()) for chunk in chunks]
    else:
        blocks = [server_public_key.encrypt(chunk, PKCS1v15()) for chunk in chunks]
    cipher = base64.b64encode(b"".join(blocks))
    sign = base64.b64encode(client_key.sign(cipher, PKCS1v15(), MD5()))  # noqa: S303
    return Envelope(access_id, cipher.decode("ascii"), sign.decode("ascii"))


def _bytes_of(bits: int) -> int:
    return (bits + 7) // 8


def _blocks(cipher: str, key_bits: int) -> list[bytes]:
    size = _bytes_of(key_bits)
    try:
        raw = base64.b64decode(cipher, validate=True)
    except binascii.Error:
        raise CityBrainProblem(ProblemCode.BAD_CIPHER, "not base64") from None
    if not raw or len(raw) % size:
        raise CityBrainProblem(ProblemCode.BAD_CIPHER, f"not in blocks of {size} bytes")
    if len(raw) // size > BLOCKS_MAX:
        raise CityBrainProblem(ProblemCode.BAD_CIPHER, f"more than {BLOCKS_MAX} blocks")
    return [raw[start : start + size] for start in range(0, len(raw), size)]


def _open_by_client_key(cipher: str, key: RSAPublicKey) -> bytes:
    # Block type 1 is what a bare signature is made of: recovering a "signature" without a digest opens one block.
    padding = PKCS1v15()
    try:
        return b"".join(
            key.recover_data_from_signature(block, padding, None) for block in _blocks(cipher, key.key_size)
        )
    except InvalidSignature:
        raise CityBrainProblem(ProblemCode.BAD_CIPHER) from None


def _open_by_server_key(cipher: str, key: RSAPrivateKey) -> bytes:
    # OpenSSL from 3.2 on answers bad padding with noise instead of an error (implicit rejection), so timing says
    # nothing about the padding either; the noise then fails as JSON.
    padding = PKCS1v15()
    try:
        return b"".join(key.decrypt(block, padding) for block in _blocks(cipher, key.key_size))
    except ValueError:
        raise CityBrainProblem(ProblemCode.BAD_CIPHER) from None


def _read_data(text: bytes) -> Mapping[str, object]:
    content = _read_object(text)
    if content.get("data") is None:
        raise CityBrainProblem(ProblemCode.MISSING_FIELD, "data")
    data = content["data"]
    # The Java clone of 2024 puts the object in as text: {"data":"{\"parkingCode\":…}"}.
    if isinstance(data, str):
        return _read_object(data)
    if not isinstance(data, dict):
        raise CityBrainProblem(ProblemCode.MALFORMED_JSON, "data is not an object")
    return data


def _read_object(text: bytes | str) -> dict[str, object]:
    try:
        content = msgspec.json.decode(text)
    except (ValueError, RecursionError):  # msgspec's own error and that of UTF-8 are both ValueErrors
        raise CityBrainProblem(ProblemCode.MALFORMED_JSON) from None
    if not isinstance(content, dict):
        raise CityBrainProblem(ProblemCode.MALFORMED_JSON, "not an object")
    return content
