"""What is installed is what was tested: the wheel brings the pages too."""

import subprocess
import sys
import zipfile
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_READ = (
    "from services.availability.pages.files import find_folder, read_pages; print(read_pages(find_folder()).version)"
)


def test_pages_from_the_wheel_are_those_of_the_checkout(tmp_path: Path) -> None:
    """Built, unpacked elsewhere and read there: the version, which is made of all content, is the same."""
    built = _run(["-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)], _ROOT)
    wheel = next(tmp_path.glob("*.whl"), None)
    assert wheel is not None, built
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(installed)
    assert _run(["-c", _READ], installed) == _run(["-c", _READ], _ROOT)


def _run(arguments: list[str], folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
