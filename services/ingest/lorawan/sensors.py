"""Finding the group of a sensor: by its id, else by the longest prefix that fits."""

from collections import Counter
from collections.abc import Iterable

from services.ingest.lorawan.codecs import CODECS, SpaceState, read_decoded
from services.ingest.lorawan.feed import SensorGroup
from services.ingest.lorawan.uplinks import Uplink


class Sensors:
    """The sensors of one source."""

    def __init__(self, groups: Iterable[SensorGroup]) -> None:
        groups = list(groups)
        self._by_id = {device: group for group in groups for device in group.devices}
        prefixed = [group for group in groups if group.prefix is not None]
        self._by_prefix = sorted(prefixed, key=lambda group: -len(group.prefix or ""))
        self._named = Counter(group.lot for group in groups for _ in group.devices)

    def find(self, device_id: str) -> SensorGroup | None:
        """Give the group of a sensor, if it is known."""
        by_id = self._by_id.get(device_id)
        if by_id is not None:
            return by_id
        return next((group for group in self._by_prefix if device_id.startswith(group.prefix or "")), None)

    def named_in(self, lot_code: str) -> int:
        """Count the sensors of a lot that are named one by one."""
        return self._named[lot_code]


def state_of(uplink: Uplink, group: SensorGroup) -> SpaceState:
    """Read what a sensor says by the codec of its group.

    Raises:
        PayloadUnread: it can't be read so.
    """
    if group.occupied_at is not None:
        return read_decoded(uplink.decoded, group.occupied_at)
    return CODECS[group.codec](uplink.f_port, uplink.payload)
