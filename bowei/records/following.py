"""The right to be the one follower, who hears of every changed promise, and how everybody else hears of them."""

from bowei.records.failures import StoreAway
from bowei.records.leading import Leadership, Leading, Post

_GATHERED_S = 0.05
"""A busy ledger gives notice hundreds of times a second; it is copied twenty times, and what is copied costs less."""
_FOLLOWER = Post(lock_key=0x666F6C6C6F77, name="follower", channel="bowei_promised", gathered_s=_GATHERED_S)  # "follow"
_LISTENER = Post(lock_key=None, name="listener", channel="bowei_promised")


def follower_leadership(url: str) -> Leadership:
    """Hand out the right to be the one follower of the ledger at `url`."""
    return Leadership(url, _FOLLOWER)


class LedgerListening:
    """Lets any process hear of changed promises and of steps of holds in the ledger at `url`."""

    def __init__(self, url: str) -> None:
        self._listening = Leadership(url, _LISTENER)

    async def listen(self) -> Leading:
        """Listen from now on.

        Raises:
            StoreAway, OutcomeUnknown: the ledger can't be reached.
        """
        listening = await self._listening.try_lead()
        if listening is None:
            raise StoreAway("nobody listens")
        return listening
