"""The right to be the one follower, who hears of every changed promise."""

from bowei.records.leading import Leadership, Leading, Post

_FOLLOWER = Post(lock_key=0x666F6C6C6F77, name="follower", channel="bowei_promised")  # "follow"


class LedgerLeadership:
    """Hands out the right to be the one follower of the ledger at `url`."""

    def __init__(self, url: str) -> None:
        self._leadership = Leadership(url, _FOLLOWER)

    async def try_follow(self) -> Leading | None:
        """Take the right, or None where another process has it.

        Raises:
            StoreAway, OutcomeUnknown: the ledger can't be reached.
        """
        return await self._leadership.try_lead()
