"""Validation: pydantic's findings about a request as our own stable codes, without the input they quote.

A validator of a service may raise `pydantic_core.PydanticCustomError(code, "")` with any code of
`bowei.domain.field_kinds.FIELD_KINDS`; it is passed on as it is.
"""

import re
from collections.abc import Mapping, Sequence

from bowei.domain.field_kinds import FIELD_KINDS
from bowei.domain.problems import FieldError, Refused

_MOST_ERRORS = 50
_SHOWABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
"""Names of fields that are shown; another may be data that was sent as a key."""
_PARTS_OF_REQUEST = frozenset({"body", "query", "path", "header", "cookie"})
_BOUNDS = (("ge", ">="), ("gt", ">"), ("le", "<="), ("lt", "<"))
_LENGTHS = (("min_length", ">="), ("max_length", "<="))

_CODES: Mapping[str, str] = {
    "missing": "missing_field",
    "extra_forbidden": "unknown_field",
    "unexpected_keyword_argument": "unknown_field",
    "enum": "unknown_option",
    "literal_error": "unknown_option",
    "union_tag_invalid": "unknown_option",
    "union_tag_not_found": "missing_field",
    "finite_number": "out_of_range",
    "int_parsing_size": "out_of_range",
    "greater_than": "out_of_range",
    "greater_than_equal": "out_of_range",
    "less_than": "out_of_range",
    "less_than_equal": "out_of_range",
    "multiple_of": "out_of_range",
    "too_short": "wrong_length",
    "too_long": "wrong_length",
    "string_too_short": "wrong_length",
    "string_too_long": "wrong_length",
    "string_unicode": "bad_text",
    "timezone_aware": "naive_time",
    "timezone_offset": "naive_time",
    "int_from_float": "wrong_type",
}


def refused_for(findings: Sequence[Mapping[str, object]]) -> Refused:
    """Turn the `errors()` of a pydantic or FastAPI validation error into one refusal."""
    if any(finding.get("type") == "json_invalid" for finding in findings):
        return Refused("malformed_json")
    return Refused("invalid_request", errors=tuple(field_error(finding) for finding in findings[:_MOST_ERRORS]))


def field_error(finding: Mapping[str, object]) -> FieldError:
    """Turn one finding of pydantic into ours."""
    location = finding.get("loc")
    parts = tuple(location) if isinstance(location, list | tuple) else ()
    if len(parts) > 1 and parts[0] in _PARTS_OF_REQUEST:
        parts = parts[1:]
    context = finding.get("ctx")
    last = str(parts[-1]) if parts else ""
    return FieldError(
        path_of(parts),
        _code(str(finding.get("type")), last),
        _bounds(context if isinstance(context, Mapping) else {}),
    )


def path_of(parts: Sequence[object]) -> str:
    """Write a path as `lots[3].location.lat`; a name that is no plain word is written as ?."""
    path = ""
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            shown = str(part) if _SHOWABLE.fullmatch(str(part)) else "?"
            path += f".{shown}" if path else shown
    return path


def _code(kind: str, last: str) -> str:
    if kind in FIELD_KINDS:
        return kind
    if kind == "missing" and last == "datum":
        return "missing_datum"
    if kind == "string_pattern_mismatch":
        return "bad_id" if last == "id" or last.endswith("_id") else "bad_text"
    if kind in _CODES:
        return _CODES[kind]
    if kind.startswith(("datetime_", "date_", "time_")):
        return "bad_time"
    return "wrong_type" if kind.endswith(("_type", "_parsing", "_attributes_type")) else "bad_value"


def _bounds(context: Mapping[object, object]) -> str:
    said = [f"{sign} {context[name]}" for name, sign in _BOUNDS if isinstance(context.get(name), int | float)]
    said += [f"length {sign} {context[name]}" for name, sign in _LENGTHS if isinstance(context.get(name), int)]
    return f"({', '.join(said)})" if said else ""
