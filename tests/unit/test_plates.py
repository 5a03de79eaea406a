"""Plates are the same however they are written, and their hashes say nothing without the key."""

import hashlib
import hmac

import pytest

from bowei.domain.plates import PlateKeys, hashes_if_read, plate_hash

KEY = b"a key that only the city has ..."


@pytest.mark.parametrize(
    "written", ["浙A12345", " 浙a12345 ", "浙A·12345", "浙A 123-45", "浙Ａ１２３４５", "浙a•12345"]
)
def test_a_plate_has_one_hash_however_it_is_written(written: str) -> None:
    """Proves that a camera, a driver and a lot's database agree on a car."""
    assert plate_hash(written, KEY) == plate_hash("浙A12345", KEY)


def test_the_hash_is_the_one_that_the_documents_name() -> None:
    """Proves HMAC-SHA256 over the plain letters, cut to 12 bytes, so that others can compute it too."""
    assert plate_hash("浙A12345", KEY) == hmac.digest(KEY, "浙A12345".encode(), hashlib.sha256)[:12]


@pytest.mark.parametrize("other", ["浙A12346", "浙B12345", "沪A12345", "浙AD12345"])
def test_another_plate_has_another_hash(other: str) -> None:
    """Proves that the regional letter and the length count."""
    assert plate_hash(other, KEY) != plate_hash("浙A12345", KEY)


def test_another_key_gives_another_hash() -> None:
    """Proves that a list of all plates does not undo the hashes of a city whose key is unknown."""
    assert plate_hash("浙A12345", b"another") != plate_hash("浙A12345", KEY)


@pytest.mark.parametrize("nothing", ["", "  ", "···", "-"])
def test_a_plate_without_a_letter_is_none(nothing: str) -> None:
    """Proves that cars without a plate don't all become one car."""
    with pytest.raises(ValueError, match="no letter"):
        plate_hash(nothing, KEY)


def test_while_a_key_changes_a_plate_has_a_hash_by_each() -> None:
    """Shows that what is kept is by the new one, which comes first."""
    by_new, by_old = (plate_hash("浙A12345", key) for key in (b"new", b"old"))
    assert PlateKeys(b"new", b"old").hashes("浙A12345") == (by_new, by_old)
    assert PlateKeys(b"new").hashes("浙A12345") == (by_new,)
    assert hashes_if_read("—", PlateKeys(b"new", b"old")) == hashes_if_read("浙A12345", None) == ()
    assert "new" not in repr(PlateKeys(b"new", b"old"))
