"""How much is under way at once is bounded, and nobody gets all of it."""

import pytest

from bowei.domain.lots import SourceId
from bowei.records.failures import Overloaded
from services.ingest.admitting import Admission

STORM, OTHER, QUIET = SourceId("storm"), SourceId("other"), SourceId("quiet")


def fill(admission: Admission, source_id: SourceId, size: int = 1) -> int:
    """Let a source send until it is refused; nothing ends. Give how much it got."""
    got = 0
    while True:
        context = admission.admitted(source_id, size)
        try:
            context.__enter__()
        except Overloaded:
            return got
        _OPEN.append(context)
        got += size


_OPEN: list[object] = []


def test_a_source_that_storms_gets_half_and_the_others_still_get_in() -> None:
    """Whoever reports now and then is served while another storms."""
    admission = Admission(most_bytes=1_200)
    assert fill(admission, STORM) == 600
    assert fill(admission, OTHER) == 300
    with admission.admitted(QUIET, 100):
        assert admission.held_bytes == 1_000
    assert admission.held_bytes == 900
    with pytest.raises(Overloaded), admission.admitted(STORM, 1):
        pass


def test_what_has_ended_makes_room_whatever_it_ended_with() -> None:
    """A storm that is over leaves nothing behind."""
    admission = Admission(most_bytes=100)
    for _ in range(1_000):
        with pytest.raises(ZeroDivisionError), admission.admitted(STORM, 50):
            raise ZeroDivisionError
    assert admission.held_bytes == 0
    with admission.admitted(STORM, 50):
        pass


def test_a_request_that_is_too_large_for_what_is_left_is_refused_and_counts_nothing() -> None:
    """What was refused takes no room."""
    admission = Admission(most_bytes=100)
    with admission.admitted(STORM, 40):
        with pytest.raises(Overloaded), admission.admitted(STORM, 30):
            pass
        with admission.admitted(QUIET, 30):
            assert admission.held_bytes == 70
