"""Made often: for values of which tens of thousands are made in a second.

A frozen dataclass sets its fields by `object.__setattr__`, which looks up each by its name. Where it has slots, what
sets a slot can be called itself; that takes half the time, and making values was the largest part of a report's cost.
"""

import dataclasses
from typing import Any, TypeVar

Kind = TypeVar("Kind", bound=type[Any])

_NOT_SAID = object()


def made_often(kind: Kind) -> Kind:
    """Give a frozen dataclass with slots an `__init__` that does the same, faster. It calls no `__post_init__`."""
    names: dict[str, object] = {"_not_said": _NOT_SAID}
    heads, lines = ["self"], []
    for one in dataclasses.fields(kind):
        names[f"_set_{one.name}"] = vars(kind)[one.name].__set__
        value = one.name
        if one.default_factory is not dataclasses.MISSING:
            names[f"_make_{one.name}"] = one.default_factory
            heads.append(f"{one.name}=_not_said")
            value = f"_make_{one.name}() if {one.name} is _not_said else {one.name}"
        elif one.default is not dataclasses.MISSING:
            names[f"_usual_{one.name}"] = one.default
            heads.append(f"{one.name}=_usual_{one.name}")
        else:
            heads.append(one.name)
        lines.append(f"    _set_{one.name}(self, {value})")
    # As `dataclasses` writes its own. Nothing goes in but the names of fields.
    exec("\n".join([f"def __init__({', '.join(heads)}):", *lines]), names)  # noqa: S102
    kind.__init__ = names["__init__"]
    return kind
