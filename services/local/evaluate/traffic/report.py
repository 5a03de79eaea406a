"""The page docs/evaluation-traffic.md: its words are kept by hand, its tables and its plot come from the results.

A table stands between `<!-- bowei evaluate traffic: NAME -->` and `<!-- end of … -->`, and is written anew.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from services.local.evaluate.pages import put
from services.local.evaluate.traffic.comparing import Compared, marks
from services.local.evaluate.traffic.experiments import (
    BLIND,
    MARGINS,
    NATIVE,
    OPERATING,
    PAID_AHEAD,
    ROOM,
    SEEDS,
    VISIBLE,
    VISIBLE_UNTUNED,
    WAIT,
    WITHOUT_BARRIERS,
    front,
    line,
    shares,
    troubles,
)
from services.local.evaluate.traffic.policies import Margin, Policy

_COLUMNS: Sequence[tuple[str, Callable[[Compared, Policy], str]]] = (
    ("extra, mean s", lambda all_, one: all_.mean(one, "extra_mean_s").text(0)),
    ("p50", lambda all_, one: all_.mean(one, "extra_p50_s").text(0)),
    ("p95", lambda all_, one: all_.mean(one, "extra_p95_s").text(0)),
    ("queue, mean / most", lambda all_, one: f"{all_.mean(one, 'queue_mean').text(1)} / {_most(all_, one)}"),
    ("diverted", lambda all_, one: all_.mean(one, "diverted").text(0)),
    ("refused", lambda all_, one: f"{all_.mean(one, 'refused').text(1)} ({_percent(all_, one, 'refused_share')})"),
    ("holds kept", lambda all_, one: f"{all_.mean(one, 'kept_share').mean:.1%}" if one.name == "ours" else "–"),
    ("never parked", lambda all_, one: all_.mean(one, "never_parked").text(0)),
    ("km", lambda all_, one: all_.mean(one, "km").text(2)),
    ("walk s", lambda all_, one: all_.mean(one, "walk_s").text(0)),
    ("own customers' delay s", lambda all_, one: all_.mean(one, "own_delay_s").text(0)),
    ("own turned away", lambda all_, one: all_.mean(one, "own_turned_away").text(1)),
)


_PANELS = (
    ("extra_mean_s", "mean extra time, s", 1.0),
    ("extra_p95_s", "95th percentile of it, s", 1.0),
    ("refused_share", "refused, % of the diverted", 100.0),
    ("own_turned_away", "own customers turned away", 1.0),
)


def write_tables(page: Path, compared: Compared) -> None:
    """Write the page's tables anew.

    Raises:
        ValueError: the page has no marks for one of them.
    """
    tables: Mapping[str, Callable[[Compared], str]] = {
        "marks": _marks,
        "main": _main,
        "front": _front,
        "share": _shares,
        "troubles": _troubles,
    }
    for name, table in tables.items():
        put(page, f"bowei evaluate traffic: {name}", table(compared))


def draw_front(compared: Compared, path: Path) -> None:
    """Plot what is gained and what it costs over the decision distance, a line for each margin, peers as levels."""
    import matplotlib as mpl  # noqa: PLC0415  (an optional extra, and slow to import)

    mpl.use("svg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    with plt.rc_context({"svg.hashsalt": "bowei", "svg.fonttype": "none", "font.size": 9}):
        figure, panels = plt.subplots(1, len(_PANELS), figsize=(13, 3.4), layout="constrained")
        for panel, (measure, title, scale) in zip(panels, _PANELS, strict=True):
            for margin in MARGINS:
                points = [one for one in line(margin) if compared.seeds(one)]
                found = [compared.mean(one, measure) for one in points]
                panel.errorbar(
                    [one.decide_m for one in points],
                    [one.mean * scale for one in found],
                    [one.half * scale if np.isfinite(one.half) else 0 for one in found],
                    marker="o",
                    markersize=3,
                    capsize=2,
                    linewidth=1,
                    label=f"ours, margin {_margin(margin)}",
                )
            for peer, style in ((VISIBLE, "--"), (NATIVE, ":")):
                if compared.seeds(peer):
                    level = compared.mean(peer, measure).mean * scale
                    panel.axhline(level, linestyle=style, color="grey", linewidth=1, label=f"{peer.name}, tuned")
            panel.set_title(title, fontsize=9)
            panel.set_xlabel("asked before the gate, m")
            panel.set_ylim(bottom=0)
        panels[0].legend(fontsize=7)
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)


def _main(compared: Compared) -> str:
    rows = [
        ("room for all", ROOM),
        ("wait", WAIT),
        ("blind", BLIND),
        ("visible, as it comes", VISIBLE_UNTUNED),
        ("visible, tuned", VISIBLE),
        ("native reservation, tuned", NATIVE),
        (f"**ours**: {_named(OPERATING)}", OPERATING),
        (f"**ours**: {_named(PAID_AHEAD)}", PAID_AHEAD),
        (f"**ours**: {_named(WITHOUT_BARRIERS)}", WITHOUT_BARRIERS),
    ]
    return _table(compared, "policy", rows)


def _front(compared: Compared) -> str:
    return _table(compared, "ours", [(_named(one), one) for one in front()])


def _shares(compared: Compared) -> str:
    return _table(compared, "with the app", [(f"{one.app_share:.0%}", one) for one in (OPERATING, *shares())])


def _troubles(compared: Compared) -> str:
    rows = [("none", OPERATING)]
    for one in troubles():
        if one.feed_age_s:
            rows.append((f"counts {one.feed_age_s:.0f} s old", one))
        elif one.no_show:
            rows.append((f"{one.no_show:.0%} never come", one))
        else:
            rows.append((f"lot {one.feed_lost} silent for 30 min", one))
    return _table(compared, "trouble", rows)


def _marks(compared: Compared) -> str:
    rows = (
        f"| {mark.text} | {mark.reached} | {'✓' if mark.holds else '✗'} |"
        for mark in marks(compared, OPERATING, VISIBLE)
    )
    return "\n".join(["| mark | reached | |", "|---|---|---|", *rows, ""])


def _table(compared: Compared, first: str, rows: Sequence[tuple[str, Policy]]) -> str:
    heads = [first, *(name for name, _ in _COLUMNS)]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += [
        "| " + " | ".join([name + _few(compared, one), *(column(compared, one) for _, column in _COLUMNS)]) + " |"
        for name, one in rows
        if compared.seeds(one)
    ]
    return "\n".join(lines) + "\n"


def _named(policy: Policy) -> str:
    barriers = "barriers" if policy.barriers else "no barriers"
    unknown = " unknown to the rules" if policy.barriers and not policy.sure else ""
    paid = f", paid {policy.paid_ahead_s:.0f} s before leaving" if policy.paid_ahead_s else ""
    return f"{barriers}{unknown}, margin {_margin(policy.margin)}, {policy.decide_m:,.0f} m before{paid}"


def _margin(margin: Margin) -> str:
    return "by law" if margin == "law" else str(margin)


def _few(compared: Compared, policy: Policy) -> str:
    seeds = len(compared.seeds(policy))
    return "" if seeds == len(SEEDS) else f" ({seeds} of {len(SEEDS)} seeds)"


def _most(compared: Compared, policy: Policy) -> str:
    return f"{max(compared.values(policy, 'queue_max')):.0f}"


def _percent(compared: Compared, policy: Policy, measure: str) -> str:
    return f"{compared.mean(policy, measure).mean:.1%}"
