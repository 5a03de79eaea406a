"""The catalogues of texts on pages: one gettext file for each language, read as they are when the process starts.

A message's id is a name such as `board.full`, not a sentence, so that a sentence may be mended in one language alone.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

LANGUAGES = ("zh-Hans", "en")

Texts = Mapping[str, str]


class WrongCatalogue(Exception):
    """A catalogue can't be used; the text says which, and why."""


def read_catalogue(file: Path) -> Texts:
    """Read one catalogue as texts by name.

    Raises:
        WrongCatalogue: a text is missing, or marked as unsure.
    """
    with file.open("rb") as opened:
        catalogue: Catalog = read_po(opened, abort_invalid=True)
    unsure = [str(one.id) for one in catalogue if one.id and (one.fuzzy or not one.string)]
    if unsure:
        raise WrongCatalogue(f"{file.name}: not translated: {', '.join(unsure)}.")
    return {str(one.id): str(one.string) for one in catalogue if one.id}


def as_module(texts: Mapping[str, Texts]) -> bytes:
    """Give the texts by language as the module that pages import."""
    return f"export const TEXTS = {json.dumps(texts, ensure_ascii=False, sort_keys=True)};\n".encode()
