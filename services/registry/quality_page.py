"""The data-quality page: the same figures as the API, as plain HTML for people; no script, in zh and en.

What lots and sources are called comes from outside: every text is escaped where it is put in, by `_text`.
"""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import resources
from typing import Any
from urllib.parse import quote

from bowei.observability.problems import Language

STYLE = (resources.files("services.registry") / "quality.css").read_text(encoding="utf-8")
CONTENT_POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

_Html = str

_WORDS: Mapping[str, tuple[str, str]] = {
    "title": ("Data quality", "数据质量"),
    "as_of": ("As of", "截至"),
    "registered": ("Lots registered", "已登记停车场"),
    "reporting": ("Ever reported", "曾上报"),
    "fresh": ("fresh", "新鲜"),
    "ageing": ("ageing", "变旧"),
    "stale": ("stale", "过时"),
    "expired": ("expired", "已过期"),
    "coverage": ("Coverage now", "当前覆盖率"),
    "links_lost": ("Links lost", "链路中断"),
    "pending": ("Lots nobody registered", "待登记停车场"),
    "oldest_s": ("Oldest report", "最旧上报"),
    "trust": ("Trust", "信任"),
    "live": ("live", "正式"),
    "probation": ("on probation", "观察期"),
    "suspended": ("suspended", "已暂停"),
    "sources": ("Sources", "数据源"),
    "source": ("Source", "数据源"),
    "lot": ("Lot", "停车场"),
    "since": ("Since", "自"),
    "reason": ("Why", "原因"),
    "lots": ("Lots", "停车场数"),
    "doubted": ("Lots of which nothing is offered", "暂不可保留的停车场"),
    "doubt": ("Why", "原因"),
    "findings": ("What was found", "发现的问题"),
    "age": ("Age", "数据时间"),
    "none": ("None.", "无。"),
    "more": ("The evidence of each: ", "各项证据："),
    "approved_at_registration": ("trusted by its operator", "登记时已信任"),
    "earned": ("earned it", "已通过观察"),
    "mended": ("it mended", "已恢复正常"),
    "by_hand": ("by hand", "人工设定"),
    "bad_reports": ("its reports can't be true", "上报数据不可信"),
    "before_trust": ("reported before there was trust", "此前已在上报"),
    "stuck": ("stuck counter", "计数卡住"),
    "drift": ("counter drifts", "计数漂移"),
    "registry_wrong": ("registered capacity is wrong", "登记车位数有误"),
    "comms_lost": ("link lost", "链路中断"),
    "binary_count": ("says only full or not", "仅报有无空位"),
    "frozen_clock": ("source's clock stands still", "源时钟停走"),
    "free_above_capacity": ("more free than spaces", "空位多于总数"),
    "overflow": ("count above capacity for a while", "短时超出总数"),
    "capacity_zero": ("capacity 0", "总车位为 0"),
    "capacity_moved": ("capacity changed", "总车位变动"),
    "gap": ("silent", "静默"),
}


def page_of(view: Mapping[str, Any], language: Language) -> _Html:
    """Write the page of what `city_view` gives."""
    words = _Words(language)
    tag = "zh-Hans" if language == "zh" else "en"
    return (
        f'<!doctype html>\n<html lang="{tag}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{words('title')} · Bowei 泊位</title>\n"
        '<link rel="stylesheet" href="/quality.css">\n</head>\n<body>\n<main>\n'
        f"<h1>{words('title')}</h1>\n<p>{words('as_of')} <time>{_text(view['as_of'])}</time></p>\n"
        f"{_figures(view, words)}{_sources(view['sources'], words)}{_doubted(view['doubted'], words)}"
        f'</main>\n<footer><p>{words("more")}<a href="/v1/quality"><code>/v1/quality</code></a></p></footer>\n'
        "</body>\n</html>\n"
    )


class _Words:
    """The page's words in one language; a word that it lacks is shown as it is."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._place = 1 if language == "zh" else 0

    def __call__(self, name: str) -> _Html:
        known = _WORDS.get(name)
        return _text(name if known is None else known[self._place])


def _figures(view: Mapping[str, Any], words: _Words) -> _Html:
    lots = view["lots"]
    figures = [("registered", str(lots["registered"])), ("reporting", str(lots["reporting"]))]
    if "coverage" in lots:
        figures.append(("coverage", f"{100 * lots['coverage']:.0f} %"))
    figures += [(state, str(count)) for state, count in lots["by_trust"].items()]
    figures += [("links_lost", str(view["links_lost"])), ("pending", str(view["pending"]))]
    if "oldest_s" in view:
        figures.append(("oldest_s", _age(view["oldest_s"])))
    cells = "".join(f"<div><dt>{words(name)}</dt><dd>{_text(value)}</dd></div>\n" for name, value in figures)
    found = ", ".join(f"{words(name)}: {count}" for name, count in lots["by_finding"].items())
    return f"<dl>\n{cells}</dl>\n<p>{words('findings')}: {found or words('none')}</p>\n"


def _sources(sources: Sequence[Mapping[str, Any]], words: _Words) -> _Html:
    rows = []
    for source in sources:
        state, fresh = source["trust"]["state"], source["lots"]["by_freshness"]
        late = [f"{words(name)} {fresh[name]}" for name in ("fresh", "ageing", "stale", "expired") if name in fresh]
        rows.append(
            [
                _link(f"/v1/quality/sources/{quote(source['source_id'], safe='')}", source["source_id"]),
                f'<span class="{_text(state)}">{words(state)}</span>',
                _reason(source["trust"]["reason"], words),
                _text(source["lots"]["registered"]),
                " · ".join(late),
                _text(source["pending"]),
            ]
        )
    return _table("sources", ("source", "trust", "reason", "lots", "age", "pending"), rows, words, numbers={3, 5})


def _doubted(lots: Sequence[Mapping[str, Any]], words: _Words) -> _Html:
    rows = []
    for lot in lots:
        name = lot.get("name", {}).get(words.language, lot["lot_id"])
        age = "" if "age_s" not in lot else _age(lot["age_s"])
        rows.append(
            [
                _link(f"/v1/quality/lots/{quote(lot['lot_id'], safe='')}", name),
                words(lot["doubt"]),
                f"<time>{_text(lot['doubt_since'])}</time>",
                ", ".join(words(finding["dirt"]) for finding in lot["findings"]),
                f'<span class="{_text(lot.get("freshness", ""))}">{_text(age)}</span>',
            ]
        )
    return _table("doubted", ("lot", "doubt", "since", "findings", "age"), rows, words, numbers={4})


def _reason(reason: str, words: _Words) -> _Html:
    """Say why a source stands where it does; that it was registered goes without saying."""
    return "" if reason == "registered" else words(reason)


def _table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[_Html]], words: _Words, *, numbers: set[int]
) -> _Html:
    numeric = ' class="number"'

    def cells(kind: str, texts: Sequence[_Html], scope: str = "") -> _Html:
        return "".join(
            f"<{kind}{scope}{numeric if place in numbers else ''}>{text}</{kind}>" for place, text in enumerate(texts)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>\n" for row in rows)
    if not body:
        return f"<h2>{words(title)}</h2>\n<p>{words('none')}</p>\n"
    head = cells("th", [words(name) for name in columns], ' scope="col"')
    return (
        f'<h2 id="{_text(title)}">{words(title)}</h2>\n'
        f'<div class="wide" role="region" aria-labelledby="{_text(title)}" tabindex="0"><table>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table></div>\n"
    )


def _link(address: str, text: str) -> _Html:
    return f'<a href="{_text(address)}">{_text(text)}</a>'


def _age(seconds: int) -> str:
    if seconds < 120:
        return f"{max(seconds, 0)} s"
    if seconds < 7_200:
        return f"{seconds // 60} min"
    return f"{seconds // 3_600} h" if seconds < 172_800 else f"{seconds // 86_400} d"


def _text(value: object) -> _Html:
    return escape(str(value), quote=True)
