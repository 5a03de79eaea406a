"""Trust is earned slowly, lost for good reasons, and does not flicker; a person's word wins."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowei.domain.assessing import Finding
from bowei.domain.dirt import Dirt, Doubt
from bowei.domain.trust import (
    DOUBTS,
    Heard,
    Trust,
    TrustRules,
    TrustState,
    begin,
    doubt_of,
    finding_doubt,
    next_trust,
    release_by_hand,
    suspend_by_hand,
)

NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
RULES = TrustRules()
GOOD, BAD, NOTHING = Heard(good=6), Heard(bad=6), Heard()
STUCK = Heard(good=6, grave=frozenset({Dirt.STUCK}))


def after(trust: Trust, *looks: tuple[int, Heard]) -> Trust:
    """Look once an hour, so many times at the same."""
    now = trust.since
    for times, heard in looks:
        for _ in range(times):
            now += HOUR
            trust = next_trust(trust, heard, now, RULES)
    return trust


def test_a_day_of_good_reports_earns_trust() -> None:
    """Not an hour earlier, and with the numbers that earned it."""
    new = begin(NOW, trusted=False)
    assert after(new, (23, GOOD)).state is TrustState.PROBATION
    live = after(new, (24, GOOD))
    assert (live.state, live.since, live.reason) == (TrustState.LIVE, NOW + 24 * HOUR, "earned")
    assert live.evidence == {"good": 144, "bad": 0, "counted_h": 24.0}


def test_a_lot_that_reports_seldom_needs_longer() -> None:
    """Twenty reports, however long they take."""
    seldom = [(1, Heard(good=1)), (5, NOTHING)]
    assert after(begin(NOW, trusted=False), *seldom * 19).state is TrustState.PROBATION
    assert after(begin(NOW, trusted=False), *seldom * 20).state is TrustState.LIVE


def test_errors_begin_the_day_anew() -> None:
    """One report in ten that is not believed is too many; a day without it is enough again."""
    mixed = Heard(good=9, bad=1)
    spoiled = after(begin(NOW, trusted=False), (40, mixed))
    assert spoiled.state is TrustState.PROBATION
    assert after(spoiled, (1, GOOD)).state is TrustState.PROBATION
    assert next_trust_for(spoiled, 50, GOOD).state is TrustState.LIVE


def next_trust_for(trust: Trust, hours: int, heard: Heard) -> Trust:
    """Go on looking from where the counting stands."""
    now = trust.counted_from + 24 * HOUR
    for _ in range(hours):
        now += HOUR
        trust = next_trust(trust, heard, now, RULES)
    return trust


def test_a_stuck_lot_earns_nothing() -> None:
    """Reports that are believed one by one prove nothing while the counter stands still."""
    assert after(begin(NOW, trusted=False), (90, STUCK)).state is TrustState.PROBATION


def test_a_live_source_survives_a_bad_hour_and_loses_trust_over_six() -> None:
    """A hiccup is forgiven; half of all reports wrong for six hours is not."""
    live = begin(NOW, trusted=True)
    assert after(live, (6, BAD)).state is TrustState.LIVE
    assert after(live, (3, BAD), (1, GOOD), (6, BAD)).state is TrustState.LIVE
    fallen = after(live, (7, BAD))
    assert (fallen.state, fallen.reason) == (TrustState.SUSPENDED, "bad_reports")
    assert fallen.evidence["bad"] == 42


def test_some_bad_reports_change_nothing() -> None:
    """Between earning and losing lies a wide band: trust does not flicker."""
    assert after(begin(NOW, trusted=True), (99, Heard(good=7, bad=3))).state is TrustState.LIVE


def test_too_few_reports_prove_nothing() -> None:
    """Two wrong reports a day are no pattern."""
    assert after(begin(NOW, trusted=True), (9, Heard(bad=1))).state is TrustState.LIVE


def test_a_grave_finding_costs_trust_when_it_lasts() -> None:
    """Stuck at one look may pass; at three in a row it does not."""
    live = begin(NOW, trusted=True)
    assert after(live, (2, STUCK)).state is TrustState.LIVE
    fallen = after(live, (3, STUCK))
    assert (fallen.state, fallen.reason) == (TrustState.SUSPENDED, "stuck")


def test_days_of_silence_cost_trust() -> None:
    """A lot that was gone for three days comes back as a stranger."""
    live = begin(NOW, trusted=True)
    assert after(live, (1, Heard(silent_for=timedelta(days=2, hours=23)))).state is TrustState.LIVE
    fallen = after(live, (1, Heard(silent_for=timedelta(days=3))))
    assert (fallen.state, fallen.reason) == (TrustState.SUSPENDED, "comms_lost")


def test_the_way_back_leads_over_probation() -> None:
    """Six good hours end a suspension, and a day more is needed to be believed."""
    fallen = after(begin(NOW, trusted=True), (7, BAD))
    assert after(fallen, (5, GOOD)).state is TrustState.SUSPENDED
    mended = after(fallen, (6, GOOD))
    assert (mended.state, mended.reason) == (TrustState.PROBATION, "mended")
    assert after(mended, (23, GOOD)).state is TrustState.PROBATION
    assert after(mended, (24, GOOD)).state is TrustState.LIVE


def test_silence_mends_nothing() -> None:
    """Who says nothing shows nothing."""
    fallen = after(begin(NOW, trusted=True), (7, BAD))
    assert after(fallen, (99, NOTHING)).state is TrustState.SUSPENDED


@given(st.lists(st.sampled_from([GOOD, BAD, NOTHING, STUCK, Heard(silent_for=timedelta(days=9))]), max_size=200))
def test_a_person_s_word_outlasts_every_rule(heard: list[Heard]) -> None:
    """Suspended stays suspended, vouched for stays live, whatever is heard, until a person says otherwise."""
    looks = [(1, one) for one in heard]
    assert after(suspend_by_hand(begin(NOW, trusted=True), NOW), *looks).state is TrustState.SUSPENDED
    assert after(release_by_hand(begin(NOW, trusted=False), NOW, pinned=True), *looks).state is TrustState.LIVE


@given(st.lists(st.sampled_from([GOOD, BAD, NOTHING, STUCK, Heard(good=3, bad=2)]), max_size=300))
def test_trust_moves_only_along_its_arrows_and_never_fast(heard: list[Heard]) -> None:
    """Of any history: no leap from suspended to live, and no two changes within two hours."""
    trust, now, last = begin(NOW, trusted=False), NOW, NOW
    for one in heard:
        now += HOUR
        became = next_trust(trust, one, now, RULES)
        if became.state is not trust.state:
            allowed = {("probation", "live"), ("live", "suspended"), ("suspended", "probation")}
            assert (trust.state.value, became.state.value) in allowed
            assert now - last >= 2 * HOUR
            last = now
        trust = became


def test_a_release_that_is_not_pinned_gives_the_rules_their_word_back() -> None:
    """A person can trust a lot now without trusting it for ever."""
    live = release_by_hand(suspend_by_hand(begin(NOW, trusted=True), NOW), NOW, pinned=False)
    assert after(live, (3, STUCK)).state is TrustState.SUSPENDED


@pytest.mark.parametrize(
    ("states", "lost", "vouched", "finding", "doubt"),
    [
        ([], False, False, None, None),
        ([], False, False, "stuck", "stuck"),
        (["live", "live"], True, False, "stuck", "comms_lost"),
        (["live", "probation"], True, False, "stuck", "probation"),
        (["probation", "suspended"], False, True, None, "suspended"),
        (["live"], False, True, "stuck", None),
        (["live"], True, True, "stuck", "comms_lost"),
    ],
)
def test_a_lot_has_one_doubt_the_gravest(
    states: list[str], lost: bool, vouched: bool, finding: str | None, doubt: str | None
) -> None:
    """Trust, link, finding, in this order; vouching excuses findings and nothing else."""
    found = doubt_of([TrustState(one) for one in states], link_lost=lost, vouched=vouched, finding=finding)
    assert found == doubt


def test_only_sure_findings_make_a_doubt() -> None:
    """What may be a spike is shown to the city and costs no driver a space."""
    unsure = Finding(Dirt.STUCK, NOW, 0.6)
    drift, stuck = Finding(Dirt.DRIFT, NOW, 0.7), Finding(Dirt.STUCK, NOW, 0.7)
    assert finding_doubt([unsure, Finding(Dirt.GAP, NOW, 1.0)]) is None
    assert finding_doubt([unsure, drift]) == "drift"
    assert finding_doubt([drift, stuck]) == "stuck"


def test_every_doubt_has_a_name_that_the_record_knows() -> None:
    """What trust calls a doubt is what reports carry."""
    named = {*DOUBTS.values(), "comms_lost", "probation", "suspended"}
    assert named == {doubt.value for doubt in Doubt}
