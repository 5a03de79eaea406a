"""Where a value stands in what was sent: a JSON path of RFC 9535, or the name of a member, column or form field."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Final

from jsonpath import JSONPath, JSONPathEnvironment
from jsonpath.exceptions import JSONPathError
from jsonpath.selectors import IndexSelector, NameSelector
from pydantic import PlainValidator
from typing_extensions import override

from bowei.observability.operator_files import unfit

_RFC = JSONPathEnvironment(strict=True)
_LONGEST = 200

MISSING: Final = object()
"""What `ValuePath.value` gives where there is nothing."""


class ValuePath:
    """A path that was read once; it finds values without ever raising."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._names: Sequence[str | int] | None = [text]
        self._query: JSONPath | None = None
        if text.startswith("$"):
            self._query = _compiled(text)
            self._names = _steps(self._query)

    @override
    def __repr__(self) -> str:
        return f"ValuePath({self.text!r})"

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, ValuePath) and other.text == self.text

    @override
    def __hash__(self) -> int:
        return hash(self.text)

    @property
    def single(self) -> bool:
        """Say whether it can only ever find one value."""
        return self._names is not None

    def value(self, root: object) -> object:
        """Give the first value found, or MISSING."""
        return next(iter(self.values(root)), MISSING)

    def values(self, root: object) -> Iterable[object]:
        """Give every value found, in the order of the document."""
        if self._names is not None:
            found = _walk(root, self._names)
            return () if found is MISSING else (found,)
        if self._query is None:
            return ()
        try:
            return self._query.findall(root)  # type: ignore[arg-type]  # a scalar has nothing to find
        except JSONPathError:
            return ()


def _compiled(text: str) -> JSONPath:
    try:
        query = _RFC.compile(text)
    except JSONPathError as error:
        # Not str(error): the library's own words for it fail for some errors at the very end of a path.
        raise unfit(f"This is no JSON path of RFC 9535: {error.args[0] if error.args else 'unreadable'}.") from None
    if not isinstance(query, JSONPath):
        raise unfit("Write one JSON path of RFC 9535.")
    return query


def _steps(query: JSONPath) -> list[str | int] | None:
    """Give the names and places of a path that leads straight to one value: they are walked, which is much faster."""
    if not query.singular_query():
        return None
    steps: list[str | int] = []
    for segment in query.segments:
        selector = segment.selectors[0]
        if isinstance(selector, NameSelector):
            steps.append(selector.name)
        elif isinstance(selector, IndexSelector):
            steps.append(selector.index)
        else:
            return None
    return steps


def _walk(root: object, steps: Sequence[str | int]) -> object:
    at = root
    for step in steps:
        if isinstance(step, str):
            if not isinstance(at, Mapping) or step not in at:
                return MISSING
            at = at[step]
        elif isinstance(at, list) and -len(at) <= step < len(at):
            at = at[step]
        else:
            return MISSING
    return at


def _path(said: object) -> ValuePath:
    if not isinstance(said, str) or not 0 < len(said) <= _LONGEST:
        raise unfit("Write a JSON path such as $.data.free, or the name of a member, column or form field.")
    return ValuePath(said)


def _single_path(said: object) -> ValuePath:
    path = _path(said)
    if not path.single:
        raise unfit("This path may find several values. Write one that leads to one: names and places only.")
    return path


AnyPath = Annotated[ValuePath, PlainValidator(_path)]
SinglePath = Annotated[ValuePath, PlainValidator(_single_path)]
