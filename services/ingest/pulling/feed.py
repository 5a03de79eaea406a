"""A pull, as the feeds file describes it: what is fetched, how often, within which bounds, and how it is read."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import override

from bowei.observability.operator_files import FilePath, unfit
from services.ingest.feed_fields import FeedFields

FASTEST_S, SLOWEST_S = 5, 86_400
LARGEST_BODY = 64 * 1024 * 1024
LONGEST_S = 120
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
_HEADERS_OF_OURS = frozenset(
    {"accept-encoding", "authorization", "connection", "content-length", "cookie", "host", "transfer-encoding"}
    | {"if-modified-since", "if-none-match"}
)
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,60}/[a-z0-9!#$&^_.+-]{1,60}")
_NAME = r"^[A-Za-z0-9_-]{1,100}$"


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"https", "http"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or len(text) > 2_000 or not text.isascii() or not text.isprintable() or " " in text:
        raise unfit("Write an address that starts with https://, percent-encoded where needed.")
    if "@" in urlsplit(text).netloc:
        raise unfit("Leave the user and password out of the address: see user and secret_file.")
    return text


def _header_value(text: str) -> str:
    if len(text) > 1_000 or not text.isascii() or not text.isprintable():
        raise unfit("Write a header of at most 1,000 printable ASCII characters.")
    return text


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise unfit("Write the name of a host, without https:// and path.")
    return text.lower()


def _media_type(text: str) -> str:
    if not _MEDIA_TYPE.fullmatch(text):
        raise unfit("Write a media type such as application/json, in lower case and without parameters.")
    return text


def _zone(text: str) -> str:
    if text not in available_timezones():
        raise PydanticCustomError("bad_timezone", "see bowei.domain.problems")
    return text


def _prefix(text: str) -> str:
    if not 0 < len(text) <= 64 or not text.isprintable():
        raise unfit("Write 1 to 64 printable characters.")
    return text


Url = Annotated[str, AfterValidator(_url)]
Headers = Mapping[str, Annotated[str, AfterValidator(_header_value)]]
Host = Annotated[str, AfterValidator(_host)]
MediaType = Annotated[str, AfterValidator(_media_type)]
Name = Annotated[str, Field(pattern=_NAME)]
Zone = Annotated[str, AfterValidator(_zone)]


class PullFeed(FeedFields):
    """Something that is fetched, again and again."""

    way: Literal["pull"]
    url: Url | None = None
    map: FilePath | None = None
    """The field map by which it is read; or else"""
    format: Literal["datex2"] | None = None
    """a format that is known; or else"""
    converter: Name | None = None
    """the source of parkapi-sources that it is."""
    converter_settings: Mapping[Name, str] = Field(default_factory=dict)
    """What that converter asks for by name, but for its secret."""
    every_s: Annotated[float, Field(ge=FASTEST_S, le=SLOWEST_S)] = 60
    timeout_s: Annotated[float, Field(gt=0, le=LONGEST_S)] = 20
    """For all of one pull, from resolving the name to the last byte."""
    largest_body: Annotated[int, Field(ge=1, le=LARGEST_BODY)] = 5 * 1024 * 1024
    """In bytes, unpacked."""
    requests_per_minute: Annotated[int, Field(ge=1, le=600)] = 12
    """What one feed may ask for; redirects and the several requests of a converter count."""
    headers: Headers = Field(default_factory=dict)
    auth: Literal["bearer", "basic", "header"] | None = None
    user: Annotated[str, AfterValidator(_header_value)] | None = None
    """With `basic`."""
    secret_name: Name | None = None
    """With `header`, the header that holds the secret; of a converter, its setting that does."""
    content_types: Annotated[tuple[MediaType, ...], Field(max_length=8, strict=False)] = ()
    """What may be answered; none: anything but HTML."""
    timezone: Zone | None = None
    """Of times that are written without an offset."""
    lot_prefix: Annotated[str, AfterValidator(_prefix)] | None = None
    """Put before the lots' codes, where two feeds of a source would mix them up."""
    lot: Annotated[str, AfterValidator(_prefix)] | None = None
    """The code of the one lot that it is about, where a map finds none in it."""
    only_registered: bool = False
    """Leave out lots that nobody registered, rather than to name them as unknown each time."""
    redirect_hosts: Annotated[tuple[Host, ...], Field(max_length=8, strict=False)] = ()
    """Hosts to which it may send us on; to itself it always may."""
    ca_file: FilePath | None = None
    """Authorities to trust instead of the system's."""
    cert_file: FilePath | None = None
    """A certificate of ours that the server asks for, and with it the key, in one PEM file or in `key_file`."""
    key_file: FilePath | None = None
    insecure: bool = False
    """Let it be http:// without TLS."""
    allow_private: bool = False
    """Let it be an address inside: loopback, private, link-local."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if sum(one is not None for one in (self.map, self.format, self.converter)) != 1:
            raise unfit("Say how it is read: one of map, format: datex2 and converter.")
        if self.url is None and self.converter is None:
            raise unfit("Say the url that is fetched.")
        if self.key_file is not None and self.cert_file is None:
            raise unfit("Say cert_file with key_file.")
        if self.url is not None and not self.insecure and not self.url.startswith("https://"):
            raise unfit("Write https://, or say insecure: true if there is no TLS and you accept that.")
        return self

    @model_validator(mode="after")
    def _check_secret(self) -> Self:
        has_secret = self.secret_file is not None or self.secret_env is not None
        used = self.auth is not None or (self.converter is not None and self.secret_name is not None)
        if used != has_secret:
            raise unfit("Name a secret (secret_file or secret_env) and say where it goes (auth), or neither.")
        if (self.auth == "basic") != (self.user is not None):
            raise unfit("Say user with auth: basic, and only with it.")
        if self.auth == "header" and self.secret_name is None:
            raise unfit("Say with secret_name which header holds the secret.")
        for name in (*self.headers, *((self.secret_name,) if self.auth == "header" else ())):
            if not _HEADER.fullmatch(name or "") or (name or "").lower() in _HEADERS_OF_OURS:
                raise unfit("A header is named by letters, digits and -, and is none of those that the puller sets.")
        return self

    @property
    @override
    def heard_at(self) -> str | None:
        """Give what is fetched: one feed each."""
        return self.url or f"parkapi-sources:{self.converter}"
