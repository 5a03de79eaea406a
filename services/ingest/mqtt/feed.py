"""A broker, as the feeds file describes it: where it is, what is subscribed to, and how messages are read."""

import ipaddress
import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from typing_extensions import override

from bowei.observability.operator_files import FilePath, Identifier, unfit
from services.ingest.feed_fields import FeedFields
from services.ingest.lorawan.feed import SensorFields

_GROUP = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CLIENT_ID = re.compile(r"[A-Za-z0-9._:{}-]{1,100}")
REPLICA = "{replica}"


def _topic_filter(text: str) -> str:
    levels = text.split("/")
    plain = all(level in {"+", "#"} or not {"+", "#"} & set(level) for level in levels)
    if not 1 <= len(text) <= 500 or not text.isprintable() or not plain or "#" in levels[:-1]:
        raise unfit("Write a topic filter such as parking/east/+/state: + stands for one level, # for all that follow.")
    if text.startswith("$share/"):
        raise unfit("Write the filter alone, and the group of those who share it as share.")
    return text


def _group(text: str) -> str:
    if not _GROUP.fullmatch(text):
        raise unfit("Write the group of a shared subscription of letters, digits, _ and -.")
    return text


def _client_id(text: str) -> str:
    if not _CLIENT_ID.fullmatch(text) or REPLICA not in text:
        raise unfit("Write a client id with {replica} in it: two processes under one id throw each other out.")
    return text


TopicFilter = Annotated[str, AfterValidator(_topic_filter)]


class MqttFeed(SensorFields, FeedFields):
    """A broker from which messages are taken. The secret of the feed is the account's password."""

    way: Literal["mqtt"]
    host: Annotated[str, StringConstraints(min_length=1, max_length=253)]
    port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    tls: bool | None = None
    """None: yes, unless the broker is on this machine."""
    ca_file: FilePath | None = None
    cert_file: FilePath | None = None
    key_file: FilePath | None = None
    username: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    protocol: Literal["5", "3.1.1"] = "5"
    client_id: Annotated[str, AfterValidator(_client_id)] = "bowei-{source}-{replica}"
    topics: Annotated[list[TopicFilter], Field(min_length=1, max_length=100)]
    share: Annotated[str, AfterValidator(_group)] | None = None
    """The group by which several processes divide the messages between them."""
    decoder: Literal["native", "lorawan", "map"] = "native"
    prefix: Annotated[str, StringConstraints(pattern=r"^[^+#\x00]{1,200}$")] = "parking"
    """With which levels native topics begin."""
    map: FilePath | None = None
    """For `map`: the name of a map that ships with Bowei, or the path of one, which ends in .yaml."""
    lot: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    """For `map`: the source's own code of the lot, where neither map nor topic names one."""
    lot_level: Annotated[int, Field(ge=1, le=50)] | None = None
    """For `map`: which level of the topic names the lot, counted from 1, where the map names none."""
    sources: list[Identifier] = Field(default_factory=list, max_length=1_000)
    """Further sources that may stand in native topics."""
    session_expiry_s: Annotated[int, Field(ge=0, le=7 * 24 * 3600)] = 24 * 3600
    """How long the broker keeps what comes while we are away; 0: it keeps nothing."""
    receive_maximum: Annotated[int, Field(ge=1, le=5_000)] = 200
    """Messages that the broker may send before we acknowledge one."""

    @model_validator(mode="after")
    def _check_belongs(self) -> Self:
        if (self.decoder == "lorawan") != bool(self.sensors):
            raise unfit("Describe sensors with decoder lorawan, and with no other.")
        if (self.decoder == "map") != (self.map is not None):
            raise unfit("Name the map with decoder map, and with no other.")
        if (self.lot is not None or self.lot_level is not None) and self.decoder != "map":
            raise unfit("Say lot or lot_level with decoder map, and with no other.")
        if self.lot is not None and self.lot_level is not None:
            raise unfit("Keep one of lot and lot_level.")
        if (self.cert_file is None) != (self.key_file is None):
            raise unfit("Name both cert_file and key_file, or neither.")
        if not self.encrypted and (self.ca_file or self.cert_file):
            raise unfit("Certificates need TLS: leave tls out, or set it to true.")
        if self.has_secret and self.username is None:
            raise unfit("The secret is a password: say the username too.")
        return self

    @property
    def encrypted(self) -> bool:
        """Whether TLS is spoken."""
        return not is_loopback(self.host) if self.tls is None else self.tls

    @property
    def port_used(self) -> int:
        """The port, which is the usual one if none is said."""
        return self.port or (8883 if self.encrypted else 1883)

    @property
    def speaks_for(self) -> frozenset[str]:
        """The sources whose messages are taken."""
        return frozenset({self.source, *self.sources})

    @property
    @override
    def heard_at(self) -> str:
        """Give the session at the broker, of which there is one for each client id."""
        return f"mqtt://{self.host}:{self.port_used}/{self.client_id_of('')}"

    def client_id_of(self, replica: str) -> str:
        """Give the client id of one process."""
        return self.client_id.replace("{source}", self.source).replace(REPLICA, replica)


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine, by its name alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
