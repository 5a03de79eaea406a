"""Elements by their local names: what stands where in a record, whatever namespace it was written in."""

from collections.abc import Iterable
from xml.etree.ElementTree import Element

_XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_BLANK = " \t\r\n"


def local_name(tag: object) -> str:
    """Give a tag without its namespace; the tags of comments and instructions are no texts, and have none."""
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def xsi_type(element: Element) -> str:
    """Give the type that an element says to be of, without its prefix."""
    return element.get(_XSI_TYPE, "").rpartition(":")[2].strip(_BLANK)


def children(element: Element | None, name: str) -> Iterable[Element]:
    """Give the direct children of a name."""
    return () if element is None else (child for child in element if local_name(child.tag) == name)


def child(element: Element | None, *names: str) -> Element | None:
    """Give the first direct child of one of these names."""
    for name in names:
        for found in children(element, name):
            return found
    return None


def text(element: Element | None, *names: str) -> str | None:
    """Give the text of the first direct child of one of these names; None where there is none, or it is empty."""
    found = child(element, *names)
    return None if found is None else (found.text or "").strip(_BLANK) or None


def texts(element: Element, name: str) -> frozenset[str]:
    """Give the texts of all direct children of a name."""
    return frozenset((one.text or "").strip(_BLANK) for one in children(element, name))


def is_true(element: Element | None, name: str) -> bool:
    """Say whether a direct child is there and true."""
    return text(element, name) in {"true", "1"}
