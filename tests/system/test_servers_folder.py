"""The data folder: one copy of Bowei at a time, on a disk that has room and can be written."""

import errno
import os
from pathlib import Path

import pytest

from services.local.data_folder import as_setup_problem, data_folder_path, holder_of, open_data_folder
from services.local.setup_problem import SetupProblem


def test_the_folder_says_what_it_is_and_that_it_may_be_deleted(tmp_path: Path) -> None:
    """A user who finds it knows what to do with it."""
    with open_data_folder(tmp_path / "a" / "b") as data:
        readme = (data.path / "README.txt").read_text("utf-8")
    assert "delete the folder" in readme


def test_the_folder_is_the_one_the_environment_names() -> None:
    """Else it lies where the command was given."""
    assert data_folder_path({"BOWEI_DATA": "/somewhere/else"}) == Path("/somewhere/else")
    assert data_folder_path({}) == Path.cwd() / "bowei-data"
    assert data_folder_path({"BOWEI_DATA": ""}) == Path.cwd() / "bowei-data"


def test_a_folder_in_use_is_refused_with_the_pid_of_its_user(tmp_path: Path) -> None:
    """And is free again as soon as that one is done, whatever file it leaves."""
    with open_data_folder(tmp_path / "data"):
        assert holder_of(tmp_path / "data") == os.getpid()
        with pytest.raises(SetupProblem, match=rf"pid {os.getpid()}\b") as problem, open_data_folder(tmp_path / "data"):
            pass
        assert problem.value.code == "already_running"
    assert holder_of(tmp_path / "data") is None
    with open_data_folder(tmp_path / "data"):
        pass


def test_a_disk_without_room_is_refused_before_anything_starts(tmp_path: Path) -> None:
    """The message says how much there is, how much it takes, and what to do."""
    with (
        pytest.raises(SetupProblem, match=r"has room for \d+ MB; Bowei needs 1099511627776 MB") as problem,
        open_data_folder(tmp_path / "data", free_bytes_min=2**60),
    ):
        pass
    assert problem.value.code == "disk_full"
    assert "BOWEI_DATA=" in problem.value.fix


@pytest.mark.parametrize("where", ["/proc/bowei-data", "a file/data"])
def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path, where: str) -> None:
    """For root as for everybody: a kernel's folder, and a file in the place of a folder."""
    (tmp_path / "a file").touch()
    with pytest.raises(SetupProblem) as problem, open_data_folder(tmp_path / where):
        pass
    assert problem.value.code == "folder_not_writable"
    assert "BOWEI_DATA=" in problem.value.fix


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.ENOSPC, "disk_full"), (errno.EDQUOT, "disk_full"), (errno.EROFS, "folder_not_writable")],
)
def test_what_the_disk_refuses_is_said_in_words(tmp_path: Path, number: int, code: str) -> None:
    """A full disk, a full quota and a read-only disk."""
    with pytest.raises(SetupProblem) as problem, as_setup_problem(tmp_path):
        raise OSError(number, os.strerror(number))
    assert problem.value.code == code


def test_a_long_log_is_set_aside_once(tmp_path: Path) -> None:
    """A demo that runs for weeks does not fill the disk with its logs: 5 MB, and 5 MB before."""
    with open_data_folder(tmp_path / "data") as data:
        log = data.log("routing")
        log.write_bytes(b"x" * (5 * 2**20 + 1))
        assert not data.log("routing").exists()
        log.write_bytes(b"short")
        assert data.log("routing").read_bytes() == b"short"
        assert len(list(log.parent.iterdir())) == 2
