"""The demo's secrets: random, kept, and nobody else's business."""

from pathlib import Path

from services.local.data_folder import open_data_folder
from services.local.demo.secrets_folder import citybrain_key, public_pem, read_secret, secret_files


def test_secrets_are_made_once_and_only_this_user_may_read_them(tmp_path: Path) -> None:
    """A second start finds the same ones; files are 0600 in a folder that is 0700."""
    with open_data_folder(tmp_path / "data", free_bytes_min=0) as data:
        first = secret_files(data)
        tokens = {name: read_secret(first, name) for name in ("BOWEI_ADMIN_TOKEN", "BOWEI_DRIVER_KEY")}
        key = public_pem(citybrain_key(data))
    with open_data_folder(tmp_path / "data", free_bytes_min=0) as data:
        assert {name: read_secret(secret_files(data), name) for name in tokens} == tokens
        assert public_pem(citybrain_key(data)) == key
        folder = data.path / "secrets"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    assert all(len(token) >= 32 for token in tokens.values())
    assert len(set(tokens.values())) == len(tokens)


def test_two_folders_have_different_secrets(tmp_path: Path) -> None:
    """Nothing is built in."""
    found = []
    for name in ("one", "two"):
        with open_data_folder(tmp_path / name, free_bytes_min=0) as data:
            found.append(read_secret(secret_files(data), "BOWEI_ADMIN_TOKEN"))
    assert found[0] != found[1]


def test_a_secret_in_the_environment_does_not_meet_the_one_in_the_file(tmp_path: Path) -> None:
    """The services refuse a secret that is set twice, so the demo empties the variable beside the file's."""
    with open_data_folder(tmp_path / "data", free_bytes_min=0) as data:
        settings = secret_files(data)
    assert settings["BOWEI_ADMIN_TOKEN"] == ""
