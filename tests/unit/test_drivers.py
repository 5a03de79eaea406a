"""A driver's token opens only that driver's holds: forged, altered and old ones open nothing."""

import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest
from itsdangerous import TimestampSigner, URLSafeTimedSerializer
from typing_extensions import override

from bowei.domain.problems import Refused
from services.routing.drivers import TOKEN_LIFETIME, DriverTokens

KEY = "a key of at least 32 bytes for the tokens"
TOKENS = DriverTokens(KEY)


def made_ago(age: timedelta, *, key: str = KEY, salt: str = "bowei-driver", digest: Any = hashlib.sha256) -> str:
    """Make a token as it was made some time ago, or on a machine whose clock is ahead."""

    class Signer(TimestampSigner):
        @override
        def get_timestamp(self) -> int:
            return int(super().get_timestamp() - age.total_seconds())

    made = URLSafeTimedSerializer(key, salt=salt, signer=Signer, signer_kwargs={"digest_method": digest})
    return str(made.dumps("driver-1"))


def refusal(authorization: str | None) -> str:
    """Give the code with which a header is refused."""
    with pytest.raises(Refused) as refused:
        TOKENS.open(authorization)
    return refused.value.code


def test_a_token_opens_the_same_driver_each_time() -> None:
    """Whoever shows it is that driver, in every process that has the key."""
    token = TOKENS.make()
    assert TOKENS.open(f"Bearer {token}") == DriverTokens(KEY).open(f"bearer {token}")


def test_no_two_drivers_are_the_same() -> None:
    """Each token names another driver of 128 random bits, which nobody can guess."""
    drivers = {TOKENS.open(f"Bearer {TOKENS.make()}") for _ in range(200)}
    assert len(drivers) == 200
    assert min(map(len, drivers)) >= 22


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Bearer    ", "Basic dTpw", "token"])
def test_without_a_token_nobody_is_let_in(header: str | None) -> None:
    """No header, another scheme or an empty token all say that a token is missing."""
    assert refusal(header) == "key_missing"


def test_an_altered_token_opens_nothing() -> None:
    """Whichever character is changed, nobody becomes another driver."""
    token = TOKENS.make()
    # The last character carries two bits that mean nothing: changed in them alone, it is the same token.
    for position in range(len(token) - 1):
        other = "A" if token[position] != "A" else "B"
        assert refusal(f"Bearer {token[:position]}{other}{token[position + 1 :]}") == "key_wrong"


@pytest.mark.parametrize(
    "token",
    [
        made_ago(timedelta(), key="another key of at least 32 bytes here"),
        made_ago(timedelta(), salt="another-purpose"),
        made_ago(timedelta(), digest=hashlib.sha1),
        "a.b.c",
        "..",
        "é" * 20,
        "0" * 600,
        json.dumps({"driver_id": "driver-1"}),
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJkcml2ZXItMSJ9.",
    ],
    ids=["other-key", "other-salt", "weaker-digest", "dots", "only-dots", "not-ascii", "too-long", "json", "jwt-none"],
)
def test_a_forged_token_opens_nothing(token: str) -> None:
    """What was not signed with this key, for this purpose, is refused, however it is made up."""
    assert refusal(f"Bearer {token}") == "key_wrong"


def test_a_token_lasts_a_day_and_no_longer() -> None:
    """A token that somebody finds later opens nothing."""
    assert TOKENS.open(f"Bearer {made_ago(TOKEN_LIFETIME - timedelta(seconds=5))}") == "driver-1"
    assert refusal(f"Bearer {made_ago(TOKEN_LIFETIME + timedelta(seconds=5))}") == "key_wrong"


def test_a_clock_that_went_wrong_locks_no_driver_out() -> None:
    """Two processes whose clocks differ by hours serve one driver; a token from far ahead would last too long."""
    assert TOKENS.open(f"Bearer {made_ago(timedelta(seconds=-20))}") == "driver-1"
    assert TOKENS.open(f"Bearer {made_ago(timedelta(hours=-2))}") == "driver-1"
    assert refusal(f"Bearer {made_ago(-TOKEN_LIFETIME - timedelta(seconds=5))}") == "key_wrong"
