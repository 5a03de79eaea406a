"""Every Redis key there is, spelled nowhere else.

    key                        type    owner (only writer)         lifetime
    v1:{LOT}:seen              string  ingest                      48 h after the last report: a lot silent for
               order body                                          longer says nothing any more
    v1:{LOT}:promised          string  the follower, in routing    none: true until the ledger says otherwise
               order body
    v1:directory               string  the follower                none: one value, overwritten
    v1:foreseen                string  ingest                      1 h after the last: what nobody foresees any
                                                                   longer is no forecast
    v1:roads                   hash    the follower                none: one value, overwritten
               order, body
    v1:gates                   string  the follower                none: one value, overwritten
    v1:copied:seen             string  ingest                      none: its absence means "copy all again"
    v1:copied:promised         string  the follower                none: its absence means "copy all again"

    channel v1:changes         messages "lots <id> <id> ...", "directory", "foreseen", "roads" and "gates"

`order` of what is seen and promised grows: a value is replaced only by one of a greater order. A space parts it from
the body. The directory and the roads are overwritten: `order` of the roads only tells readers whether they have them.
Braces hash-tag by lot, so that a cluster holds a lot's keys together.
"""

from datetime import UTC, datetime, timedelta

from bowei.domain.lots import LotId
from bowei.domain.offering import Report

DIRECTORY = "v1:directory"
FORESEEN = "v1:foreseen"
ROADS = "v1:roads"
GATES = "v1:gates"
COPIED_SEEN = "v1:copied:seen"
COPIED_PROMISED = "v1:copied:promised"
CHANGES = "v1:changes"
SEEN_LIFETIME = timedelta(hours=48)
FORESEEN_LIFETIME = timedelta(hours=1)
PERMANENT = ("v1:{*}:promised", DIRECTORY, ROADS, GATES, COPIED_SEEN, COPIED_PROMISED)
"""Patterns of the keys that have no lifetime, for the check that no other key is without one."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def seen(lot_id: LotId) -> str:
    """Name the key of what a lot last said."""
    return f"v1:{{{lot_id}}}:seen"


def promised(lot_id: LotId) -> str:
    """Name the key of what is promised on a lot."""
    return f"v1:{{{lot_id}}}:promised"


def report_order(report: Report) -> str:
    """Order reports of a lot as text: by observed_at, then seq, then receipt, then revision."""
    said = f"{_micros(report.observed_at):020d}.{report.seq:020d}.{_micros(report.received_at):020d}"
    return f"{said}.{report.revision:020d}"


def promise_order(version: int) -> str:
    """Order promises of a lot as text: by the ledger's version."""
    return f"{version:020d}"


def _micros(instant: datetime) -> int:
    since = instant - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
