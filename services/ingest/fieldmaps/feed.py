"""A push, as the feeds file describes it: who sends, by which map it is read, and where."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from typing_extensions import override

from bowei.observability.operator_files import FilePath, unfit
from services.ingest.feed_fields import FeedFields

_PATH = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*){1,8}")
_OWN = ("/v1/", "/livez/", "/readyz/", "/metrics/", "/tcjg/", "/api/v2/", "/api/admin/")
"""Where addresses of ours are, and may come to be."""


def _address(path: str) -> str:
    if len(path) > 200 or not _PATH.fullmatch(path):
        raise unfit("Write a path such as /api/vendor/callback, of letters, digits and . _ ~ - only.")
    if f"{path}/".startswith(_OWN):
        raise unfit("Choose another path: there are addresses of Bowei's own below this one.")
    return path


Address = Annotated[str, AfterValidator(_address)]


class PushFeed(FeedFields):
    """A sender that posts to us in its own shape."""

    way: Literal["push"]
    map: FilePath
    """The name of a map that ships with Bowei, such as szymzh, or the path of one, which ends in .yaml."""
    path: Address | None = None
    """An address that the sender can't change; else it is the usual one."""
    lot: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """The source's own code of the lot, where the map's messages name none."""
    unsigned: bool = False
    """Take what nobody signed: whoever knows the address can say anything of this source's lots."""
    per_minute: Annotated[int, Field(ge=1, le=60_000)] = 1_200
    """How many pushes are taken in a minute."""

    @property
    @override
    def heard_at(self) -> str:
        """Give the address at which it is posted."""
        return self.path or f"/v1/feeds/{self.source}"
