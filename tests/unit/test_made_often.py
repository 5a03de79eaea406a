"""Values of which many are made are the same values."""

import dataclasses
from dataclasses import dataclass, field

import pytest

from bowei.domain.made_often import made_often


@dataclass(frozen=True, slots=True)
class Plain:
    """A value."""

    lot: str
    free: int | None = None
    by_class: dict[str, int] = field(default_factory=dict)
    quiet: bool = field(default=False, repr=False, compare=False)


@made_often
@dataclass(frozen=True, slots=True)
class Often:
    """The same, made often."""

    lot: str
    free: int | None = None
    by_class: dict[str, int] = field(default_factory=dict)
    quiet: bool = field(default=False, repr=False, compare=False)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (("mall",), {}),
        (("mall", 3), {}),
        ((), {"lot": "mall", "by_class": {"ev": 1}}),
        (("mall",), {"free": 0, "quiet": True}),
    ],
)
def test_what_is_made_often_has_the_fields_of_what_is_not(given: tuple[str], named: dict[str, object]) -> None:
    """Given by place, by name, or left out."""
    plain, often = Plain(*given, **named), Often(*given, **named)  # type: ignore[arg-type]
    assert dataclasses.asdict(often) == dataclasses.asdict(plain)
    assert repr(often) == repr(plain).replace("Plain", "Often")


def test_each_gets_a_default_of_its_own() -> None:
    """What a factory makes is not shared."""
    first, second = Often("mall"), Often("mall")
    assert first.by_class is not second.by_class
    assert first == second


def test_it_can_be_replaced_and_not_changed() -> None:
    """It is frozen, and a changed copy of it is made as of any dataclass."""
    often = Often("mall", 3)
    assert dataclasses.replace(often, free=2) == Often("mall", 2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        often.free = 2  # type: ignore[misc]


def test_what_is_needed_must_be_given_and_nothing_else() -> None:
    """As of any class."""
    with pytest.raises(TypeError):
        Often()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Often("mall", size=3)  # type: ignore[call-arg]
