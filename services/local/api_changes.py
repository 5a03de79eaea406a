"""What of a changed description breaks those who use it: additions do not, whatever else does.

What may be sent may only become more; what is answered may only have more in it. A new value of an enumeration in an
answer is an addition: readers are told to expect some (docs/api/README.md).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Description = Mapping[str, Any]
_Schema = Mapping[str, Any]

_LIMITS_BELOW = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")
_LIMITS_ABOVE = ("minimum", "exclusiveMinimum", "minLength", "minItems")
_DEEPEST = 12


def breaking_changes(before: Description, after: Description) -> list[str]:
    """List what breaks, in words; none: whoever used what was before goes on."""
    return list(_Comparing(before, after).operations())


class _Comparing:
    def __init__(self, before: Description, after: Description) -> None:
        self._before = before
        self._after = after

    def operations(self) -> Iterator[str]:
        for path, methods in self._before["paths"].items():
            for method, old in methods.items():
                name = f"{method.upper()} {path}"
                new = self._after["paths"].get(path, {}).get(method)
                if new is None:
                    yield f"{name} is gone"
                    continue
                if old.get("operationId") != new.get("operationId"):
                    yield f"{name} has another operation id"
                yield from self._parameters(name, old.get("parameters", ()), new.get("parameters", ()))
                yield from self._body(name, old.get("requestBody"), new.get("requestBody"))
                yield from self._answers(name, old.get("responses", {}), new.get("responses", {}))

    def _parameters(self, name: str, old: Sequence[Any], new: Sequence[Any]) -> Iterator[str]:
        known = {(one["in"], one["name"]): one for one in old}
        now = {(one["in"], one["name"]): one for one in new}
        for key, one in known.items():
            if key not in now:
                yield f"{name}: the parameter {key[1]} is gone"
            else:
                yield from self._sent(f"{name}: the parameter {key[1]}", one["schema"], now[key]["schema"])
        for key, one in now.items():
            if one.get("required") and not known.get(key, {}).get("required"):
                yield f"{name}: the parameter {key[1]} must be sent now"

    def _body(self, name: str, old: _Schema | None, new: _Schema | None) -> Iterator[str]:
        if new is not None and new.get("required") and not (old or {}).get("required"):
            yield f"{name}: a body must be sent now"
        for kind, content in ((old or {}).get("content") or {}).items():
            now = ((new or {}).get("content") or {}).get(kind)
            if now is None:
                yield f"{name}: a body of {kind} is no longer taken"
            else:
                yield from self._sent(f"{name}: the body", content.get("schema", {}), now.get("schema", {}))

    def _answers(self, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
        for status, answer in old.items():
            if not status.startswith("2"):
                continue  # how a request is refused is in the problems' own page
            if status not in new:
                yield f"{name}: there is no answer {status} any more"
                continue
            for kind, content in (answer.get("content") or {}).items():
                now = (new[status].get("content") or {}).get(kind)
                if now is None:
                    yield f"{name}: the answer {status} is no longer {kind}"
                else:
                    yield from self._given(f"{name}: the answer", content.get("schema", {}), now.get("schema", {}))

    def _sent(self, name: str, old: _Schema, new: _Schema, depth: int = 0) -> Iterator[str]:
        old, new = _resolved(self._before, old), _resolved(self._after, new)
        if depth > _DEEPEST:
            return
        yield from _narrowed(name, old, new)
        known, now = old.get("properties", {}), new.get("properties", {})
        for field in known.keys() - now.keys():
            yield f"{name}: {field} may no longer be sent"
        for field in set(new.get("required", ())) - set(old.get("required", ())):
            yield f"{name}: {field} must be sent now"
        for field in known.keys() & now.keys():
            yield from self._sent(f"{name}.{field}", known[field], now[field], depth + 1)
        if "items" in old and "items" in new:
            yield from self._sent(f"{name}[]", old["items"], new["items"], depth + 1)

    def _given(self, name: str, old: _Schema, new: _Schema, depth: int = 0) -> Iterator[str]:
        old, new = _resolved(self._before, old), _resolved(self._after, new)
        if depth > _DEEPEST:
            return
        if _types(new) - _types(old) and _types(old):
            yield f"{name} may be of another type"
        known, now = old.get("properties", {}), new.get("properties", {})
        for field in known.keys() - now.keys():
            yield f"{name}: {field} is no longer there"
        for field in set(old.get("required", ())) - set(new.get("required", ())):
            yield f"{name}: {field} is no longer always there"
        for field in known.keys() & now.keys():
            yield from self._given(f"{name}.{field}", known[field], now[field], depth + 1)
        if "items" in old and "items" in new:
            yield from self._given(f"{name}[]", old["items"], new["items"], depth + 1)


def _narrowed(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Say what may no longer be sent of a value."""
    if _types(new) and _types(old) - _types(new):
        yield f"{name} may no longer be of each type"
    if "enum" in new and ("enum" not in old or set(map(str, old["enum"])) - set(map(str, new["enum"]))):
        yield f"{name} may no longer have each value"
    if "pattern" in new and new["pattern"] != old.get("pattern"):
        yield f"{name} must have another form"
    for limit in _LIMITS_BELOW:
        if limit in new and new[limit] < old.get(limit, float("inf")):
            yield f"{name}: {limit} is lower"
    for limit in _LIMITS_ABOVE:
        if limit in new and new[limit] > old.get(limit, float("-inf")):
            yield f"{name}: {limit} is higher"


def _types(schema: Mapping[str, Any]) -> set[str]:
    """Give the types that a value may have; none where nothing is said of that."""
    if "anyOf" in schema:
        return set().union(*(_types(one) for one in schema["anyOf"]))
    if "$ref" in schema:
        return {str(schema["$ref"])}
    said = schema.get("type")
    return set() if said is None else {said} if isinstance(said, str) else set(said)


def _resolved(description: Description, schema: _Schema) -> _Schema:
    """Follow a reference; of a value that may also be absent, give what it is otherwise."""
    for _ in range(_DEEPEST):
        if "$ref" in schema:
            schema = description["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
            continue
        others = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
        if len(others) != 1:
            return schema
        schema = {**{key: value for key, value in schema.items() if key != "anyOf"}, **others[0]}
    return {}
