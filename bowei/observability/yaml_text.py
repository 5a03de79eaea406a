"""YAML as scene and feeds files use it: the plain values of YAML 1.2, every key once, nothing that can grow when read.

YAML 1.1, which the library reads by itself, makes the number 1320 of 22:00 and false of no.
"""

import re
from collections.abc import Hashable

import yaml
from typing_extensions import override

from bowei.domain.problems import FieldError, Refused

LARGEST_BYTES = 512 * 1024


class _Fault(yaml.YAMLError):
    def __init__(self, code: str, mark: yaml.Mark) -> None:
        super().__init__(code)
        self.code = code
        self.mark = mark


class _PlainLoader(yaml.SafeLoader):
    """A safe loader without implicit dates, base-60 numbers, aliases, and keys that are repeated or no texts."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (the library's own shape)

    @override
    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _Fault("yaml_alias", event.start_mark)
        return super().compose_node(parent, index)

    @override
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        keys: set[str] = set()
        for key, _ in node.value:
            if key.tag != "tag:yaml.org,2002:str" or key.value in keys:
                raise _Fault("duplicate_key", key.start_mark)
            keys.add(key.value)
        return super().construct_mapping(node, deep=deep)


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]{1,18}", "-+0123456789"),
    ("float", r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", "-+0123456789."),
    ("null", r"~|null|Null|NULL|", "~nN"),
):
    _PlainLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), [*_first, *([""] if _tag == "null" else [])]
    )


def read_yaml(body: bytes) -> object:
    """Read a YAML document.

    Raises:
        Refused: malformed_yaml, naming the line, or body_too_large.
    """
    if len(body) > LARGEST_BYTES:
        raise Refused("body_too_large")
    try:
        loader = _PlainLoader(body.decode("utf-8"))
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except _Fault as fault:
        raise _malformed(fault.code, fault.mark) from fault
    except yaml.MarkedYAMLError as fault:
        raise _malformed("yaml_syntax", fault.problem_mark) from fault
    except (yaml.YAMLError, ValueError, RecursionError) as fault:
        raise _malformed("yaml_syntax", None) from fault


def _malformed(code: str, mark: yaml.Mark | None) -> Refused:
    where = "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}"
    return Refused("malformed_yaml", errors=(FieldError(where, code),))
