"""The files of pages: read once, named by a version of their content, and kept as they are sent, compressed too."""

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from types import MappingProxyType

from services.availability.pages.texts import LANGUAGES, Texts, as_module, read_catalogue

_HERE = Path(__file__).resolve().parent
_PLACES = (_HERE / "web", _HERE.parents[2] / "web")
"""In an installed wheel, and in a checkout."""

_TYPES = {
    ".geojson": "application/geo+json",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_TEXTS = "texts/texts.js"
_ASKED = ("routing", "registry")
"""The services beside this one that pages ask."""
NO_ADDRESSES: Mapping[str, str] = MappingProxyType({})
_STREETS = ".geojson"
_NO_STREETS = b'{"type":"FeatureCollection","features":[]}'
_TEXT = re.compile(r"\{(zh-Hans|en):([a-z_.]+)\}")


@dataclass(frozen=True, slots=True)
class File:
    """One file as it is sent."""

    media_type: str
    body: bytes
    compressed: bytes
    etag: str

    @classmethod
    def of(cls, name: str, body: bytes) -> "File":
        """Make a file ready to send."""
        etag = f'W/"{hashlib.sha256(body).hexdigest()[:16]}"'
        return cls(_TYPES[Path(name).suffix], body, gzip.compress(body, mtime=0), etag)


@dataclass(frozen=True, slots=True)
class Pages:
    """All files: `pages` by name (`board`), and what they load by path (`board/board.js`)."""

    version: str
    pages: Mapping[str, File]
    loaded: Mapping[str, File]


def find_folder() -> Path:
    """Give the folder of the pages' files.

    Raises:
        FileNotFoundError: this is neither a checkout nor an installed wheel.
    """
    for place in _PLACES:
        if place.is_dir():
            return place
    raise FileNotFoundError("the folder web is missing: install Bowei from its wheel or run it in a checkout")


def read_pages(folder: Path, addresses: Mapping[str, str] = NO_ADDRESSES) -> Pages:
    """Read all files of a folder. Every page is `<name>/<name>.html`.

    In a page `{version}` stands for the version, `{en:board.title}` for a text: what is there before any script; and
    `{routing}` and `{registry}` for where its script finds these, nothing where that is at the page's own address.

    Raises:
        WrongCatalogue: a catalogue of texts can't be used.
    """
    bodies = {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.suffix in _TYPES
    }
    texts = {language: read_catalogue(folder / "texts" / f"{language}.po") for language in LANGUAGES}
    bodies[_TEXTS] = as_module(texts)
    content = hashlib.sha256()
    for name, body in sorted(bodies.items()):
        content.update(f"{name} {len(body)}\n".encode() + body)
    version = content.hexdigest()[:16]
    pages = {
        Path(name).stem: File.of(name, _filled(body.decode(), version, texts, addresses).encode())
        for name, body in bodies.items()
        if name.endswith(".html")
    }
    loaded = {name: File.of(name, body) for name, body in bodies.items() if not name.endswith(".html")}
    return Pages(version, pages, loaded)


def read_streets(roads: Path | None) -> File:
    """Give the streets that a map may draw: those of a drawn road file. A compiled one has too many to send."""
    drawn = None if roads is None or roads.suffix != _STREETS else roads
    return File.of(f"streets{_STREETS}", _NO_STREETS if drawn is None else drawn.read_bytes())


def _filled(page: str, version: str, texts: Mapping[str, Texts], addresses: Mapping[str, str]) -> str:
    with_texts = _TEXT.sub(lambda found: escape(texts[found[1]][found[2]]), page)
    for service in _ASKED:
        with_texts = with_texts.replace(f"{{{service}}}", escape(addresses.get(service, "")))
    return with_texts.replace("{version}", version)
