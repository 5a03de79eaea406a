"""Sensors, as the feeds file describes them: which stand in which lot, and how their payloads are read."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, model_validator
from typing_extensions import override

from bowei.observability.operator_files import STRICT, Identifier, unfit
from services.ingest.feed_fields import FeedFields

_MOST_DEVICES = 20_000


def _header(text: str) -> str:
    if not 1 <= len(text) <= 100 or not all(char.isascii() and (char.isalnum() or char == "-") for char in text):
        raise unfit("Write the name of an HTTP header, of letters, digits and hyphens.")
    return text


class SensorGroup(BaseModel):
    """Sensors of one kind in one lot, named one by one or by how their ids begin."""

    model_config = STRICT
    lot: Identifier
    """The source's own code of the lot."""
    codec: Literal["bosch_tpl110", "nwave_nps405", "decoded"]
    devices: list[Identifier] = Field(default_factory=list, max_length=_MOST_DEVICES)
    prefix: Identifier | None = None
    occupied_at: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """For `decoded`: where the network server's decoded payload says yes or no."""

    @model_validator(mode="after")
    def _check_named(self) -> Self:
        if not self.devices and self.prefix is None:
            raise unfit("Name the devices, or the prefix with which their ids begin.")
        if (self.codec == "decoded") != (self.occupied_at is not None):
            raise unfit("Say occupied_at with codec decoded, and with no other.")
        return self


class SensorFields(BaseModel):
    """What a feed of sensors says of them, by whatever way their uplinks come."""

    model_config = STRICT
    sensors: list[SensorGroup] = Field(default_factory=list, max_length=1_000)
    silent_after_s: Annotated[int, Field(ge=60, le=7 * 24 * 3600)] = 26 * 3600
    """How long a sensor may be silent before its space is unknown: longer than its heartbeat takes to come round."""
    gap_share: Annotated[float, Field(gt=0, le=1)] = 0.2
    """Which share of a lot's spaces may be unknown before its count is marked as one with a gap."""

    @model_validator(mode="after")
    def _check_apart(self) -> Self:
        check_apart(self.sensors)
        return self

    @property
    def silent_after(self) -> timedelta:
        """How long a sensor may be silent."""
        return timedelta(seconds=self.silent_after_s)


def check_apart(groups: Sequence[SensorGroup]) -> None:
    """Refuse groups of which two claim the same sensor."""
    seen: set[tuple[str, str]] = set()
    for place, group in enumerate(groups):
        named = {("device", device) for device in group.devices}
        if group.prefix is not None:
            named.add(("prefix", group.prefix))
        if named & seen or len(named) < len(group.devices):
            raise unfit(f"sensors[{place}] names a device or prefix a second time. Keep it in one place.")
        seen |= named


class LorawanFeed(SensorFields, FeedFields):
    """A network server that posts each uplink to a webhook of ours."""

    way: Literal["lorawan"]
    sensors: list[SensorGroup] = Field(min_length=1, max_length=1_000)
    header: Annotated[str, AfterValidator(_header)] = "Authorization"
    """Which header carries the secret: as `Bearer …` where it is Authorization, else alone."""

    @model_validator(mode="after")
    def _check_secret(self) -> Self:
        if self.secret_file is None and self.secret_env is None:
            raise unfit("Name the secret that the webhook sends: secret_file or secret_env.")
        return self

    @property
    @override
    def heard_at(self) -> str:
        return f"/v1/lorawan/{self.source}"
