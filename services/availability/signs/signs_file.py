"""The signs file: which sign shows which lot, and how it is reached (docs/signs.md). Read once, at start, strictly."""

import importlib.util
import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, model_validator

from bowei.observability.environment import Environment
from bowei.observability.operator_files import (
    STRICT,
    FilePath,
    Identifier,
    SecretFields,
    read_operator_file,
    read_secrets,
    unfit,
)
from services.availability.signs.frames import LARGEST_COUNT

_MOST_SIGNS = 200

_Host = Annotated[str, StringConstraints(min_length=1, max_length=253)]
_Port = Annotated[int, Field(ge=1, le=65_535)]


def _topic(text: str) -> str:
    if not 1 <= len(text) <= 500 or not text.isprintable() or {"+", "#"} & set(text) or text.startswith("$"):
        raise unfit("Write the topic that the sign listens to, without + and #.")
    return text


class SignFields(SecretFields):
    """What every sign says of itself."""

    id: Identifier
    lot: Identifier
    resend_s: Annotated[int, Field(ge=1, le=300)] = 10
    """How often it is told again what it shows: signs lose their power, and datagrams get lost."""

    @property
    def valid_s(self) -> int:
        """After how long without a word the sign must go dark by itself, where it can."""
        return max(60, 3 * self.resend_s)


class SerialSign(SignFields):
    """A count sign on a serial line."""

    way: Literal["rs485"]
    device: FilePath
    baud: Literal[1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200] = 9600
    format: Literal["xunpeng", "ascii"]
    code: Annotated[int, Field(ge=0, le=255)] = 1
    """Which of the signs on the line is meant."""
    dark: Annotated[int, Field(ge=0, le=LARGEST_COUNT)] | None = None
    """For `xunpeng`: the count that this sign shows as dark or dashes."""

    @model_validator(mode="after")
    def _check_format(self) -> Self:
        if self.has_secret:
            raise unfit("A serial line has no secret. Leave it out.")
        if (self.format == "xunpeng") != (self.dark is not None):
            raise unfit("Say dark with format xunpeng, and with no other: the count that the sign shows as dark.")
        if self.format == "ascii" and self.code > 99:
            raise unfit("With format ascii the code has two digits.")
        return self


class UdpSign(SignFields):
    """A sign that takes JSON by UDP."""

    way: Literal["udp"]
    host: _Host
    port: _Port = 6666

    @model_validator(mode="after")
    def _check_secret(self) -> Self:
        if self.has_secret:
            raise unfit("Datagrams carry no secret. Leave it out.")
        return self


class MqttSign(SignFields):
    """A sign that listens to a broker. The secret is the account's password."""

    way: Literal["mqtt"]
    host: _Host
    port: _Port | None = None
    tls: bool | None = None
    """None: yes, unless the broker is on this machine."""
    ca_file: FilePath | None = None
    username: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    protocol: Literal["5", "3.1.1"] = "5"
    topic: Annotated[str, AfterValidator(_topic)]
    qos: Literal[0, 1] = 1

    @model_validator(mode="after")
    def _check_belongs(self) -> Self:
        if self.has_secret and self.username is None:
            raise unfit("The secret is a password: say the username too.")
        if self.ca_file is not None and not self.encrypted:
            raise unfit("A certificate needs TLS: leave tls out, or set it to true.")
        return self

    @property
    def encrypted(self) -> bool:
        """Whether TLS is spoken."""
        return not _is_loopback(self.host) if self.tls is None else self.tls

    @property
    def port_used(self) -> int:
        """The port, which is the usual one if none is said."""
        return self.port or (8883 if self.encrypted else 1883)


AnySign = Annotated[SerialSign | UdpSign | MqttSign, Field(discriminator="way")]


class _SignsIn(BaseModel):
    """The whole file."""

    model_config = STRICT
    signs: Annotated[list[AnySign], Field(max_length=_MOST_SIGNS)]

    @model_validator(mode="after")
    def _check_apart(self) -> Self:
        seen: dict[str, int] = {}
        lines: dict[str, int] = {}
        for place, sign in enumerate(self.signs):
            if seen.setdefault(sign.id, place) != place:
                raise unfit(f"signs[{seen[sign.id]}] and signs[{place}] have the same id. Give one another.")
            if not isinstance(sign, SerialSign):
                continue
            if lines.setdefault(sign.device, sign.baud) != sign.baud:
                raise unfit(f"signs[{place}] speaks at another baud than a sign before it on the same device.")
            if importlib.util.find_spec("serial") is None:
                raise unfit(f"signs[{place}] needs pyserial. Install it: pip install 'bowei[signs]'.")
        return self


@dataclass(frozen=True, slots=True)
class Signs:
    """All that the file says, and the secrets that it names; `folder` is where its relative paths start."""

    said: tuple[SerialSign | UdpSign | MqttSign, ...]
    secrets: tuple[str | None, ...] = field(repr=False)
    folder: Path


NO_SIGNS = Signs((), (), Path())


def read_signs_file(file: Path, environment: Environment) -> Signs:
    """Read the signs file and the secrets that it names.

    Raises:
        FileWrong: it can't be read or used, or a secret can't be read.
    """
    said = read_operator_file(file, _SignsIn).signs
    return Signs(tuple(said), tuple(read_secrets("signs", said, file.parent, environment)), file.parent)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
