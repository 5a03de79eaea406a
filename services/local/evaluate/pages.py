"""Tables put into a page of the docs, between two marks, so that nobody copies figures by hand."""

from pathlib import Path


def put(page: Path, name: str, text: str) -> None:
    """Replace what stands between `<!-- NAME -->` and `<!-- end of NAME -->`.

    Raises:
        ValueError: the page has no such marks.
    """
    starts, ends = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, start, rest = page.read_text("utf-8").partition(starts)
    _, end, after = rest.partition(ends)
    if not (start and end):
        raise ValueError(f"{page} has no marks {starts.strip()} and {ends}")
    page.write_text(f"{before}{starts}{text.rstrip()}\n{ends}{after}", encoding="utf-8")
