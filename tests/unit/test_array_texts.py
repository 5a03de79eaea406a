"""Arrays are written as Postgres writes them; a contract test of the journal reads them back from a real one."""

from datetime import UTC, datetime, timedelta, timezone

from bowei.records.array_texts import array_of_instants, array_of_integers, array_of_texts


def test_arrays_are_written_as_postgres_writes_them() -> None:
    """Nothing in a text can end it early, and NULL is not the text of that name."""
    assert array_of_texts(["a", None, "NULL", 'a"b\\c,{}', ""]) == '{"a",NULL,"NULL","a\\"b\\\\c,{}",""}'
    assert array_of_integers([1, None, -7]) == "{1,NULL,-7}"
    at = datetime(2026, 3, 2, 9, 0, 0, 123456, tzinfo=timezone(timedelta(hours=8)))
    assert array_of_instants([at, at.astimezone(UTC)]) == (
        '{"2026-03-02T09:00:00.123456+08:00","2026-03-02T01:00:00.123456+00:00"}'
    )
    assert array_of_texts([]) == array_of_integers([]) == "{}"
