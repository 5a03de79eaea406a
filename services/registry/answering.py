"""What the stores and the rules refuse, as the problems that callers are answered with."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from bowei.domain.problems import FieldError, Refused
from bowei.records.registering import StillInUse, UnknownReference


@contextmanager
def answered() -> Iterator[None]:
    """Answer what a store refuses."""
    try:
        yield
    except UnknownReference as error:
        raise Refused(error.code) from error
    except StillInUse as error:
        raise Refused("still_in_use") from error


def refuse_faulty(faults: Iterable[FieldError]) -> None:
    """Refuse what has faults, with all of them."""
    found = tuple(faults)
    if found:
        raise Refused("invalid_request", errors=found)
