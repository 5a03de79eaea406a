"""Alertmanager's own tool reads our configuration, and says who hears of each alert."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

_DEPLOY = Path(__file__).parents[2] / "deploy"
_CONFIGURATION = _DEPLOY / "alertmanager" / "alertmanager.yaml"
_ALERTS: dict[str, dict[str, str]] = {
    rule["alert"]: rule["labels"]
    for file in ("alerts.yaml", "slo.yaml")
    for group in yaml.safe_load((_DEPLOY / "prometheus" / file).read_text("utf-8"))["groups"]
    for rule in group["rules"]
    if "alert" in rule
}

needs_amtool = pytest.mark.skipif(
    shutil.which("amtool") is None, reason="there is no amtool here (Debian: apt install prometheus-alertmanager)"
)


def _amtool(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["amtool", *words], capture_output=True, text=True, check=False, timeout=30)  # noqa: S607


@needs_amtool
def test_the_configuration_is_one() -> None:
    """Alertmanager would start on it."""
    checked = _amtool("check-config", str(_CONFIGURATION))
    assert checked.returncode == 0, checked.stdout + checked.stderr


@needs_amtool
@pytest.mark.parametrize("alert", _ALERTS)
def test_each_alert_is_heard_by_whom_it_is_for(alert: str) -> None:
    """Pages wake who is on call, tickets don't; a queue towards the road is told to the police as well."""
    labels = _ALERTS[alert]
    words = [f"{name}={value}" for name, value in {"alertname": alert, **labels}.items()]
    said = _amtool("config", "routes", "test", f"--config.file={_CONFIGURATION}", *words)
    expected = ["on-call"] if labels["severity"] == "page" else ["tickets"]
    if labels.get("to") == "traffic_police":
        expected = ["traffic-police", *expected]
    assert said.stdout.strip().split(",") == expected, said.stderr


def test_what_inhibits_and_is_inhibited_are_alerts_of_ours() -> None:
    """A renamed alert would wake people twice, or never."""
    rules: list[dict[str, Any]] = yaml.safe_load(_CONFIGURATION.read_text("utf-8"))["inhibit_rules"]
    matchers = [matcher for rule in rules for part in ("source_matchers", "target_matchers") for matcher in rule[part]]
    named = [matcher.split("=", 1)[1].lstrip("~").strip('"') for matcher in matchers]
    patterns = [pattern for one in named for pattern in one.split("|")]
    assert len(patterns) > 5
    for pattern in patterns:
        assert any(alert.startswith(pattern.removesuffix(".*")) for alert in _ALERTS), pattern
