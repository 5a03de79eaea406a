"""One upload from its path and body to its value: the whole way in, without waiting, keeping or answering."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.ingest.citybrain.envelope import open_envelope, read_form, verify_envelope
from services.ingest.citybrain.keys import Keys
from services.ingest.citybrain.messages import Dropped, Upload, read_upload
from services.ingest.citybrain.methods import DROPPED, Method, get_route
from services.ingest.citybrain.problems import CityBrainProblem, ProblemCode

UPLOAD_WINDOW = timedelta(minutes=10)
"""How far `uploadTime` may lie from our clock, either way: lots' clocks drift, and a caught message must grow old."""


@dataclass(frozen=True, slots=True)
class Received:
    """What was read, and which client said it; nobody is named for a photo, which is not opened."""

    access_id: str | None
    upload: Upload | Dropped


def check_upload_time(uploaded_at: datetime, now: datetime, window: timedelta = UPLOAD_WINDOW) -> None:
    """Refuse what was sent too long ago or too far ahead; the very edge of the window is inside.

    Only `uploadTime` is held to this: the car's own times may be old after an outage.

    Raises:
        CityBrainProblem: `stale_upload_time`.
    """
    if abs(now - uploaded_at) > window:
        raise CityBrainProblem(ProblemCode.STALE_UPLOAD_TIME, "uploadTime")


def receive(path: str, body: bytes, keys: Keys, *, now: datetime, window: timedelta = UPLOAD_WINDOW) -> Received:
    """Read one upload: route, form, signature, seal, fields, time, in this order.

    Calls that are not kept are verified and not opened, so that a lot with a wrong key hears of it. Photos are not even
    read: half a megabyte buys nothing here.

    Args:
        path: of the request, without the prefix of the deployment.
        body: as posted; larger than 16 KiB is refused, so the caller may stop reading there.
        keys: who may upload.
        now: aware; the caller's clock.
        window: see `UPLOAD_WINDOW`.

    Raises:
        CityBrainProblem: any code but `try_again`, which is the caller's, for when the upload can't be kept.
    """
    method = get_route(path).method
    if method is Method.PHOTO:
        return Received(None, Dropped(method))
    envelope = read_form(body)
    if method in DROPPED:
        verify_envelope(envelope, keys)
        return Received(envelope.access_id, Dropped(method))
    upload = read_upload(method, open_envelope(envelope, keys))
    if not isinstance(upload, Dropped):
        check_upload_time(upload.uploaded_at, now, window)
    return Received(envelope.access_id, upload)
