"""Why this lot and not a nearer one, in words."""

import re
from dataclasses import fields

import pytest

from bowei.domain.agreements import AgreementId
from bowei.domain.choice_rules import USUAL_RULES
from bowei.domain.choosing import Exclusion
from bowei.domain.directory import Directory
from services.routing.reasons import why
from tests.unit.choice_cases import CASES, PAGE, Case, page_text, told, written

ONE = {"agreement_id": "a", "lot_id": "a", "drive_s": 60, "walk_s": 60, "cost_s": 120, "chance": 1.0}
TWO = {"agreement_id": "b", "lot_id": "b", "drive_s": 30, "walk_s": 30}


def test_the_page_says_what_the_code_says() -> None:
    """Ten cases that can't go stale; `python -m tests.unit.choice_cases` writes them anew."""
    assert len(CASES) == 10
    assert written() == f"{page_text()}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title.en)
def test_every_case_reads_as_a_sentence_in_both_languages(case: Case) -> None:
    """No code, no key and no number without its unit reaches a driver."""
    said = told(case)
    assert not re.search(r"[_{}\[\]]|None|nan", said.zh + said.en)
    assert said.en.endswith(".")
    assert said.zh.endswith("。")


def test_the_page_lists_every_rule_with_its_usual_number() -> None:
    """A rule that nobody can look up can't be overridden."""
    rows = dict(re.findall(r"^\| `(\w+)` \| (\S+) \| .+ \| .* \|$", PAGE.read_text("utf-8"), re.MULTILINE))
    usual = {one.name: getattr(USUAL_RULES, one.name) for one in fields(USUAL_RULES)}
    assert rows == {name: f"{value:g}" if isinstance(value, float) else value for name, value in usual.items()}


@pytest.mark.parametrize("excluded", Exclusion)
def test_every_reason_to_leave_a_lot_out_can_be_said(excluded: Exclusion) -> None:
    """Of a nearer lot, and where nothing is left."""
    shown = [ONE, TWO | {"excluded": str(excluded)}]
    said = why({"considered": shown}, AgreementId("a"), Directory.empty())
    assert said.en.startswith("a: 1 min by car, 1 min on foot")
    assert "Nearer, but not chosen: b " in said.en
    none = why({"considered": shown[1:]}, None, Directory.empty())
    paused = excluded is Exclusion.GATE_PAUSED
    assert none.en.startswith("The hospital sends nobody elsewhere" if paused else "No lot nearby will do: b ")
    assert none.zh.startswith("医院暂停" if paused else "附近停车场均不可用：b")


def test_a_lot_that_is_no_nearer_needs_no_excuse() -> None:
    """Nobody asks why they were not sent farther."""
    farther = TWO | {"walk_s": 500, "excluded": "full"}
    assert "Nearer" not in why({"considered": [ONE, farther]}, AgreementId("a"), Directory.empty()).en


def test_of_many_nearer_lots_three_are_named() -> None:
    """A guard reads it out."""
    many = [TWO | {"agreement_id": name, "lot_id": name, "excluded": "full"} for name in "bcdef"]
    said = why({"considered": [ONE, *many]}, AgreementId("a"), Directory.empty())
    assert said.en.endswith("b is full; c is full; d is full; and 2 more.")
    assert said.zh.endswith("b已满；c已满；d已满；另有2处。")


def test_with_no_lot_at_all_that_is_said() -> None:
    """Nobody shares with this hospital."""
    assert "shares its spaces" in why({"considered": []}, None, Directory.empty()).en


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"fee_s": 600, "fee": "10.00 CNY", "cost_s": 700}, "costs more (10.00 CNY)"),
        ({"fill_s": 200, "cost_s": 300}, "is filling up"),
        ({"failure_s": 200, "chance": 0.6, "cost_s": 300}, "is only 60% sure to have a space"),
        ({"slow_walk_s": 200, "cost_s": 300}, "is a longer walk"),
        ({"shadow_s": 200, "cost_s": 300}, "is filling up"),
        ({"unsure": True, "chance": 0.6, "cost_s": 80}, "is only 60% sure to have a space"),
        ({"instead": "standard", "cost_s": 80}, "has only a standard space"),
        ({"cost_s": 110}, "is as good, and it is the emptier one's turn"),
    ],
)
def test_of_a_nearer_candidate_that_costs_more_the_greatest_part_is_named(other: dict[str, object], said: str) -> None:
    """One reason each, the one that weighs most."""
    answer = {"considered": [ONE, TWO | other]}
    assert f"b {said}." in why(answer, AgreementId("a"), Directory.empty()).en
