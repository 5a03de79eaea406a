"""What is run: every policy with every parameter that the report speaks of.

Peers were tuned on seeds that are not used here (`TUNED_ON`): their weights, and from how far their counts are seen.
"""

from collections.abc import Iterator
from dataclasses import replace

from services.local.evaluate.traffic.policies import UNTUNED, Margin, Policy, Weights

SEEDS = (1, 2, 3, 4, 5)
TUNED_ON = (101, 102, 103)

MARGINS: tuple[Margin, ...] = (0, 1, 3)
DISTANCES_M = (500.0, 1_000.0, 1_500.0, 2_500.0)
SHARES = (0.7, 0.4, 0.1)
FEED_AGES_S = (60.0, 300.0)
NO_SHOWS = (0.1, 0.3)

ROOM = Policy("room")
WAIT = Policy("wait")
BLIND = Policy("blind")
VISIBLE_UNTUNED = Policy("visible", weights=UNTUNED)
VISIBLE = Policy("visible", decide_m=2_500.0, weights=Weights(relfreespace=0.2))
NATIVE = Policy("native", decide_m=1_000.0)

OPERATING = Policy("ours", decide_m=2_500.0, margin=0, barriers=True, sure=True)
"""The point at which the marks are judged."""

PAID_AHEAD = replace(OPERATING, paid_ahead_s=120.0)
"""The same where the hospital's own lot knows who has paid and is about to leave."""

WITHOUT_BARRIERS = Policy("ours", decide_m=1_500.0, margin="law")
"""What can be had where no barrier keeps a held space: the rules and margins that every hospital begins with."""


def front() -> Iterator[Policy]:
    """Ours over margin and decision distance with barriers, and over the margin without them.

    The law's margin, the longest distance, and barriers of which the rules know nothing are looked at once each.
    """
    for margin in MARGINS:
        yield from line(margin)
    yield replace(OPERATING, margin="law")
    yield replace(OPERATING, decide_m=4_000.0)
    yield replace(OPERATING, sure=False)
    yield replace(PAID_AHEAD, decide_m=1_500.0)
    for margin in MARGINS:
        yield replace(WITHOUT_BARRIERS, margin=margin)
    yield WITHOUT_BARRIERS


def line(margin: Margin) -> list[Policy]:
    """Ours with barriers over the decision distance."""
    return [replace(OPERATING, decide_m=decide_m, margin=margin) for decide_m in DISTANCES_M]


def shares() -> Iterator[Policy]:
    """Ours at the operating point, with fewer and fewer who have the app."""
    for share in SHARES:
        yield replace(OPERATING, app_share=share, weights=VISIBLE.weights)


def troubles() -> Iterator[Policy]:
    """Ours at the operating point, with old counts, people who never come, and a silent lot."""
    for age_s in FEED_AGES_S:
        yield replace(OPERATING, feed_age_s=age_s)
    for no_show in NO_SHOWS:
        yield replace(OPERATING, no_show=no_show)
    yield replace(OPERATING, feed_lost="a")


def all_policies() -> list[Policy]:
    """Everything, what matters most first, each once."""
    compared = [ROOM, VISIBLE, OPERATING, PAID_AHEAD, WITHOUT_BARRIERS]
    peers = [NATIVE, VISIBLE_UNTUNED, BLIND]
    margins = [*line(0), *(replace(OPERATING, margin=margin) for margin in MARGINS)]
    return list(dict.fromkeys([*compared, *shares(), *peers, *margins, WAIT, *front(), *troubles()]))
