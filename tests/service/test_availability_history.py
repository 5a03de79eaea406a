"""History files: listed and given out as they stand in the folder, and nothing else of the folder."""

import gzip
from pathlib import Path

from services.availability.opendata.publisher import Publisher
from tests.service.availability_block import Block, running_block

_PACKED = gzip.compress(b"lot_id,hour\r\nmall,2026-03-02T01:00:00.000Z\r\n")
_PUBLISHER = Publisher("demo", "Demo", "cn", "CC-BY-4.0")


def _write(folder: Path) -> None:
    (folder / "hourly-2026-03-01.csv.gz").write_bytes(_PACKED)
    (folder / "hourly-2026-03-01.parquet").write_bytes(b"PAR1")
    (folder / "hourly-2026-03-02.csv.gz").write_bytes(_PACKED)
    (folder / ".x.part").write_bytes(b"half")
    (folder / "secret.txt").write_bytes(b"secret")


async def _feeds(block: Block) -> set[str]:
    body = await block.get("/open/v1")
    return {feed["name"] for feed in body["data"]["feeds"]}


async def test_days_are_listed_newest_first_with_their_licence(tmp_path: Path) -> None:
    """Shows that every whole file is listed with an address that works, and nothing else that lies there."""
    _write(tmp_path)
    async with running_block(publisher=_PUBLISHER, history_files=tmp_path) as block:
        await block.register()
        await block.ready()
        assert "history" in await _feeds(block)
        listed = await block.get("/open/v1/history")
        assert listed["license"] == "CC-BY-4.0"
        said = [(one["date"], one["format"], one["size_bytes"]) for one in listed["data"]["files"]]
        assert said == [
            ("2026-03-02", "csv", len(_PACKED)),
            ("2026-03-01", "csv", len(_PACKED)),
            ("2026-03-01", "parquet", 4),
        ]
        for one in listed["data"]["files"]:
            found = await block.client.get(one["url"])
            assert (found.status_code, len(found.content)) == (200, one["size_bytes"])


async def test_a_file_comes_whole_in_parts_or_not_again(tmp_path: Path) -> None:
    """Shows ETag, 304 and Range: a download that broke goes on where it was, if the file is still the same."""
    _write(tmp_path)
    async with running_block(history_files=tmp_path) as block:
        path = "/open/v1/history/hourly-2026-03-01.csv.gz"
        whole = await block.client.get(path)
        assert whole.content == _PACKED
        assert whole.headers["content-type"] == "application/gzip"
        assert "content-encoding" not in whole.headers
        etag = whole.headers["etag"]
        again = await block.client.get(path, headers={"If-None-Match": etag})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
        rest = await block.client.get(path, headers={"Range": "bytes=10-", "If-Range": etag})
        assert (rest.status_code, rest.content) == (206, _PACKED[10:])
        other = await block.client.get(path, headers={"Range": "bytes=10-", "If-Range": '"other"'})
        assert (other.status_code, other.content) == (200, _PACKED)
        beyond = await block.client.get(path, headers={"Range": "bytes=9999-"})
        assert beyond.status_code == 416


async def test_nothing_else_of_the_folder_is_given_out(tmp_path: Path) -> None:
    """Shows that only names of days are files here: no other file, no way out of the folder, no day that never was."""
    folder = tmp_path / "files"
    folder.mkdir()
    _write(folder)
    (tmp_path / "hourly-2026-03-05.csv.gz").write_bytes(b"outside")
    async with running_block(history_files=folder) as block:
        for name in (
            "secret.txt",
            ".x.part",
            "hourly-2026-03-09.csv.gz",
            "hourly-2026-02-30.csv.gz",
            "..%2Fhourly-2026-03-05.csv.gz",
            "%2e%2e/hourly-2026-03-05.csv.gz",
            "hourly-2026-03-01.csv.gz%00",
        ):
            answer = await block.client.get(f"/open/v1/history/{name}")
            assert answer.status_code == 404, name
            assert b"outside" not in answer.content


async def test_without_a_folder_no_history_is_given_out() -> None:
    """Shows that a city that gives no history out says so, and does not name it."""
    async with running_block() as block:
        await block.register()
        await block.ready()
        assert "history" not in await _feeds(block)
        answer = await block.client.get("/open/v1/history")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_a_folder_that_is_not_there_yet_is_an_empty_list(tmp_path: Path) -> None:
    """Shows that availability may start before ingest has written anything."""
    async with running_block(history_files=tmp_path / "later") as block:
        await block.register()
        await block.ready()
        assert (await block.get("/open/v1/history"))["data"]["files"] == []
