"""Ingest on stores in memory: two lots of one source, one lot of another, and a clock that moves when told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from httpx2 import ASGITransport, AsyncClient, Response
from prometheus_client import CollectorRegistry
from typing_extensions import override

from bowei.domain.clock import SteppedClock
from bowei.domain.dirt import Doubt
from bowei.domain.heartbeats import Heartbeat
from bowei.domain.lots import Entrance, Lot, LotId, LotKind, Name, SourceId
from bowei.domain.observations import Passage, PassageKind
from bowei.domain.offering import Report
from bowei.domain.places import Point
from bowei.domain.plates import PlateKeys
from bowei.domain.trust import TrustRules
from bowei.livestate.failures import LiveStateAway
from bowei.livestate.in_memory import InMemoryLiveState
from bowei.records.dead_letters import DeadLetters
from bowei.records.failures import StoreFailure
from bowei.records.in_memory import (
    InMemoryDeadLetters,
    InMemoryQuality,
    InMemoryRecords,
    InMemoryRegister,
    InMemoryReportJournal,
    InMemorySpaceBook,
)
from bowei.records.registering import Source, SourceKind, key_sha256_of
from bowei.records.reporting import Judged, Recorded, ReportJournal
from services.ingest.admitting import Admission
from services.ingest.app import assemble
from services.ingest.assessing import Assessor
from services.ingest.citybrain.envelope import seal
from services.ingest.citybrain.uploading import Uploads
from services.ingest.copying import Copying
from services.ingest.doubting import Facts, ShownDoubts
from services.ingest.feeds_file import Feeds
from services.ingest.fieldmaps.pushing import Pushes
from services.ingest.intake import Intake
from services.ingest.letters import CountedLetters
from services.ingest.lorawan.webhooks import webhooks
from services.ingest.measures import Measures
from services.ingest.noting import Notes
from services.ingest.receiving import Receiving
from services.ingest.sources import Sources
from services.ingest.wiring import Wiring

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
"""Monday, 2 March 2026, 09:00 in Hangzhou."""
KEY = "malls.a-secret-that-only-the-malls-know"
OTHER_KEY = "office.a-secret-that-only-the-office-knows"
SUSPENDED_KEY = "liar.a-secret-of-somebody-who-lied"
PLATE_KEY = b"a key of 32 bytes for the plates."
PLATE_KEYS = PlateKeys(PLATE_KEY)
MALL, EMPORIUM, OFFICE = LotId("mall"), LotId("emporium"), LotId("office")
HERE = Point(30.2552, 120.1582)
CITYBRAIN_KEY = generate_private_key(65537, 1024)  # noqa: S505 (the protocol's size)
Item = dict[str, object]


class LosableJournal(ReportJournal):
    """A journal in memory that can be told to fail as a lost server would, before or after its commit."""

    def __init__(self, records: InMemoryRecords) -> None:
        self._journal = InMemoryReportJournal(records)
        self.failing: StoreFailure | None = None
        self.commits_first = False
        self.passages: list[tuple[Passage, bool]] = []
        self.order: list[str] = []
        """What was recorded, in the order in which it was."""
        self._asked = 0

    @override
    async def record(self, judged: Sequence[Judged]) -> Sequence[Recorded]:
        if self.failing is not None and not self.commits_first:
            raise self.failing
        self.order += ["observation"] * len(judged)
        recorded = await self._journal.record(judged)
        if self.failing is not None:
            raise self.failing
        return recorded

    @override
    async def record_passage(self, passage: Passage, *, moves_count: bool) -> Recorded:
        if self.failing is not None:
            raise self.failing
        self._asked += 1
        for _ in range(3 - self._asked % 4):
            await asyncio.sleep(0)  # some take longer than others, as over a network
        self.order.append("passage")
        self.passages.append((passage, moves_count))
        return await self._journal.record_passage(passage, moves_count=moves_count)

    @override
    async def passage_ids(
        self, lot_id: LotId, kind: PassageKind, since: datetime, until: datetime, *, most: int
    ) -> Sequence[str]:
        if self.failing is not None:
            raise self.failing
        return await self._journal.passage_ids(lot_id, kind, since, until, most=most)

    @override
    async def set_doubt(self, lot_id: LotId, doubt: Doubt | None) -> Report | None:
        if self.failing is not None:
            raise self.failing
        return await self._journal.set_doubt(lot_id, doubt)

    @override
    async def reports(self) -> Mapping[LotId, Report]:
        if self.failing is not None:
            raise self.failing
        return await self._journal.reports()

    @override
    async def now(self) -> datetime:
        if self.failing is not None:
            raise self.failing
        return await self._journal.now()


def a_lot(lot_id: LotId, capacity: int) -> Lot:
    """Give a mall by the lake."""
    entrance = Entrance("north", Name("北口", "North"), HERE)
    return Lot(lot_id, LotKind.MALL, Name("商场", "Mall"), "Asia/Shanghai", capacity, HERE, (entrance,))


def public_pem() -> str:
    """Give the public half of the City Brain client's key."""
    return CITYBRAIN_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


class SlowLiveState(InMemoryLiveState):
    """A live state that does not answer: it lets a caller wait, and fails."""

    def __init__(self) -> None:
        super().__init__()
        self.times_asked = 0

    @override
    async def show_reports(self, reports: Mapping[LotId, Report]) -> None:
        self.times_asked += 1
        await asyncio.sleep(0.2)
        raise LiveStateAway("no answer")


class Nobody:
    """Hands the right to assess to nobody: a test looks by itself."""

    async def try_lead(self) -> None:
        """Give nothing."""


class IngestWorld:
    """Everything around one ingest app that a test may look at or disturb."""

    def __init__(
        self, live: InMemoryLiveState, letters: Callable[[InMemoryRecords], DeadLetters] = InMemoryDeadLetters
    ) -> None:
        self.clock = SteppedClock(NOW)
        self.own_clock = SteppedClock(NOW)
        """Of the process; `clock` is the ledger's."""
        self.records = InMemoryRecords(self.clock)
        self.register = InMemoryRegister(self.records)
        self.journal = LosableJournal(self.records)
        self.letters = letters(self.records)
        self.quality = InMemoryQuality(self.records)
        self.notes: Notes
        self.assessor: Assessor
        self.intake: Intake
        self.live = live
        self.admission = Admission()
        self.monotonic_s = 0.0
        self.measures = Measures(CollectorRegistry())
        self.copying = Copying(self.journal, self.live, self.measures, look_every_s=0.01)
        self.plate_keys: PlateKeys | None = PLATE_KEYS
        self.signed_only = False
        self.spaces = InMemorySpaceBook(self.records)
        self.feeds = Feeds()
        self._client: AsyncClient | None = None

    async def settle_in(self) -> None:
        """Register three lots and four sources."""
        await self.register.put_lots([a_lot(MALL, 300), a_lot(EMPORIUM, 50), a_lot(OFFICE, 80)])
        malls = (("1001", MALL), ("emporium", EMPORIUM))
        await self.register.put_sources(
            [
                Source(SourceId("malls"), SourceKind.NATIVE, key_sha256_of(KEY), lots=malls),
                Source(SourceId("office"), SourceKind.NATIVE, key_sha256_of(OTHER_KEY), lots=(("office", OFFICE),)),
                Source(SourceId("liar"), SourceKind.NATIVE, key_sha256_of(SUSPENDED_KEY), suspended=True, lots=malls),
                Source(SourceId("vendor"), SourceKind.FEED, lots=malls),
                Source(SourceId("brain"), SourceKind.CITYBRAIN, public_key=public_pem(), lots=(("330106", MALL),)),
            ]
        )

    @asynccontextmanager
    async def open_wiring(self, measures: Measures) -> AsyncIterator[Wiring]:
        """Put the collaborators together as `app.py` does, without servers."""
        await self.settle_in()
        self.measures = measures
        self.copying = Copying(self.journal, self.live, measures, look_every_s=0.01)
        facts = Facts(self.quality)

        async def note_signs(heard: Sequence[Heartbeat]) -> None:
            await self.notes.signs(heard)

        receiving = Receiving(
            self.journal,
            self.live,
            self.own_clock,
            measures,
            copy_again=self.copying.copy_again,
            facts_of=facts.of,
            note_signs=note_signs,
        )

        async def there() -> str | None:
            return None

        sources = Sources(self.register, also_read=facts.read, monotonic=lambda: self.monotonic_s)
        doubts = ShownDoubts(facts, show_all=self.copying.copy_again)
        self.notes = Notes(self.quality, doubts, sources, self.clock, measures)
        self.assessor = Assessor(
            Nobody(),
            self.quality,
            doubts,
            self.clock,
            measures.quality,
            rules=TrustRules(),
            show_all=self.copying.copy_again,
        )
        letters = CountedLetters(self.letters, measures.history, monotonic=lambda: self.monotonic_s)
        self.intake = Intake(receiving, sources, self.own_clock, measures, self.plate_keys, letters, self.notes)
        yield Wiring(
            receiving=receiving,
            intake=self.intake,
            uploads=Uploads(receiving, measures, self.plate_keys),
            copying=self.copying,
            letters=letters,
            admission=measures.admission(self.admission),
            notes=self.notes,
            background=(self.copying.run,),
            sources=sources,
            clock=self.own_clock,
            measures=measures,
            plate_keys=self.plate_keys,
            signed_only=self.signed_only,
            probes={"ledger": there, "live_state": there},
            webhooks=webhooks(self.feeds, self.spaces, self.intake, sources),
        )

    @property
    def client(self) -> AsyncClient:
        """The client of the app."""
        assert self._client is not None
        return self._client

    async def observe(self, *items: object, key: str = KEY) -> Response:
        """Post observations."""
        return await self._post("/v1/observations", items, key)

    async def report_passages(self, *items: object, key: str = KEY) -> Response:
        """Post passages."""
        return await self._post("/v1/passages", items, key)

    async def _post(self, path: str, items: Sequence[object], key: str) -> Response:
        return await self.client.post(path, json={"items": list(items)}, headers={"Authorization": f"Bearer {key}"})

    async def upload(self, path: str, data: Mapping[str, object], access_id: str = "brain") -> dict[str, object]:
        """Post a City Brain upload, sealed as a lot seals it; give the answer."""
        envelope = seal(data, access_id=access_id, client_key=CITYBRAIN_KEY)
        answer = await self.client.post(
            path, content=envelope.to_form(), headers={"Content-Type": "application/x-www-form-urlencoded"}
        )
        assert answer.status_code == 200, answer.text
        document: dict[str, object] = answer.json()
        return document

    async def seen(self, lot_id: LotId = MALL) -> Report | None:
        """Give what is shown of a lot."""
        shown = await self.live.lots([lot_id])
        return shown[lot_id].report if lot_id in shown else None

    async def metric(self, name: str) -> float:
        """Give the value of one line of /metrics; 0 where it is not there."""
        for line in (await self.client.get("/metrics")).text.splitlines():
            written, _, value = line.rpartition(" ")
            if written == name:
                return float(value)
        return 0.0

    def step(self, seconds: float) -> None:
        """Let time pass."""
        for clock in (self.clock, self.own_clock):
            clock.step_to(clock.now() + timedelta(seconds=seconds))

    def everything_kept(self) -> tuple[object, ...]:
        """Give all that a report could have changed, to compare."""
        records = self.records
        return list(records.observations), dict(records.reports), set(records.passages), dict(records.counted_at)


@asynccontextmanager
async def ingest(
    *,
    citybrain: bool = False,
    plate_keys: PlateKeys | None = PLATE_KEYS,
    signed_only: bool = False,
    live: InMemoryLiveState | None = None,
    pushes: Pushes | None = None,
    feeds: Feeds | None = None,
    letters: Callable[[InMemoryRecords], DeadLetters] = InMemoryDeadLetters,
) -> AsyncIterator[IngestWorld]:
    """Run ingest on stores in memory."""
    world = IngestWorld(live or InMemoryLiveState(), letters)
    world.plate_keys = plate_keys
    world.signed_only = signed_only
    world.feeds = feeds or Feeds()
    app = assemble(world.open_wiring, citybrain=citybrain, pushes=pushes)
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app), base_url="http://bowei.test") as client,
    ):
        world._client = client
        yield world


def observation(**changes: object) -> Item:
    """Write an observation of the mall; a change to None leaves the field out."""
    item: Item = {"lot_id": "mall", "observed_at": "2026-03-02T00:59:57Z", "capacity": 300, "open": 280, "free": 118}
    return {name: value for name, value in (item | changes).items() if value is not None}


def passage(**changes: object) -> Item:
    """Write a passage into the mall; a change to None leaves the field out."""
    item: Item = {"lot_id": "mall", "passage_id": "p-1", "kind": "enter", "passed_at": "2026-03-02T00:59:58Z"}
    return {name: value for name, value in (item | changes).items() if value is not None}


def results(answer: Response) -> list[tuple[str, str | None]]:
    """Give the (result, code) of each item of an answer."""
    assert answer.status_code == 200, answer.text
    return [(one["result"], one.get("code")) for one in answer.json()["results"]]


async def wait_until(reached: Callable[[], Awaitable[bool]]) -> None:
    """Poll until it is so; fail after 5 s."""
    async with asyncio.timeout(5):
        while not await reached():  # noqa: ASYNC110 (what is waited for has no event to tell)
            await asyncio.sleep(0.005)
