"""Anonymous driver tokens: a random id, signed. No account, no phone, no name; a token opens only its own holds."""

import base64
import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta

from itsdangerous import BadData, URLSafeTimedSerializer

from bowei.domain.lots import DriverId, HospitalId
from bowei.domain.problems import Refused
from bowei.observability.bearer import bearer

TOKEN_LIFETIME = timedelta(hours=24)
_LONGEST_TOKEN = 512


class DriverTokens:
    """Makes and opens tokens with one key."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()
        self._serializer = URLSafeTimedSerializer(
            key, salt="bowei-driver", signer_kwargs={"digest_method": hashlib.sha256}
        )

    def make(self) -> str:
        """Make a token for a driver that nobody has seen before (128 random bits)."""
        return self.token_of(DriverId(secrets.token_urlsafe(16)))

    def token_of(self, driver_id: DriverId) -> str:
        """Make a new token for a driver."""
        return self._serializer.dumps(driver_id)

    def driver_at_gate(self, hospital_id: HospitalId, diversion_id: str) -> DriverId:
        """Give the driver of a car that a gate diverts: the same for the same id, and not to be guessed.

        So nothing need be kept for a repeat to find the driver again.
        """
        named = f"gate\n{hospital_id}\n{diversion_id}".encode()
        return DriverId(base64.urlsafe_b64encode(hmac.digest(self._key, named, "sha256")[:16]).decode().rstrip("="))

    def open(self, authorization: str | None) -> DriverId:
        """Give the driver that an Authorization header names.

        Raises:
            Refused: key_missing, or key_wrong (forged, altered, too old).
        """
        token = bearer(authorization, longest=_LONGEST_TOKEN)
        try:
            driver_id, made_at = self._serializer.loads(token, return_timestamp=True)
        except BadData as error:
            raise Refused("key_wrong") from error
        # This process may be hours behind the one that made it; whoever holds a space must not be locked out for that.
        if abs(datetime.now(UTC) - made_at) > TOKEN_LIFETIME:
            raise Refused("key_wrong")
        return DriverId(str(driver_id))
