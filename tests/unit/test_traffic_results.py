"""The runs of the traffic evaluation are kept, not run twice, and compared seed against seed."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from services.local.evaluate.traffic.comparing import Compared, marks
from services.local.evaluate.traffic.demand import draw_trips
from services.local.evaluate.traffic.experiments import OPERATING, VISIBLE, all_policies
from services.local.evaluate.traffic.journeys import Trace
from services.local.evaluate.traffic.measures import Measures, measure
from services.local.evaluate.traffic.policies import Policy
from services.local.evaluate.traffic.report import write_tables
from services.local.evaluate.traffic.results import Results, world_of
from services.local.evaluate.traffic.town import plain_network, read_streets
from tests.unit.traffic_made import patient


def _measures(**changes: Any) -> Measures:
    made = measure(Trace({"p0": patient("p0", parked_s=500.0)}, [0], 600.0), {"p0": 400.0}, {})
    return dataclasses.replace(made, **changes)


def _filled(path: Path, policy: Policy, *extras: float, **changes: Any) -> Results:
    results = Results(path)
    for seed, extra in enumerate(extras, start=1):
        measures = _measures(extra_mean_s=extra, extra_p95_s=4 * extra, **changes)
        results.add(policy, seed, f"w{seed}", measures, simulator="made", took_s=1.0)
    return results


def _compared(path: Path) -> Compared:
    return Compared(Results(path).lines, {1: "w1", 2: "w2", 3: "w3"})


def test_a_run_that_is_kept_is_found_again_by_who_opens_the_file_next(tmp_path: Path) -> None:
    """The same policy, parameters, seed and world: done. Anything else: to be run."""
    file = tmp_path / "kept" / "traffic.jsonl"
    policy = Policy("ours", decide_m=1_000.0, margin="law")
    _filled(file, policy, 200.0)
    again = Results(file)
    found = again.find(policy, 1, "w1")
    assert found is not None
    assert found["measures"]["extra_mean_s"] == 200.0
    assert again.find(policy, 2, "w1") is None
    assert again.find(policy, 1, "another") is None
    assert again.find(dataclasses.replace(policy, margin=1), 1, "w1") is None


def test_lines_are_added_and_none_is_lost(tmp_path: Path) -> None:
    """Each run is one line of JSON, with what it ran on."""
    file = tmp_path / "traffic.jsonl"
    _filled(file, Policy("wait"), 3_000.0)
    _filled(file, Policy("blind"), 400.0, 500.0)
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert [(line["policy"], line["seed"]) for line in lines] == [("wait", 1), ("blind", 1), ("blind", 2)]
    assert all(line["commit"] and line["machine"] and line["simulator"] == "made" for line in lines)


def test_a_run_after_a_line_that_a_kill_cut_off_is_kept(tmp_path: Path) -> None:
    """What is left of the run that was killed is cut off first: it spoils neither the new line nor the file."""
    file = tmp_path / "traffic.jsonl"
    _filled(file, Policy("wait"), 3_000.0)
    with file.open("a", encoding="utf-8") as out:
        out.write('{"policy": "blind", "se')
    _filled(file, Policy("blind"), 400.0)
    assert [line["policy"] for line in Results(file).lines] == ["wait", "blind"]


def test_other_people_make_another_world() -> None:
    """Whoever changes the town or its people does not mix old results with new ones."""
    network = plain_network(read_streets())
    trips = draw_trips(1, network)
    later = [dataclasses.replace(trips[-1], due_s=trips[-1].due_s + 1.0)]
    assert world_of(network, trips) == world_of(network, draw_trips(1, network))
    assert world_of(network, trips) != world_of(network, [*trips[:-1], *later])


def test_every_policy_is_run_once_and_the_yardstick_first() -> None:
    """The operating point is on the front, and is not run twice for it."""
    policies = all_policies()
    assert policies[0].name == "room"
    assert len(policies) == len(set(policies))
    assert OPERATING in policies


def test_a_gain_is_paired_by_seed_and_old_worlds_are_left_out(tmp_path: Path) -> None:
    """Every seed is a tenth better than the same seed of the peer: a gain without doubt, however the seeds differ."""
    file = tmp_path / "traffic.jsonl"
    _filled(file, VISIBLE, 200.0, 100.0, 300.0)
    _filled(file, OPERATING, 180.0, 90.0, 270.0)
    Results(file).add(OPERATING, 1, "old", _measures(extra_mean_s=1.0), simulator="made", took_s=1.0)
    gain = _compared(file).better_by(OPERATING, VISIBLE, "extra_mean_s")
    assert gain.mean == pytest.approx(0.1)
    assert gain.half == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({}, None),
        ({"queue_max": 6}, "queue"),
        ({"refused_share": 0.021}, "refused"),
    ],
)
def test_a_mark_that_is_missed_is_said_to_be(tmp_path: Path, changes: dict[str, Any], missed: str | None) -> None:
    """Each mark is judged by itself."""
    file = tmp_path / "traffic.jsonl"
    _filled(file, VISIBLE, 200.0, 210.0)
    _filled(file, OPERATING, 180.0, 185.0, **changes)
    found = marks(_compared(file), OPERATING, VISIBLE)
    assert len(found) == 4
    assert [mark.text for mark in found if not mark.holds and (missed is None or missed not in mark.text)] == []
    assert all(mark.holds for mark in found) == (missed is None)


def test_no_better_than_the_peer_is_a_mark_missed(tmp_path: Path) -> None:
    """Nine percent are not ten."""
    file = tmp_path / "traffic.jsonl"
    _filled(file, VISIBLE, 200.0, 200.0)
    _filled(file, OPERATING, 182.0, 182.0)
    assert [mark.holds for mark in marks(_compared(file), OPERATING, VISIBLE)] == [True, True, False, False]


def test_a_page_keeps_its_words_and_gets_its_tables_anew(tmp_path: Path) -> None:
    """What is between the marks is replaced; a policy without runs has no row."""
    file, page = tmp_path / "traffic.jsonl", tmp_path / "page.md"
    _filled(file, VISIBLE, 200.0, 220.0)
    _filled(file, OPERATING, 180.0, 190.0)
    names = [f"bowei evaluate traffic: {name}" for name in ("marks", "main", "front", "share", "troubles")]
    marked = "".join(f"<!-- {name} -->\nyesterday\n<!-- end of {name} -->\n\n" for name in names)
    page.write_text(f"Words.\n\n{marked}More words.\n", encoding="utf-8")
    write_tables(page, _compared(file))
    written = page.read_text(encoding="utf-8")
    assert written.startswith("Words.\n\n<!-- bowei evaluate traffic: marks -->\n| mark |")
    assert written.endswith("<!-- end of bowei evaluate traffic: troubles -->\n\nMore words.\n")
    assert "yesterday" not in written
    assert "| visible, tuned (2 of 5 seeds) | 210 ± 127 |" in written
    assert "native" not in written
    write_tables(page, _compared(file))
    assert page.read_text(encoding="utf-8") == written
