"""What a City Brain upload means here: which observation, which passage, and when each was so.

    uploadParkingState   the counts, at uploadTime
    uploadCarInData      the car, at arriveTime; then the counts after it, at uploadTime
    uploadCarOutData     the car, at endTime; then the counts after it, at uploadTime
    uploadHeartbeat      a sign of life, now
    downUID              a question: which of a day's cars were recorded?
    the rest             nothing

The car is recorded before the counts, so that a hold's arrival always precedes the count that has it.

Lots' clocks may run ahead by as much as the protocol's window. What lies ahead of our clock counts as of now, for a
report from the future would outlive its lot; the lot's own times then still keep its reports in order.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from bowei.domain.heartbeats import Heartbeat
from bowei.domain.lots import LotId, SourceId
from bowei.domain.observations import Observation, Outcome, Passage, PassageKind, Verdict
from bowei.domain.plates import PlateKeys, hashes_if_read
from services.ingest.citybrain.fields import CHINA_TIME
from services.ingest.citybrain.messages import CarArrival, CarDeparture, Counts, ParkingState, StayKind, UidRequest
from services.ingest.citybrain.problems import CityBrainProblem, ProblemCode
from services.ingest.citybrain.receiving import UPLOAD_WINDOW
from services.ingest.measures import Measures, Way
from services.ingest.receiving import Receiving

UIDS_MOST = 50_000
"""More cars than any lot lets in a day; the answer stays below 4 MB."""

Counted = ParkingState | CarArrival | CarDeparture
"""The uploads that say counts."""


@dataclass(frozen=True, slots=True)
class Reported:
    """An upload with the lot that it is about, who sent it, and when it came."""

    upload: Counted
    lot_id: LotId
    source_id: SourceId
    received_at: datetime

    @property
    def is_ahead(self) -> bool:
        """Say whether the lot's clock runs ahead of ours."""
        return self.upload.uploaded_at > self.received_at


class Uploads:
    """Takes in uploads that say something about a lot's spaces."""

    def __init__(self, receiving: Receiving, measures: Measures, plate_keys: PlateKeys | None) -> None:
        self._receiving = receiving
        self._measures = measures
        self._plate_keys = plate_keys
        self._ahead: dict[LotId, tuple[datetime, Counts]] = {}
        """Of lots whose clock runs ahead: the last upload, by that clock."""

    async def take(self, reported: Reported, capacity_of: Callable[[LotId], int]) -> Verdict:
        """Record what an upload says and give the verdict on its counts; `capacity_of` is the register's.

        Raises:
            CityBrainProblem: `bad_time`.
            StoreFailure: it could not be kept; the same upload may be sent again.
        """
        passage = self._passage(reported)
        if passage is not None:
            await self._receiving.passages([passage], moves_count=False, way=Way.CITYBRAIN)
        if (known := self._known(reported)) is not None:
            self._measures.observed(Way.CITYBRAIN, known, None, reported.received_at)
            return known
        [verdict] = await self._receiving.observations(
            [_observation(reported)], capacity_of=capacity_of, way=Way.CITYBRAIN
        )
        self._ahead.pop(reported.lot_id, None)  # a clock that was put right is heard again
        if reported.is_ahead:
            self._ahead[reported.lot_id] = (reported.upload.uploaded_at, reported.upload.counts)
        return verdict

    async def heard(self, lot_id: LotId, source_id: SourceId, *, received_at: datetime) -> None:
        """Note that a lot is there: by our time, for its own clock may be off by more than a heartbeat."""
        await self._receiving.heartbeats([Heartbeat(source_id, received_at, lot_id)])

    async def uids(self, asked: UidRequest, lot_id: LotId) -> Sequence[str]:
        """Give the uids of the cars of one Beijing day that were recorded, so that the lot sends the others again.

        Raises:
            StoreFailure: it could not be found out; an empty list would have the lot send its whole day.
        """
        since = datetime.combine(asked.day, time(), CHINA_TIME).astimezone(UTC)
        return await self._receiving.passage_ids(lot_id, asked.kind, since, since + timedelta(days=1), most=UIDS_MOST)

    def _passage(self, reported: Reported) -> Passage | None:
        upload = reported.upload
        if isinstance(upload, ParkingState):
            return None
        if isinstance(upload, CarArrival):
            kind, name, passed_at = PassageKind.ENTER, "arriveTime", upload.arrived_at
        else:
            kind, name, passed_at = PassageKind.EXIT, "endTime", upload.left_at
        if passed_at > reported.received_at + UPLOAD_WINDOW:
            raise CityBrainProblem(ProblemCode.BAD_TIME, name)
        return Passage(
            lot_id=reported.lot_id,
            passage_id=upload.uid,
            kind=kind,
            passed_at=min(passed_at, reported.received_at),
            source_id=reported.source_id,
            plate_hashes=hashes_if_read(upload.plate, self._plate_keys),
            shared=upload.stay_kind is StayKind.SHARED,
        )

    def _known(self, reported: Reported) -> Verdict | None:
        """Say what becomes of counts that a lot with a clock ahead of ours has said or overtaken before."""
        last = self._ahead.get(reported.lot_id)
        if last is None or not reported.is_ahead:
            return None
        this = (reported.upload.uploaded_at, reported.upload.counts)
        if this == last:
            return Verdict(Outcome.DUPLICATE)
        return Verdict(Outcome.STALE) if this[0] < last[0] else None


def _observation(reported: Reported) -> Observation:
    upload = reported.upload
    return Observation(
        lot_id=reported.lot_id,
        observed_at=min(upload.uploaded_at, reported.received_at),
        source_id=reported.source_id,
        capacity=upload.counts.capacity,
        open=upload.counts.open,
        free=upload.counts.free,
    )
