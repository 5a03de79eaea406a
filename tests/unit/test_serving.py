"""What an operator reads when a service can't start as it is set up."""

from collections.abc import Callable

import pytest

from services.availability.__main__ import main as availability
from services.ingest.__main__ import main as ingest
from services.registry.__main__ import main as registry
from services.routing.__main__ import main as routing

MAINS = {"registry": registry, "ingest": ingest, "routing": routing, "availability": availability}


@pytest.mark.parametrize(("name", "main"), MAINS.items())
def test_a_setting_that_is_missing_ends_the_start_with_one_line(
    name: str, main: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator reads which variable is missing and what to do, and no traceback."""
    monkeypatch.delenv("BOWEI_DATABASE_URL", raising=False)
    with pytest.raises(SystemExit) as stopped:
        main()
    assert str(stopped.value).startswith(f"bowei-{name}: BOWEI_DATABASE_URL is not set.")
