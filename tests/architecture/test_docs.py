"""What linters do not know: that the pages say what the code does, and that the house stays in order.

A page that lists things is compared with the code in both directions: nothing is missing, nothing has gone.
"""

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

from bowei.domain.dirt import Dirt, Doubt
from bowei.domain.field_kinds import FIELD_KINDS
from bowei.domain.problems import KINDS
from services.local.processes import SERVICES

_ROOT = Path(__file__).resolve().parents[2]
_DOCS = _ROOT / "docs"
_CODE = ("bowei", "services")
_PYTHON = (*_CODE, "tests", "loadtests")
_TEXT_SUFFIXES = {".md", ".py", ".sql", ".lua", ".toml", ".yaml", ".yml", ".sh", ".txt", ".json", ".geojson", ""}
_NOT_OURS = {"LICENSE"}

_LINES_MAX = 400
_JUNK_DRAWERS = {"common", "utils", "util", "core", "helpers", "helper", "manager", "base", "shared", "impl", "misc"}
_METRIC_MAKERS = {"Counter", "Gauge", "Histogram", "Summary", "Info", "Enum", "Lags"}


def _python_files(folders: Iterable[str] = _PYTHON) -> list[Path]:
    return [file for folder in folders for file in sorted((_ROOT / folder).rglob("*.py"))]


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"), str(file))


def _texts(file: Path) -> Iterator[str]:
    """Yield every text in a module that stands for a value; in an f-string, … stands for what is put in."""
    tree = _tree(file)
    within = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in within:
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)


def _metrics_registered() -> set[str]:
    found = set()
    for file in _python_files(_CODE):
        for node in ast.walk(_tree(file)):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
                continue
            maker, name = node.func.id, node.args[0]
            if (maker in _METRIC_MAKERS or maker.endswith("MetricFamily")) and isinstance(name, ast.Constant):
                found.add(str(name.value))
    return found


def _settings_read() -> set[str]:
    named = {text for file in _python_files(_CODE) for text in _texts(file) if re.fullmatch(r"BOWEI_[A-Z_]+", text)}
    of_ports = {f"BOWEI_{service.upper()}_PORT" for service in SERVICES}
    return {name.removesuffix("_FILE") for name in named} | of_ports


def _keys_spelled() -> set[str]:
    texts = _texts(_ROOT / "bowei" / "livestate" / "keys.py")
    return {text.replace("…", "LOT") for text in texts if re.fullmatch(r"v\d+:\S+", text) and "*" not in text}


def _listed(page: str, wanted: str) -> set[str]:
    """Give what a page lists: the code words that `wanted` matches, in the first cells of its tables."""
    rows = [line for line in (_DOCS / page).read_text("utf-8").splitlines() if line.startswith("|")]
    return {name for row in rows for name in re.findall(rf"`({wanted})`", row.split("|")[1])}


@pytest.mark.parametrize(
    ("page", "wanted", "in_code"),
    [
        pytest.param("problems.md", r"[a-z_]+", lambda: set(KINDS) | set(FIELD_KINDS), id="problem codes"),
        pytest.param("settings.md", r"BOWEI_[A-Z_]+", _settings_read, id="settings"),
        pytest.param("metrics.md", r"(?:bowei|http)_[a-z_]+", _metrics_registered, id="metrics"),
        pytest.param("dirt.md", r"[a-z_]+", lambda: {str(name) for name in (*Dirt, *Doubt)}, id="dirt and doubts"),
        pytest.param("redis-keys.md", r"v\d+:\S+", _keys_spelled, id="Redis keys and channels"),
    ],
)
def test_a_page_lists_what_the_code_has_and_nothing_else(
    page: str, wanted: str, in_code: Callable[[], set[str]]
) -> None:
    """An operator finds every code, setting, metric and key on its page, and none that has gone."""
    assert _listed(page, wanted) == in_code()


@pytest.mark.parametrize(
    "page", ["problems.md", "settings.md", "metrics.md", "dirt.md", "redis-keys.md", "glossary.md", "adr/README.md"]
)
def test_a_page_lists_nothing_twice(page: str) -> None:
    """Two lines for one thing, such as two branches leave, say two things of it sooner or later."""
    tables = re.findall(r"(?:^\|.*\n)+", (_DOCS / page).read_text("utf-8"), re.MULTILINE)
    assert tables
    for table in tables:
        first = [row.split("|")[1].strip() for row in table.splitlines()]
        assert [name for name, times in Counter(first).items() if times > 1 and name] == []


def test_each_problem_code_stands_in_its_own_table_with_its_status() -> None:
    """Refusals are listed with the status that the code gives them, codes of fields with the codes of fields."""
    before, after = (_DOCS / "problems.md").read_text("utf-8").split("\n## Codes of fields\n")
    listed = {code: int(status) for code, status in re.findall(r"^\| `([a-z_]+)` \| (\d{3}) \|", before, re.MULTILINE)}
    assert listed == {code: kind.status for code, kind in KINDS.items()}
    assert set(re.findall(r"^\| `([a-z_]+)` \|", after, re.MULTILINE)) == set(FIELD_KINDS)


def test_redis_keys_are_spelled_in_one_module() -> None:
    """Who owns a key can be seen in one place, because nobody else spells one."""
    keys = _ROOT / "bowei" / "livestate" / "keys.py"
    strays = {
        f"{file.relative_to(_ROOT)}: {text}"
        for file in _python_files(_CODE)
        if file != keys
        for text in _texts(file)
        if re.match(r"v\d+:[{a-z]", text)
    }
    assert strays == set()


def _markdown() -> list[Path]:
    outside = [file for file in _ROOT.glob("*.md") if file.is_file()]
    return sorted([*outside, *_DOCS.rglob("*.md")])


def _prose(file: Path) -> str:
    """Give a page without its blocks of code."""
    return re.sub(r"^(`{3,}|~{3,}).*?^\1`*\s*$", "", file.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def _anchors(file: Path) -> set[str]:
    """Give the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#{1,6} (.+)$", _prose(file), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", _markdown(), ids=lambda page: str(page.relative_to(_ROOT)))
def test_a_page_has_one_title_and_its_links_lead_somewhere(page: Path) -> None:
    """A reader who follows a link to another page, file or heading of this project arrives there."""
    text = _prose(page)
    assert len(re.findall(r"^# \S", text, re.MULTILINE)) == 1
    assert text.startswith("# ")
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = unquote(target).partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in _anchors(file)):
            dead.append(target)
    assert dead == []


def test_every_page_is_found_from_the_index() -> None:
    """A page that nothing leads to is never read."""
    seen: set[Path] = set()
    waiting = [_ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md" or not page.exists():
            continue
        seen.add(page)
        targets = re.findall(r"\]\(([^)\s#]+)", _prose(page))
        waiting += [(page.parent / unquote(target)).resolve() for target in targets if ":" not in target]
    assert set(_markdown()) - seen == set()


def test_each_test_that_a_page_names_is_there() -> None:
    """A page that promises a test would go on promising it after the test was renamed."""
    named = {
        (page.name, file, test)
        for page in (_ROOT / "docs").rglob("*.md")
        for file, test in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page.read_text("utf-8"))
    }
    assert len(named) > 20
    missing = [
        (page, file, test)
        for page, file, test in sorted(named)
        if f"def {test}(" not in (_ROOT / file).read_text("utf-8")
    ]
    assert missing == []


def test_no_module_outgrows_a_reader() -> None:
    """A file is read in one sitting: at most 400 lines."""
    lengths = {str(file.relative_to(_ROOT)): len(file.read_text("utf-8").splitlines()) for file in _python_files()}
    assert {name: lines for name, lines in lengths.items() if lines > _LINES_MAX} == {}


def test_the_map_of_a_package_names_each_of_its_modules() -> None:
    """Who opens a package reads in its docstring what is where."""
    missing = {}
    for package in (_ROOT / folder for folder in (*_CODE, "loadtests")):
        for start in sorted(package.rglob("__init__.py")):
            told = ast.get_docstring(_tree(start)) or ""
            parts = [file.stem for file in start.parent.glob("*.py") if not file.stem.startswith("__")]
            parts += [folder.parent.name for folder in start.parent.glob("*/__init__.py")]
            if unnamed := [part for part in parts if not re.search(rf"\b{part}\b", told)]:
                missing[str(start.parent.relative_to(_ROOT))] = sorted(unnamed)
    assert missing == {}


def test_the_house_has_no_junk_drawer() -> None:
    """A thing goes where its meaning is: no folder or module is named for having none."""
    found = {
        str(path.relative_to(_ROOT))
        for folder in _PYTHON
        for path in (_ROOT / folder).rglob("*")
        if path.stem.strip("_") in _JUNK_DRAWERS and "__pycache__" not in path.parts
    }
    assert found == set()


def _own_files() -> Iterator[Path]:
    for top in sorted(_ROOT.iterdir()):
        if top.name == ".ci" or not (top.name.startswith(".") or top.name in {"bowei-data", "dist"} | _NOT_OURS):
            files = sorted(top.rglob("*")) if top.is_dir() else [top]
            yield from (
                file
                for file in files
                if file.is_file() and file.suffix in _TEXT_SUFFIXES and "__pycache__" not in file.parts
            )


def test_no_file_names_a_folder_of_somebody_s_machine() -> None:
    """What is written here holds on every machine: recordings and data are named by variables."""
    machine = re.compile(r"(?<![\w.$}/-])/(?:work|Users|mnt|home/(?!linuxbrew)\w+|tmp/probe)\b")
    found = {str(file.relative_to(_ROOT)) for file in _own_files() if machine.search(file.read_text("utf-8"))}
    assert found == set()


def test_lock_files_hold_hashes_and_no_addresses() -> None:
    """Everyone installs from the registry that their own machine is set up with, and gets the same bytes."""
    for file in sorted((_ROOT / "lock").glob("*.txt")):
        text = file.read_text("utf-8")
        packages = re.findall(r"^\S+==\S+.*?(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
        assert packages, f"{file.name} pins nothing"
        assert not re.search(r"://|--(?:extra-)?index-url|--find-links", text), f"{file.name} names an address"
        assert all("--hash=sha256:" in package for package in packages), f"{file.name} has a package without a hash"
