"""Every alert, seen to fire when what it is for happens, and to clear when that is over; by Prometheus' own tool."""

import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

_FOLDER = Path(__file__).parents[2] / "deploy" / "prometheus"
_RULES = ("alerts.yaml", "slo.yaml")
_TIMEOUT_S = 60

_WELL = 20
"""Minutes in which all is well, before."""


@dataclass(frozen=True)
class Fault:
    """What the series say while all is well and while it is not, minute by minute; how long it is not."""

    series: "Mapping[str, Callable[[int, int, int], Sequence[float]]]"
    minutes: int
    after: int = 140
    """Minutes until it must have cleared."""


def gauge(well: float, ill: float) -> Callable[[int, int, int], Sequence[float]]:
    """Have one value or the other."""
    return lambda before, during, after: [well] * before + [ill] * during + [well] * after


def counter(well: float, ill: float) -> Callable[[int, int, int], Sequence[float]]:
    """Grow by one amount a minute or the other."""

    def grow(before: int, during: int, after: int) -> Sequence[float]:
        total, values = 0.0, []
        for step in [well] * before + [ill] * during + [well] * after:
            total += step
            values.append(round(total, 6))
        return values

    return grow


def instant(before: int, during: int, after: int) -> Sequence[float]:
    """Say the time of each minute, and stand still while it is ill."""
    times = [60.0 * minute for minute in range(before + during + after)]
    return times[:before] + [times[before - 1]] * during + times[before + during :]


_PUT = 'route="/v1/diversions/{diversion_id}",method="PUT"'
_HTTP = "http_server_request_duration_seconds"


def _answers(fast: tuple[float, float], all_: tuple[float, float], *, failed: float = 0.0) -> Any:
    return {
        f'{_HTTP}_bucket{{{_PUT},status="201",le="0.5"}}': counter(*fast),
        f'{_HTTP}_bucket{{{_PUT},status="201",le="1.0"}}': counter(*fast),
        f'{_HTTP}_bucket{{{_PUT},status="201",le="2.5"}}': counter(*all_),
        f'{_HTTP}_bucket{{{_PUT},status="201",le="+Inf"}}': counter(*all_),
        f'{_HTTP}_count{{{_PUT},status="201"}}': counter(*all_),
        f'{_HTTP}_count{{{_PUT},status="503"}}': counter(0, failed),
    }


_BRIER = 'minutes="30",regime="near_full"'
FAULTS: Mapping[str, Fault] = {
    "BoweiPromiseBroken": Fault({"bowei_broken_promises": gauge(0, 1)}, 3),
    "BoweiNotHolding": Fault({'bowei_routing_diversions_total{outcome="guided"}': counter(0, 3)}, 8),
    "BoweiGateQueueLong": Fault({'bowei_availability_gate_queue_vehicles{hospital="h"}': gauge(4, 31)}, 5),
    "BoweiKeptTooLong": Fault({"bowei_routing_kept_too_long": gauge(0, 2)}, 15),
    "BoweiLedgerAway": Fault({'bowei_dependency_up{dependency="ledger",instance="r"}': gauge(1, 0)}, 4),
    "BoweiLiveStateAway": Fault({'bowei_dependency_up{dependency="live_state",instance="r"}': gauge(1, 0)}, 5),
    "BoweiNobodyFollows": Fault({'bowei_routing_following{instance="r"}': gauge(1, 0)}, 4),
    "BoweiHoldsInDanger": Fault({"bowei_routing_endangered_holds": gauge(0, 3)}, 10),
    "BoweiBarrierSilent": Fault({"bowei_routing_barrier_unanswered": gauge(0, 2)}, 15),
    "BoweiStoresSlow": Fault(_answers((60, 0), (60, 60)), 15),
    "BoweiOverloaded": Fault({'bowei_http_problems_total{code="overloaded"}': counter(0, 5)}, 8),
    "BoweiFeedDown": Fault({'bowei_ingest_pull_down{feed="f"}': gauge(0, 1)}, 20),
    "BoweiSourceSilent": Fault({'bowei_ingest_source_last_heard_timestamp_seconds{source="s"}': instant}, 75),
    "BoweiNobodyPulls": Fault({"bowei_ingest_pull_feeds": gauge(2, 2), "bowei_ingest_pulling": gauge(1, 0)}, 6),
    "BoweiBrokerAway": Fault({'bowei_ingest_mqtt_connected{source="s"}': gauge(1, 0)}, 6),
    "BoweiMessagesFail": Fault({'bowei_ingest_mqtt_messages_total{source="s",result="failed"}': counter(0, 1)}, 5),
    "BoweiNobodyKeepsHistory": Fault({"bowei_ingest_kept_timestamp_seconds": instant}, 25),
    "BoweiHistoryUndated": Fault({"bowei_ingest_history_undated_rows": gauge(0, 7)}, 15),
    "BoweiHistoryBehind": Fault({"bowei_ingest_history_rollups_behind": gauge(0, 4)}, 40),
    "BoweiLettersLost": Fault({'bowei_ingest_dead_letters_dropped_total{why="age"}': counter(0, 1)}, 20),
    "BoweiServiceDown": Fault({'up{job="bowei-routing",instance="r"}': gauge(1, 0)}, 5),
    "BoweiClockWrong": Fault({'bowei_clock_skew_seconds{instance="r"}': gauge(0, -5)}, 6),
    "BoweiBoardsStale": Fault({'bowei_availability_mirror_age_seconds{instance="a"}': gauge(0.2, 30)}, 5),
    "BoweiCoverageLow": Fault(
        {
            'bowei_ingest_lots{coverage="fresh"}': gauge(90, 40),
            'bowei_ingest_lots{coverage="ageing"}': gauge(5, 5),
            'bowei_ingest_lots{coverage="reporting"}': gauge(100, 100),
        },
        20,
    ),
    "BoweiLotsDoubted": Fault({'bowei_ingest_lots_doubted{doubt="stuck"}': gauge(0, 2)}, 70),
    "BoweiLinksLost": Fault({"bowei_ingest_links_lost": gauge(0, 1)}, 10),
    "BoweiNobodyAssesses": Fault({"bowei_ingest_assessing": gauge(1, 0)}, 10),
    "BoweiForecastWorse": Fault(
        {
            f'bowei_ingest_forecast_brier_total{{method="bowei",{_BRIER}}}': counter(0.05, 0.3),
            f'bowei_ingest_forecast_brier_total{{method="last_value",{_BRIER}}}': counter(0.1, 0.1),
            f'bowei_ingest_forecast_cases_total{{method="bowei",{_BRIER}}}': counter(1, 1),
        },
        1_600,
        1_600,
    ),
    "BoweiNobodyForesees": Fault({"bowei_ingest_foreseeing": gauge(1, 0)}, 20),
    "BoweiSignAway": Fault({'bowei_availability_sign_reached{sign="s"}': gauge(1, 0)}, 15),
    "BoweiDecisionErrorsBurn": Fault(_answers((60, 60), (60, 60), failed=3), 40),
    "BoweiDecisionErrorsSmoulder": Fault(_answers((60, 60), (60, 60), failed=1), 300, 500),
    "BoweiDecisionLatencyBurn": Fault(_answers((60, 30), (60, 60)), 40),
    "BoweiDecisionLatencySmoulder": Fault(_answers((60, 52), (60, 60)), 300, 500),
}
"""By alert: what happens."""

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="there is no promtool here (Debian: apt install prometheus)"
)


def _alerts() -> set[str]:
    groups = [group for file in _RULES for group in yaml.safe_load((_FOLDER / file).read_text("utf-8"))["groups"]]
    return {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}


def _firing(alert: str, minute: int, count: int) -> Mapping[str, Any]:
    expression = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) or vector(0)'
    return {"expr": expression, "eval_time": f"{minute}m", "exp_samples": [{"labels": "{}", "value": count}]}


def _test_of(alert: str, fault: Fault) -> Mapping[str, Any]:
    series = [
        {"series": name, "values": " ".join(f"{value:g}" for value in values(_WELL, fault.minutes, fault.after + 1))}
        for name, values in fault.series.items()
    ]
    last_ill = _WELL + fault.minutes - 1
    return {
        "interval": "1m",
        "input_series": series,
        "promql_expr_test": [
            _firing(alert, _WELL - 1, 0),
            _firing(alert, last_ill, 1),
            _firing(alert, last_ill + fault.after, 0),
        ],
    }


def _promtool(*words: str) -> str:
    done = subprocess.run(
        ["promtool", *words],  # noqa: S607 (Debian's, by its name)
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_alert_has_its_fault() -> None:
    """One that nobody saw firing may never fire."""
    assert _alerts() == set(FAULTS)


@needs_promtool
@pytest.mark.parametrize("alert", FAULTS)
def test_an_alert_fires_when_it_must_and_clears_when_it_is_over(alert: str, tmp_path: Path) -> None:
    """Silent while all is well, firing before the fault is over, silent again after."""
    file = tmp_path / "test.yaml"
    document = {
        "rule_files": [str(_FOLDER / name) for name in _RULES],
        "evaluation_interval": "1m",
        "tests": [_test_of(alert, FAULTS[alert])],
    }
    file.write_text(yaml.safe_dump(document, width=10_000_000), "utf-8")
    _promtool("test", "rules", str(file))


@needs_promtool
def test_prometheus_takes_the_rules_and_the_configuration() -> None:
    """As it reads them itself."""
    for name in ("prometheus.yaml", "compose.yaml"):
        assert "SUCCESS" in _promtool("check", "config", str(_FOLDER / name))
