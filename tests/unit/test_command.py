"""The command `bowei`, as a person meets it."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bowei.observability.environment import Environment
from services.local.cli import app, duration_s
from services.local.scene_loading import load_scene_file

RUNNER = CliRunner()


@pytest.mark.parametrize(("text", "seconds"), [("60s", 60), ("5m", 300), ("1.5h", 5_400), ("90", 90)])
def test_durations_are_written_as_people_write_them(text: str, seconds: float) -> None:
    """60s, 5m, 1.5h, or plain seconds."""
    assert duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "0s", "-5s", "soon", "5 days"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    """The message shows how to write one."""
    result = RUNNER.invoke(app, ["demo", f"--for={text}"])
    assert result.exit_code == 2
    assert "60s" in result.output


def test_help_names_every_command_and_loads_none_of_them() -> None:
    """Asking for help is instant: neither servers nor services are imported."""
    result = RUNNER.invoke(app, ["--help"])
    assert result.exit_code == 0
    for name in ("demo", "doctor", "roads", "registry", "ledger"):
        assert name in result.output


def test_the_release_is_said_for_a_report_of_a_fault() -> None:
    """One line, exit code 0, and no command needed."""
    result = RUNNER.invoke(app, ["--version"])
    assert result.exit_code == 0
    assert result.output.startswith("bowei 0.")


def test_a_missing_extract_is_said_in_one_line(tmp_path: Path) -> None:
    """No traceback, and exit code 1."""
    result = RUNNER.invoke(app, ["roads", "build", str(tmp_path / "none.osm.pbf"), "-o", str(tmp_path / "roads")])
    assert result.exit_code == 1
    assert "no such file" in result.output
    assert "Traceback" not in result.output


def test_a_ledger_that_is_not_named_is_not_said_to_be_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 2: neither good nor bad, but not asked."""
    monkeypatch.delenv("BOWEI_DATABASE_URL", raising=False)
    result = RUNNER.invoke(app, ["ledger", "check"])
    assert result.exit_code == 2
    assert "BOWEI_DATABASE_URL" in result.output


def test_loading_a_scene_needs_a_token_and_a_registry(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each absence is named with what to do."""
    scene = tmp_path / "scene.yaml"
    scene.write_text("scene: {}", "utf-8")
    assert load_scene_file(scene, "http://127.0.0.1:9", Environment({})) == 1
    assert "BOWEI_ADMIN_TOKEN" in capsys.readouterr().err
    token = Environment({"BOWEI_ADMIN_TOKEN": "0123456789abcdef"})
    assert load_scene_file(scene, "http://127.0.0.1:9", token) == 1
    said = capsys.readouterr().err
    assert "does not answer" in said
    assert "0123456789abcdef" not in said


def test_nothing_slow_is_loaded_before_a_command_needs_it() -> None:
    """What is slow to load is loaded by the command that needs it."""
    looking = "import sys, services.local.cli; print(*{name.split('.')[0] for name in sys.modules})"

    loaded = subprocess.run([sys.executable, "-c", looking], capture_output=True, text=True, check=True, timeout=60)

    assert "typer" in loaded.stdout.split()
    assert not {"numpy", "scipy", "fastapi", "asyncpg", "redis", "bowei"} & set(loaded.stdout.split())


def test_an_evaluation_without_its_simulator_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line and the fix, no trace of calls: the simulator is an extra."""
    for name in [name for name in sys.modules if name.startswith("services.local.evaluate.traffic.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "libsumo", None)
    result = RUNNER.invoke(app, ["evaluate", "traffic"])
    assert result.exit_code == 2
    assert "libsumo is not installed. Fix: make .venv/.evaluate-ready" in result.output
