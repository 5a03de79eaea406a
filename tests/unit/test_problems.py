"""The catalogue of refusals: every code has a status and says in two languages what to do."""

import re

import pytest

from bowei.domain.problems import KINDS, FieldError, ProblemKind, Refused

EVERY_KIND = list(KINDS.values())


@pytest.mark.parametrize("kind", EVERY_KIND, ids=list(KINDS))
def test_every_problem_can_be_told_to_a_driver_and_to_a_program(kind: ProblemKind) -> None:
    """The code is a stable word, the status an error, the texts whole sentences in English and Chinese."""
    assert re.fullmatch(r"[a-z][a-z0-9_]*", kind.code)
    assert 400 <= kind.status <= 599
    assert kind.en.endswith(".")
    assert kind.zh.endswith("。")
    assert re.search(r"[\u4e00-\u9fff]", kind.zh)
    assert not re.search(r"[\u4e00-\u9fff]", kind.en)
    assert "{" not in kind.en + kind.zh


def test_no_two_problems_say_the_same() -> None:
    """Whoever reads a text can tell which problem it is."""
    assert len({kind.en for kind in EVERY_KIND}) == len({kind.zh for kind in EVERY_KIND}) == len(EVERY_KIND)


def test_a_refusal_carries_its_code_and_what_the_caller_needs() -> None:
    """An unknown code is the programmer's mistake, and fails at once."""
    refused = Refused("overloaded", retry_after_s=2.0, errors=(FieldError("a", "b", "c"),))
    assert (refused.code, refused.kind.status, refused.retry_after_s) == ("overloaded", 503, 2.0)
    assert str(refused) == "overloaded"
    with pytest.raises(KeyError):
        Refused("no_such_code")
