"""Converters of the library parkapi-sources run within our bounds, and what they say is taken with care."""

import asyncio
import json
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from bowei.domain.lots import SpaceClass
from bowei.domain.observations import LotState
from services.ingest.pulling.failures import Failure, PullFailed
from services.ingest.pulling.fetching import Answer, Ask, Bounds
from services.ingest.pulling.pacing import Budget
from services.ingest.pulling.parkapi_sources import (
    ConverterPull,
    ConverterUnusable,
    Requests,
    load_converter,
)
from services.ingest.readings import CountReading, Reading, Unmeant

TOKEN = {"PARK_API_P_M_BW_TOKEN": "hunter2"}


class Fetching:
    """Fetches what a test says, and remembers what it was asked."""

    def __init__(self, answer: Callable[[Ask], object]) -> None:
        self._answer = answer
        self.asked: list[Ask] = []
        self.bounds: list[Bounds] = []

    async def fetch(self, ask: Ask, bounds: Bounds) -> Answer:
        """Answer one request."""
        self.asked.append(ask)
        self.bounds.append(bounds)
        return Answer(json.dumps(self._answer(ask)).encode(), {"content-type": "application/json"})


BOUNDS = Bounds(Budget(100), content_types=None)


def pull_of(uid: str, fetching: Fetching, settings: dict[str, str] | None = None, **options: object) -> ConverterPull:
    """Make a pull by a converter."""
    requests = Requests(fetching, BOUNDS, asyncio.get_running_loop())
    converter = load_converter(uid, settings or {}, requests)
    return ConverterPull(converter, requests, **options)  # type: ignore[arg-type]


def site(**changes: object) -> dict[str, object]:
    """Write a lot as the motorway lots of Baden-Württemberg are published."""
    spaces = {"car": 111, "car_women": 0, "car_charging": 2, "car_handicap": 4, "truck": 0, "bus": 0}
    return {
        "id": "a81",
        "name": "A81",
        "long_name": "A81 Nord",
        "status": "ACTIVE",
        "category": "P&M",
        "free_capacity": spaces | {"car": 31, "car_handicap": 3, "car_charging": 1},
        "capacity": spaces,
        "time": "2026-03-02T00:30:03.000000Z",
        "location": {"lat": 48.5, "lng": 8.8},
    } | changes


def counts(readings: Sequence[Reading]) -> list[CountReading]:
    """Give the counts among readings."""
    return [one for one in readings if isinstance(one, CountReading)]


async def test_a_source_is_read_by_its_converter_and_asked_by_us() -> None:
    """The converter says what to ask, with its own key; the request is ours, and so are its bounds."""
    fetching = Fetching(lambda _: [site(), site(id="a8", status="GONE")])
    pulled = await pull_of("p_m_bw", fetching, TOKEN).pull()
    good, bad = pulled.readings
    assert good == CountReading(
        "a81",
        datetime(2026, 3, 2, 0, 30, 3, tzinfo=UTC),
        capacity=111,
        free=31,
        free_by_class={SpaceClass.DISABLED: 3, SpaceClass.EV: 1},
        raw=counts([good])[0].raw,
    )
    assert isinstance(bad, Unmeant)
    assert (bad.code, bad.lot_code) == ("bad_value", "a8")
    (ask,) = fetching.asked
    assert ask.url.startswith("https://api.cloud-telartec.de/")
    assert "hunter2" in ask.headers["Authorization"]
    assert "authorization" in ask.secret_headers
    assert fetching.bounds == [BOUNDS]


async def test_live_counts_come_from_anywhere_though_places_must_lie_in_europe() -> None:
    """The library refuses the place of a lot in Hangzhou; its counts have no place, and are taken."""
    fetching = Fetching(lambda _: [site(location={"lat": 30.25, "lng": 120.16})])
    pull = pull_of("p_m_bw", fetching, TOKEN)
    assert [one.free for one in counts((await pull.pull()).readings)] == [31]


async def test_a_request_that_fails_fails_the_pull_with_its_reason() -> None:
    """What the server asks for is passed through the converter."""

    def refused(_: Ask) -> object:
        raise PullFailed(Failure.TOO_MANY_REQUESTS, "it answers 429", retry_after_s=120)

    with pytest.raises(PullFailed) as failed:
        await pull_of("p_m_bw", Fetching(refused), TOKEN).pull()
    assert (failed.value.failure, failed.value.retry_after_s) == (Failure.TOO_MANY_REQUESTS, 120)


@pytest.mark.parametrize("body", [{"error": "maintenance"}, "maintenance", 7])
async def test_a_body_of_another_shape_is_unreadable(body: object) -> None:
    """Whatever the library makes of it."""
    with pytest.raises(PullFailed) as failed:
        await pull_of("p_m_bw", Fetching(lambda _: body), TOKEN).pull()
    assert failed.value.failure is Failure.UNREADABLE
    assert "maintenance" not in failed.value.detail


async def test_a_converter_may_ask_several_times_and_by_post() -> None:
    """Kienzler's asks for 25 lockers at a time, with user and password in the body."""
    units = [f"unit{number}" for number in range(30)]
    prefix = "PARK_API_KIENZLER_VVS_"
    settings = {f"{prefix}USER": "bowei", f"{prefix}PASSWORD": "hunter2", f"{prefix}IDS": ",".join(units)}

    def answer(ask: Ask) -> object:
        asked = json.loads(ask.body or b"")
        return [
            {"id": one, "name": one, "lat": 48.5, "long": 8.8, "bookable": 3, "sum_boxes": 9} for one in asked["ids"]
        ]

    fetching = Fetching(answer)
    pulled = await pull_of("kienzler_vvs", fetching, settings).pull()
    assert [one.lot_code for one in counts(pulled.readings)] == units
    assert [ask.method for ask in fetching.asked] == ["POST", "POST"]
    assert "hunter2" not in repr(fetching.asked)


async def test_a_converters_own_word_for_now_is_no_time_of_the_source() -> None:
    """Aalen says no time and the library says "now": the time of receipt is taken, and said so."""
    fetching = Fetching(lambda _: [{"name": "P1", "status": "geöffnet", "free": 5, "max": 170, "occupied": 165}])
    (reading,) = counts((await pull_of("aalen", fetching).pull()).readings)
    assert (reading.observed_at, reading.free, reading.capacity, reading.state) == (None, 5, 170, LotState.OPEN)


def item(at: str, **changes: object) -> dict[str, object]:
    """Write a lot as Mannheim sends it."""
    return {
        "uid": "mall-a",
        "name": "Mall A",
        "type": "CAR_PARK",
        "lat": "49.48",
        "lon": "8.47",
        "capacity": 300,
        "has_realtime_data": True,
        "static_data_updated_at": "2026-03-01T00:00:00Z",
        "realtime_data_updated_at": at,
        "realtime_opening_status": "OPEN",
        "realtime_capacity": 300,
        "realtime_free_capacity": 118,
    } | changes


async def test_a_body_that_a_city_would_send_can_be_fetched() -> None:
    """For a converter that does not ask by itself, the feed says the address."""
    fetching = Fetching(
        lambda _: {"items": [item("2026-03-02T00:30:03Z"), item("2026-03-02T00:30:03Z", capacity="many")]}
    )
    pulled = await pull_of("mannheim", fetching, url="https://feed.example/sites").pull()
    assert [ask.url for ask in fetching.asked] == ["https://feed.example/sites"]
    (good,) = counts(pulled.readings)
    assert (good.lot_code, good.free, good.observed_at) == ("mall-a", 118, datetime(2026, 3, 2, 0, 30, 3, tzinfo=UTC))
    assert [one.code for one in pulled.readings if isinstance(one, Unmeant)] == ["bad_value"]


async def test_a_time_without_offset_is_not_read_as_utc() -> None:
    """The library would: an hour late in winter, two in summer. It is the source's own time, or the feed's."""
    for at, zone in (
        ("2026-03-02T01:30:03", None),
        ("2026-07-02T02:30:03", None),
        ("2026-03-02T08:30:03", ZoneInfo("Asia/Shanghai")),
    ):
        fetching = Fetching(lambda _, at=at: {"items": [item(at)]})  # type: ignore[misc]
        pull = pull_of("mannheim", fetching, url="https://feed.example/", zone=zone)
        (reading,) = counts((await pull.pull()).readings)
        assert reading.observed_at is not None
        assert reading.observed_at.isoformat()[10:] == "T00:30:03+00:00"


async def test_a_converter_that_hangs_holds_up_nobody() -> None:
    """It is given up after a while, and not begun again before it has ended."""
    released = threading.Event()
    pull = pull_of("p_m_bw", Fetching(lambda _: [site()]), TOKEN, slowest_run_s=0.2)
    pull._converter.get_realtime_parking_sites = lambda: released.wait(30) and ([], [])
    try:
        with pytest.raises(PullFailed, match="went on for too long"):
            await pull.pull()
        with pytest.raises(PullFailed, match="still at what it was asked before"):
            await pull.pull()
    finally:
        released.set()
    assert pull._running is not None
    assert await asyncio.wrap_future(pull._running) == ([], [])


@pytest.mark.parametrize(
    ("uid", "settings", "said"),
    [
        ("atlantis", {}, "no converter of that name"),
        ("goldbeck", {}, "no live counts"),
        ("apcoa", {"PARK_API_APCOA_API_SUBSCRIPTION_KEY": "k"}, "no live counts"),
        ("freiburg_disabled_sensors", {}, "no live counts"),
        ("p_m_bw", {}, "It needs converter_settings or secret_name: PARK_API_P_M_BW_TOKEN."),
        ("bietigheim_bissingen", {}, "reads a mailbox"),
        ("ulm_sensors", {}, "how many cars there are"),
    ],
)
def test_a_converter_that_can_not_be_used_is_named_at_start(uid: str, settings: dict[str, str], said: str) -> None:
    """With the reason, and what to do."""
    with pytest.raises(ConverterUnusable, match=said):
        load_converter(uid, settings, None)


def test_without_the_library_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The product runs without it."""
    monkeypatch.setitem(sys.modules, "parkapi_sources", None)
    with pytest.raises(ConverterUnusable, match=r"pip install 'bowei\[feeds\]'"):
        load_converter("p_m_bw", TOKEN, None)
