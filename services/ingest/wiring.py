"""The collaborators that ingest's endpoints receive."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from bowei.domain.clock import Clock
from bowei.domain.plates import PlateKeys
from bowei.observability.health import Probe
from services.ingest.admitting import Admission
from services.ingest.citybrain.uploading import Uploads
from services.ingest.copying import Copying
from services.ingest.intake import Intake
from services.ingest.letters import CountedLetters
from services.ingest.lorawan.webhooks import Webhook
from services.ingest.measures import Measures
from services.ingest.noting import Notes
from services.ingest.receiving import Receiving
from services.ingest.sources import Sources


@dataclass(frozen=True, slots=True)
class Wiring:
    """What was assembled around the stores."""

    receiving: Receiving
    intake: Intake
    uploads: Uploads
    copying: Copying
    letters: CountedLetters
    admission: Admission
    notes: Notes
    sources: Sources
    clock: Clock
    measures: Measures
    plate_keys: PlateKeys | None
    signed_only: bool = False
    """Whether native reports must be signed: a key that is sent opens nothing."""
    background: Sequence[Callable[[], Awaitable[None]]] = ()
    """What runs beside the answers: copying, keeping, noting, assessing, pulling, listening to brokers."""
    probes: Mapping[str, Probe] = field(default_factory=dict)
    """Ask whether each store is there: ledger, live_state."""
    webhooks: Mapping[str, Webhook] = field(default_factory=dict)
    """Of network servers of sensors, by source."""


def wiring(request: Request) -> Wiring:
    """Give the app's collaborators."""
    collected: Wiring = request.app.state.wiring
    return collected


Wired = Annotated[Wiring, Depends(wiring)]
