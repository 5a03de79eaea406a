"""What random histories are drawn from: few lots, drivers and ids, and times at the edges of everything that ends."""

import itertools
from datetime import time, timedelta

from hypothesis import strategies as st

from bowei.domain.agreements import AgreementId, LendingWindow, QuotaStep
from bowei.domain.dirt import Dirt
from bowei.domain.lots import DriverId, SpaceClass
from bowei.domain.observations import Bound, LotState
from bowei.records.holding import Candidate
from tests.contract.block import FIRST, MALL, MALL_FIRST, MALL_SECOND, OFFICE, OFFICE_FIRST, SECOND

MAX_STAY = timedelta(minutes=30)
WINDOW_EDGES = [time(9, 5), time(9, 12), time(9, 30)]
"""Local times at which the windows of some agreements open and close; the histories begin at 09:00."""

SECONDS = [timedelta(seconds=number) for number in (-1, 0, 1)]
AGREEMENTS = {MALL_FIRST: (MALL, FIRST), MALL_SECOND: (MALL, SECOND), OFFICE_FIRST: (OFFICE, FIRST)}

seconds = st.sampled_from(SECONDS)
lot_ids = st.sampled_from([MALL, OFFICE])
diversion_ids = st.sampled_from([f"diversion-{number}" for number in range(6)])
driver_ids = st.sampled_from([DriverId(f"driver-{number}") for number in range(4)])
plates = st.sampled_from([None, b"p" * 32, b"q" * 32])
counts = st.sampled_from([3, 2, 3, 2, 1, 0, None])
classes = st.sampled_from([SpaceClass.STANDARD] * 3 + [SpaceClass.EV])
candidate_lists = st.lists(
    st.builds(
        Candidate,
        st.sampled_from([*AGREEMENTS, *AGREEMENTS, AgreementId("removed")]),
        classes,
        st.sampled_from([timedelta(minutes=5), timedelta(minutes=9)]),
        st.sampled_from([0, 0, 0, 1]),
        st.sampled_from([None, None, *(timedelta(minutes=minutes) for minutes in (5, 12, 30))]),
    ),
    min_size=1,
    max_size=3,
).map(tuple)
window_hours = st.sampled_from([(time(0), time(0))] * 4 + [*itertools.pairwise(WINDOW_EDGES)])
windows = st.builds(
    lambda of, spaces, hours, steps: LendingWindow(of, spaces, frozenset({1}), hours[0], hours[1], steps),
    classes,
    st.sampled_from([2, 3, 1, 0]),
    window_hours,
    st.sampled_from([(), (), (QuotaStep(WINDOW_EDGES[1], 1),), (QuotaStep(WINDOW_EDGES[1], 0),)]),
)
rarely = st.sampled_from([False] * 9 + [True])
which = st.integers(0, 99)
"""Which of what there is just then, counted round."""
what_is_said = st.fixed_dictionaries(
    {"free": counts, "state": st.sampled_from([LotState.OPEN] * 9 + [LotState.CLOSED])},
    optional={
        "open": counts,
        "capacity": counts,
        "free_by_class": st.dictionaries(classes, st.integers(0, 3)),
        "bound": st.sampled_from([*Bound, Bound.EXACT]),
        "reset": st.just(value=True),
        "dirt": st.sampled_from([frozenset({Dirt.OVERFLOW}), frozenset({Dirt.OVERFLOW, Dirt.NAIVE_TIME}), frozenset()]),
    },
)
"""The counts of a report that may be believed."""
