"""The demo's own secrets: made at random once, kept in the data folder, readable by this user alone."""

import secrets
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from services.ingest.citybrain.keys import read_private_key
from services.local.data_folder import DataFolder, as_setup_problem

NAMES = ("BOWEI_ADMIN_TOKEN", "BOWEI_DRIVER_KEY", "BOWEI_PLATE_KEY")
_CITYBRAIN_KEY = "citybrain-key.pem"
_KEY_BITS = 2048


def secret_files(data: DataFolder) -> Mapping[str, str]:
    """Give the settings that name the secrets' files; unset the settings that would hold them themselves.

    Raises:
        SetupProblem: the folder can't be written.
    """
    folder = _folder(data)
    settings: dict[str, str] = {}
    for name in NAMES:
        file = folder / name.lower().replace("_", "-")
        _make_once(file, secrets.token_urlsafe(32))
        settings |= {name: "", f"{name}_FILE": str(file)}
    return settings


def read_secret(settings: Mapping[str, str], name: str) -> str:
    """Read a secret by the setting that names its file."""
    return Path(settings[f"{name}_FILE"]).read_text("ascii")


def citybrain_key(data: DataFolder) -> RSAPrivateKey:
    """Give the key by which the demo's City Brain lots seal what they upload."""
    file = _folder(data) / _CITYBRAIN_KEY
    if not file.exists():
        key = generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
        text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")
        _make_once(file, text)
    return read_private_key(file.read_text("ascii"))


def public_pem(key: RSAPrivateKey) -> str:
    """Give the public half, as it is registered."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")


def _folder(data: DataFolder) -> Path:
    folder = data.path / "secrets"
    with as_setup_problem(folder):
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
    return folder


def _make_once(file: Path, text: str) -> None:
    """Write the file in one step, so that half a secret is never kept; one that is there stays."""
    if file.exists():
        return
    unfinished = file.with_suffix(".unfinished")
    with as_setup_problem(file):
        unfinished.unlink(missing_ok=True)
        unfinished.touch(mode=0o600, exist_ok=False)
        unfinished.write_text(text, "ascii")
        unfinished.rename(file)
