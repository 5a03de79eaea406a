"""Alerts speak of metrics that exist, and each tells somebody what to do."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

_ROOT = Path(__file__).parents[2]
_FILES = ("alerts.yaml", "slo.yaml")
_ALL: list[dict[str, Any]] = [
    rule
    for file in _FILES
    for group in yaml.safe_load((_ROOT / "deploy/prometheus" / file).read_text("utf-8"))["groups"]
    for rule in group["rules"]
]
_RULES = [rule for rule in _ALL if "alert" in rule]
_RECORDED = {rule["record"]: rule["expr"] for rule in _ALL if "record" in rule}
_SUFFIXES = ("_bucket", "_count", "_sum")


@pytest.mark.parametrize("rule", _RULES, ids=[rule["alert"] for rule in _RULES])
def test_an_alert_speaks_of_metrics_that_exist_and_has_a_runbook(rule: dict[str, Any]) -> None:
    """A renamed metric would silence its alert for ever; an alert without a runbook only wakes people."""
    known = set(re.findall(r"^\| `([a-z_]+)`", (_ROOT / "docs/metrics.md").read_text("utf-8"), re.MULTILINE))
    expression = rule["expr"]
    for record, recorded in _RECORDED.items():
        expression = re.sub(rf"{record}\b", recorded, expression)
    assert "bowei:" not in expression
    named = set(re.findall(r"\b(?:bowei|http_server)_[a-z_]+", expression))
    plain = {next((name.removesuffix(end) for end in _SUFFIXES if name.endswith(end)), name) for name in named}
    assert plain <= known
    assert plain or rule["expr"].startswith("up{")
    headings = re.findall(r"^## (.+)$", (_ROOT / "docs/operations/alerts.md").read_text("utf-8"), re.MULTILINE)
    assert rule["alert"] in headings
    assert rule["annotations"]["runbook"] == f"docs/operations/alerts.md#{rule['alert'].lower()}"
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert {"summary", "summary_zh"} <= rule["annotations"].keys()
