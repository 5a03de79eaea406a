"""The pages' files: whole, light, the same for all until they change, and in two languages."""

import re
from pathlib import Path

import pytest

from services.availability.pages.files import Pages, find_folder, read_pages
from services.availability.pages.texts import LANGUAGES, WrongCatalogue, read_catalogue

_HEAVIEST_BYTES = 100_000
_USED = re.compile(r"""["'{:]((?:arrow|board|gate|go|map|operator|page)\.[a-z_.]*)["'}]""")
_PLACEHOLDER = re.compile(r"\{\w+\}")
_NEWER = {
    "optional chaining": r"\?\.[A-Za-z_(\[]",
    "nullish coalescing": r"\?\?",
    "catch without a name": r"catch\s*\{",
    "rest or spread": r"\.\.\.[\w({\[]",
    "class fields": r"^\s+(?:static [\w$]+\s*=|#\w)",
    "top-level await": r"^(?:const .* = )?await\b",
    "import.meta": r"import\.meta",
}
"""What browsers of 2017 don't know; television sets have them."""


@pytest.fixture(scope="module")
def pages() -> Pages:
    """All that is sent."""
    return read_pages(find_folder())


def test_each_page_weighs_less_than_a_hundred_kilobytes(pages: Pages) -> None:
    """All that it may load, before compression: telephones in car parks have little reach."""
    for name, page in pages.pages.items():
        loaded = [file for path, file in pages.loaded.items() if path.split("/")[0] in {name, "shell", "texts"}]
        assert sum(len(file.body) for file in (page, *loaded)) < _HEAVIEST_BYTES


def test_a_page_names_only_files_that_there_are(pages: Pages) -> None:
    """Links of pages, and imports of modules, lead to files of this very version."""
    for page in pages.pages.values():
        named = re.findall(r'(?:href|src)="([^"]+)"', page.body.decode())
        assert named
        prefix = f"pages/{pages.version}/"
        assert [one for one in named if one.removeprefix("../").removeprefix(prefix) not in pages.loaded] == []
    for path, file in pages.loaded.items():
        for target in re.findall(r'from "([^"]+)"', file.body.decode()):
            assert str((Path("/") / path).parent.joinpath(target).resolve())[1:] in pages.loaded, f"{path}: {target}"


def test_pages_hold_no_script_or_style_of_their_own(pages: Pages) -> None:
    """The policy forbids both; what breaks it would only be seen by a person who misses it."""
    for page in pages.pages.values():
        text = page.body.decode()
        assert not re.search(r"<style|<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|javascript:", text)
        assert "{" not in text, "a text or the version was not filled in"


def test_scripts_are_read_by_browsers_of_2017(pages: Pages) -> None:
    """A television set is not replaced for a question mark."""
    found = {
        f"{path}: {name}"
        for path, file in pages.loaded.items()
        if path.endswith(".js")
        for name, pattern in _NEWER.items()
        if re.search(pattern, _without_comments(file.body.decode()), re.MULTILINE)
    }
    assert found == set()


def _without_comments(script: str) -> str:
    return re.sub(r"/\*[\s\S]*?\*/|(?m:(?:^|\s)//.*$)", "", script)


def test_styles_are_read_by_browsers_of_2017(pages: Pages) -> None:
    """No nesting, no :has(), no min() and max(): what such a browser can't read it leaves out, whole."""
    for path, file in pages.loaded.items():
        if path.endswith(".css"):
            text = re.sub(r"/\*.*?\*/", "", file.body.decode(), flags=re.DOTALL)
            assert not re.search(r":has\(|&|@layer|@container|\b(?:min|max|clamp)\(", text), path
            depth = 0
            for sign in re.sub(r"@(?:media|keyframes)[^{]*\{((?:[^{}]*\{[^{}]*\})*)[^{}]*\}", r"\1", text):
                depth += (sign == "{") - (sign == "}")
                assert depth <= 1, f"{path} nests"


def test_both_languages_say_the_same_things_with_the_same_values() -> None:
    """No key in one catalogue alone, and no value that one of them leaves out or makes up."""
    chinese, english = (read_catalogue(find_folder() / "texts" / f"{language}.po") for language in LANGUAGES)
    assert chinese.keys() == english.keys()
    for key, text in chinese.items():
        assert set(_PLACEHOLDER.findall(text)) == set(_PLACEHOLDER.findall(english[key])), key


def test_every_text_is_used_and_every_text_used_is_there() -> None:
    """A key that is put together is used as a whole: its beginning stands in a script."""
    texts = set(read_catalogue(find_folder() / "texts" / "en.po"))
    scripts = "\n".join(file.read_text("utf-8") for file in find_folder().rglob("*") if file.suffix in {".js", ".html"})
    named = set(_USED.findall(scripts))
    beginnings = {name for name in named if name.endswith(".")}
    assert {name for name in named - beginnings if name not in texts} == set()
    assert {key for key in texts if key not in named and not any(key.startswith(one) for one in beginnings)} == set()
    assert {one for one in beginnings if not any(key.startswith(one) for key in texts)} == set()


@pytest.mark.parametrize(
    "broken", ['msgid "a.b"\nmsgstr ""\n', '#, fuzzy\nmsgid "a.b"\nmsgstr "x"\n'], ids=["missing", "unsure"]
)
def test_a_catalogue_with_a_gap_stops_the_start(tmp_path: Path, broken: str) -> None:
    """Better than a page with a hole in it; the text is named."""
    file = tmp_path / "en.po"
    file.write_text(broken, "utf-8")
    with pytest.raises(WrongCatalogue, match=r"en\.po: not translated: a\.b"):
        read_catalogue(file)


def test_a_changed_file_changes_the_version_and_nothing_else_does(tmp_path: Path) -> None:
    """What was kept for ever stays right: another content has another address."""
    texts = tmp_path / "texts"
    texts.mkdir()
    for language in LANGUAGES:
        (texts / f"{language}.po").write_text('msgid "board.title"\nmsgstr "B"\n', "utf-8")
    script = tmp_path / "board.js"
    script.write_text("1;", "utf-8")
    first = read_pages(tmp_path).version
    assert read_pages(tmp_path).version == first
    script.write_text("2;", "utf-8")
    assert read_pages(tmp_path).version != first
