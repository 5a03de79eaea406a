"""The code by which the first administrator is made: printed at set-up, for whoever sees the registry start."""

import secrets
import sys
from datetime import timedelta

from bowei.records.party_book import PartyBook
from bowei.records.registering import key_sha256_of

VALID = timedelta(hours=1)


async def offer_first_code(parties: PartyBook) -> None:
    """Print a code, unless there is an administrator, or another process printed one that is valid still.

    To the error stream and not to the log, which is kept and sent elsewhere.
    """
    code = secrets.token_urlsafe(16)
    if await parties.offer_code(key_sha256_of(code), VALID):
        print(  # noqa: T201 (for the person who sets this up)
            f"There is no administrator yet. For an hour POST /v1/first-administrator makes one with this code: {code}",
            file=sys.stderr,
            flush=True,
        )
