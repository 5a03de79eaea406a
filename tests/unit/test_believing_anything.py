"""What holds of every verdict, whatever a lot says and whatever is known of it."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from bowei.domain.believing import FROZEN_AFTER, Claim, Known, LotFacts, judge, judge_by_rules
from bowei.domain.dirt import Dirt, Doubt
from bowei.domain.lots import SpaceClass
from bowei.domain.observations import FUTURE_TOLERANCE, Bound, LotState, Observation, Outcome
from bowei.domain.problems import KINDS
from tests.unit.test_believing import MINUTE, NOON, a_report, known, said

counts = st.one_of(st.none(), st.integers(-5, 400), st.sampled_from([0, 299, 300, 301, 303, 304, 8259]))
observations = st.builds(
    said,
    at=st.sampled_from([NOON, NOON - MINUTE, NOON - timedelta(days=30), NOON + timedelta(seconds=31)]),
    free=counts,
    occupied=counts,
    capacity=counts,
    open=counts,
    queue_vehicles=counts,
    bound=st.sampled_from(Bound),
    state=st.sampled_from(LotState),
    free_by_class=st.dictionaries(st.sampled_from(SpaceClass), st.integers(-1, 310)),
    dirt=st.frozensets(st.sampled_from(Dirt), max_size=2),
)
facts = st.builds(
    LotFacts,
    binary=st.booleans(),
    capacity=st.sampled_from([None, None, 0, 80, 300, 500]),
    frozen_clock=st.booleans(),
    doubt=st.sampled_from([None, *Doubt]),
)
lasts = st.one_of(
    st.none(),
    st.builds(
        a_report,
        at=st.sampled_from([NOON - MINUTE, NOON - timedelta(days=30)]),
        free=st.sampled_from([None, 0, 5, 300]),
        capacity=st.sampled_from([None, 200, 300]),
        dirt=st.frozensets(st.just(Dirt.FROZEN_CLOCK)),
    ),
)
claims = st.one_of(
    st.none(), st.builds(Claim, *[st.sampled_from([NOON, NOON - 10 * MINUTE])] * 2, st.sampled_from([0, 200, 400]))
)
everything = st.builds(lambda said, **what: (said, known(**what)), observations, facts=facts, last=lasts, claim=claims)


# One or two things that may not be plain, of a report that otherwise is.
nearly_plain = st.builds(
    lambda what, knows, **odd: (
        said(**{"free": 12, **{name: odd[name] for name in what}}),
        known(**{name: odd[name] for name in knows}),
    ),
    st.lists(
        st.sampled_from(["at", "free", "open", "capacity", "occupied", "queue_vehicles", "bound", "state"]), max_size=3
    )
    | st.sampled_from([["free_by_class"], ["dirt"], ["free", "dirt"]]),
    st.lists(st.sampled_from(["facts", "last", "registered", "claim"]), max_size=1),
    at=st.sampled_from([NOON - FROZEN_AFTER, NOON - FROZEN_AFTER - MINUTE, NOON + FUTURE_TOLERANCE, NOON + MINUTE]),
    free=counts,
    open=counts,
    capacity=counts,
    occupied=counts,
    queue_vehicles=counts,
    bound=st.sampled_from(Bound),
    state=st.sampled_from(LotState),
    free_by_class=st.dictionaries(st.sampled_from(SpaceClass), st.integers(-1, 310)),
    dirt=st.frozensets(st.sampled_from(Dirt), max_size=2),
    facts=facts,
    last=lasts,
    registered=st.sampled_from([0, 1, 200, 300]),
    claim=claims,
)


@settings(max_examples=1_000)
@example((said(capacity=0, free=0), known(registered=0)))
@example((said(free=12, at=NOON - 2 * FROZEN_AFTER), known(last=a_report(at=NOON - 2 * FROZEN_AFTER, free=13))))
@example((said(free=12, state=LotState.UNKNOWN), known()))
@example((said(free=12), known(facts=LotFacts(binary=True))))
@example((said(free=12), known(facts=LotFacts(frozen_clock=True))))
@example((said(open=12), known(facts=LotFacts(capacity=10))))
@given(everything | nearly_plain)
def test_what_is_said_at_once_of_a_plain_report_is_what_every_rule_says(what: tuple[Observation, Known]) -> None:
    """Most reports are judged at a glance, and none other than the rules judge it."""
    at_once, by_rules = judge(*what), judge_by_rules(*what)
    assert (at_once, at_once.belief) == (by_rules, by_rules.belief)


@given(everything)
def test_nothing_impossible_is_ever_believed(what: tuple[Observation, Known]) -> None:
    """Whatever is said: every believed count lies between 0 and the register, and no time lies ahead."""
    verdict = judge(*what)
    if not verdict.believed:
        assert verdict.code in KINDS
        return
    belief = verdict.belief
    assert belief is not None
    believed_counts = (belief.free, belief.open, belief.capacity, *belief.free_by_class.values())
    assert all(0 <= count <= 300 for count in believed_counts if count is not None)
    assert belief.queue_vehicles is None or belief.queue_vehicles >= 0
    assert belief.observed_at <= NOON + FUTURE_TOLERANCE


@given(everything)
def test_what_is_unknown_stays_unknown(what: tuple[Observation, Known]) -> None:
    """No rule makes a count of nothing, or more free spaces than were said ("at least" says no most)."""
    observation, _ = what
    belief = judge(*what).belief
    if belief is None or not judge(*what).believed:
        return
    if observation.state is LotState.UNKNOWN or (observation.free is None and observation.occupied is None):
        assert belief.free is None
    if observation.free is not None and belief.free is not None and observation.bound is not Bound.AT_LEAST:
        assert belief.free <= observation.free
    if observation.state is not LotState.OPEN:
        assert belief.state is observation.state


@given(everything)
def test_what_was_said_is_never_changed_and_no_dirt_is_dropped(what: tuple[Observation, Known]) -> None:
    """The belief is another value beside it."""
    observation, _ = what
    before = replace(observation)
    verdict = judge(*what)
    assert observation == before
    assert verdict.belief is None or verdict.belief.dirt >= observation.dirt


@given(everything)
def test_a_belief_judged_again_is_the_same_belief(what: tuple[Observation, Known]) -> None:
    """The rules mend in one pass: none undoes another."""
    observation, knows = what
    verdict = judge(observation, knows)
    if verdict.believed and verdict.belief is not None and not knows.facts.binary:
        again = judge(replace(verdict.belief, occupied=None, dirt=frozenset()), replace(knows, claim=None, last=None))
        if again.code != "capacity_moved":
            assert again.belief is not None
            assert (again.outcome, again.belief.free, again.belief.bound) == (
                Outcome.APPLIED,
                verdict.belief.free,
                verdict.belief.bound,
            )
