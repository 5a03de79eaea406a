"""What every feed of the feeds file says of itself, whatever its way in; each way's `feed.py` adds its own fields."""

from bowei.observability.operator_files import Identifier, SecretFields


class FeedFields(SecretFields):
    """A source that is registered with kind `feed`, and where its secret is, if it has one."""

    source: Identifier

    @property
    def heard_at(self) -> str | None:
        """Say what no other feed may have too, such as an address; None: nothing."""
        return None
