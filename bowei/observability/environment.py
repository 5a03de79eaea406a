"""Settings from the environment: typed, checked at start, secrets also from files.

A wrong setting stops the start with a sentence that names the variable and the fix, and never shows its value.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from bowei.domain.plates import PlateKeys

_LARGEST_SECRET_BYTES = 64 * 1024
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_YES, _NO = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off"})


class WrongEnvironment(Exception):
    """A setting is missing or wrong; the text names the variable and what to do."""


class Environment:
    """Reads settings by name. Every method raises WrongEnvironment; an empty variable counts as unset."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = os.environ if values is None else values

    def text(self, name: str, default: str | None = None) -> str:
        """Give a text; without a default it must be set."""
        value = self.find_text(name)
        if value is None:
            if default is None:
                raise WrongEnvironment(f"{name} is not set. Set it in the environment.")
            return default
        return value

    def find_text(self, name: str) -> str | None:
        """Give a text, or None where it is unset."""
        return self._values.get(name, "").strip() or None

    def integer(self, name: str, default: int, *, least: int, most: int) -> int:
        """Give a whole number between `least` and `most`."""
        value = self.find_text(name)
        if value is None:
            return default
        try:
            number = int(value)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            raise WrongEnvironment(f"{name} is not a whole number from {least} to {most}. Correct or unset it.")
        return number

    def number(self, name: str, default: float, *, least: float, most: float) -> float:
        """Give a number between `least` and `most`."""
        value = self.find_text(name)
        if value is None:
            return default
        try:
            number = float(value)
        except ValueError:
            number = least - 1
        if not least <= number <= most:  # also false for NaN
            raise WrongEnvironment(f"{name} is not a number from {least:g} to {most:g}. Correct or unset it.")
        return number

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Give a yes or no: 1/0, true/false, yes/no, on/off."""
        value = (self.find_text(name) or ("1" if default else "0")).lower()
        if value not in _YES | _NO:
            raise WrongEnvironment(f"{name} is neither true nor false. Set it to 1 or 0.")
        return value in _YES

    def url(self, name: str, *, schemes: frozenset[str], default: str | None = None) -> str:
        """Give an address with one of `schemes`; it may hold a password, so NAME_FILE works too."""
        value = self.find_secret(name) or default
        if value is None:
            raise WrongEnvironment(f"{name} is not set. Set it, or {name}_FILE, to an address.")
        try:
            scheme = urlsplit(value).scheme
        except ValueError:
            scheme = ""
        if scheme not in schemes:
            raise WrongEnvironment(f"{name} is not an address that starts with {' or '.join(sorted(schemes))}://.")
        return value

    def public_url(self, name: str) -> str | None:
        """Give an address that browsers are told, without a slash at its end; None where it is not set."""
        value = self.find_text(name)
        if value is None:
            return None
        address = urlsplit(value) if value.isascii() and not set(value) & set(" \"';,") else None
        if address is None or address.scheme not in {"http", "https"} or not address.netloc or address.query:
            raise WrongEnvironment(f"{name} is not an address such as https://parking.example.")
        return value.rstrip("/")

    def secret(self, name: str, *, shortest: int = 1) -> str:
        """Give a secret from NAME, or from the file that NAME_FILE names, of at least `shortest` characters."""
        value = self.find_secret(name)
        if value is None:
            raise WrongEnvironment(f"{name} is not set. Set {name}, or {name}_FILE to a file that holds it.")
        if len(value) < shortest:
            raise WrongEnvironment(f"{name} is shorter than {shortest} characters. Make a longer one.")
        return value

    def find_secret(self, name: str) -> str | None:
        """Give a secret as `secret` does, or None where neither variable is set."""
        value, file = self.find_text(name), self.find_text(f"{name}_FILE")
        if value is not None and file is not None:
            raise WrongEnvironment(f"{name} and {name}_FILE are both set. Unset one of them.")
        return value if file is None else read_secret(f"{name}_FILE", Path(file))

    # What more than one process reads, and must read alike.

    def database_url(self) -> str:
        """Give the address of the database that holds the ledger."""
        return self.url("BOWEI_DATABASE_URL", schemes=frozenset({"postgres", "postgresql"}))

    def require_synchronous(self) -> bool:
        """Say whether a Postgres that waits for no standby is to be refused."""
        return self.flag("BOWEI_REQUIRE_SYNCHRONOUS")

    def redis_url(self, schemes: frozenset[str], check: Callable[[str], None]) -> str:
        """Give the address of the live state's servers; `check` raises ValueError, and why, where it can't be used."""
        url = self.url("BOWEI_REDIS_URL", schemes=schemes)
        try:
            check(url)
        except ValueError as error:
            raise WrongEnvironment(f"BOWEI_REDIS_URL can't be used: {error}. Correct it.") from error
        return url

    def plate_keys(self) -> PlateKeys | None:
        """Give the key that plates are hashed with, and the one before it; None: plates are dropped."""
        key, before = self.find_secret("BOWEI_PLATE_KEY"), self.find_secret("BOWEI_PLATE_KEY_BEFORE")
        if before is not None and key is None:
            raise WrongEnvironment("BOWEI_PLATE_KEY_BEFORE is set without BOWEI_PLATE_KEY. Set the new key too.")
        if before is not None and key == before:
            raise WrongEnvironment("BOWEI_PLATE_KEY_BEFORE is BOWEI_PLATE_KEY itself. Make a new key, or unset it.")
        return None if key is None else PlateKeys(key.encode(), None if before is None else before.encode())

    def roads(self) -> Path | None:
        """Give the road file; None: drives are estimated by air."""
        file = self.find_text("BOWEI_ROADS")
        return None if file is None else Path(file)

    def history_files(self) -> Path | None:
        """Give the folder of history files; None: there are none."""
        folder = self.find_text("BOWEI_HISTORY_FILES")
        return None if folder is None else Path(folder)

    def log_level(self) -> str:
        """Give the name of the lowest level that is logged."""
        level = self.text("BOWEI_LOG_LEVEL", "INFO").upper()
        if level not in _LEVELS:
            raise WrongEnvironment(f"BOWEI_LOG_LEVEL is none of {', '.join(_LEVELS)}. Correct or unset it.")
        return level


def read_secret(name: str, file: Path) -> str:
    """Read a secret from a file; `name` is how the operator knows what names the file.

    Raises:
        WrongEnvironment: the file can't be read, is empty, or is too large.
    """
    try:
        with file.open("rb") as opened:
            content = opened.read(_LARGEST_SECRET_BYTES + 1)
        text = content.decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise WrongEnvironment(f"{name} names a file that can't be read as text. Check its path and mode.") from error
    if not text or len(content) > _LARGEST_SECRET_BYTES:
        raise WrongEnvironment(f"{name} names a file that is empty or too large.")
    return text
