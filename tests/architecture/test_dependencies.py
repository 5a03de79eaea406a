"""What Bowei depends on: pinned, hashed, free to be given on, and listed for whoever must know."""

import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

_TOP = Path(__file__).parents[2]
_LOCKS = sorted(path.name for path in (_TOP / "lock").iterdir())
_PIN = re.compile(r"(?P<name>[a-z0-9][a-z0-9.-]*)==(?P<version>[0-9][0-9a-z.]*)(?P<where> ; [^\\]+)?(?: \\)?")
_HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?")
_FREE = re.compile(
    r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla Public|Zlib|0BSD|CC0|EPL-2.0 OR BSD", re.IGNORECASE
)
_NOT_FREE_FOR_ALL = re.compile(r"\b(?:A?L?GPL|SSPL|BUSL|Commons Clause|Proprietary)", re.IGNORECASE)
_SAID_ELSEWHERE = {"routingkit-cch": "its wheel says nothing; RoutingKit's own is BSD-2-Clause (docs/adr/0007)"}


def pins(lock: str) -> dict[str, str]:
    """Give the versions that a lock file pins, by package; the newest of several for several Pythons."""
    return {pin["name"]: pin["version"] for pin in _pins(lock)}


def _pins(lock: str) -> list[re.Match[str]]:
    lines = (_TOP / "lock" / lock).read_text("utf-8").splitlines()
    return [pin for line in lines if (pin := _PIN.match(line)) is not None]


@pytest.mark.parametrize("lock", _LOCKS)
def test_a_lock_file_holds_versions_and_hashes_and_nothing_else(lock: str) -> None:
    """Nothing is installed that is not the very file that was looked at, and nothing says where it must come from."""
    bare, last = [], ""
    for line in (_TOP / "lock" / lock).read_text("utf-8").splitlines():
        if not line or line.lstrip().startswith("#"):
            continue
        assert _PIN.fullmatch(line) or _HASH.fullmatch(line), line
        if _PIN.fullmatch(line):
            bare += [last] if _PIN.fullmatch(last) else []
        last = line
    assert not bare


def test_what_is_given_on_with_bowei_may_be_given_on() -> None:
    """Every package of a running Bowei has a licence that asks for no more than to be named."""
    unsaid, unfree = [], []
    elsewhere = {pin["name"] for pin in _pins("run.txt") if pin["where"] and not _installed(pin["name"])}
    for name in pins("run.txt").keys() - elsewhere - _SAID_ELSEWHERE.keys():
        licence = _licence_of(metadata.metadata(name))
        if _NOT_FREE_FOR_ALL.search(licence):
            unfree.append((name, licence))
        elif not _FREE.search(licence):
            unsaid.append((name, licence))
    assert not unfree
    assert not unsaid


def _installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _licence_of(said: metadata.PackageMetadata) -> str:
    if "License-Expression" in said:
        return said["License-Expression"]
    classified = [one for one in said.get_all("Classifier") or [] if one.startswith("License ::")]
    return "; ".join(classified) or (said.get_all("License") or [""])[0][:200]


def test_the_bill_of_materials_names_every_package_with_its_hashes(tmp_path: Path) -> None:
    """As `make sbom` writes it: who runs Bowei finds each file that is installed, to compare with advisories."""
    makefile = (_TOP / "Makefile").read_text("utf-8")
    (command,) = re.findall(r"^SBOM := \$\(VENV\)/bin/cyclonedx-py (.*)$", makefile, re.MULTILINE)
    written = tmp_path / "sbom.json"
    program = Path(sys.executable).with_name("cyclonedx-py")
    subprocess.run(
        [program, *command.split(), "--output-file", written], cwd=_TOP, check=True, capture_output=True, timeout=60
    )
    bill = json.loads(written.read_text("utf-8"))
    assert bill["metadata"]["component"]["name"] == "bowei"
    listed = {one["name"]: one for one in bill["components"]}
    assert {name: one["version"] for name, one in listed.items()} == pins("run.txt")
    for name, one in listed.items():
        hashes = [said["content"] for place in one["externalReferences"] for said in place.get("hashes", ())]
        assert hashes, name
