"""The command `bowei replay`: servers, stage, replay, in one call."""

import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from services.local.data_folder import open_data_folder
from services.local.replay.recording import open_recording
from services.local.replay.replaying import Replay, ReplayOptions
from services.local.replay.stage import open_stage
from services.local.servers import embedded_servers


async def replay(folder: Path, options: ReplayOptions) -> dict[str, Any]:
    """Replay the recording in `folder` on servers of its own, which are gone afterwards; give the summary.

    Raises:
        BadRecording, UnknownHospital, SetupProblem: with what to do.
    """
    recording = open_recording(folder)
    async with AsyncExitStack() as stack:
        place = stack.enter_context(tempfile.TemporaryDirectory(prefix="bowei-replay-"))
        data = stack.enter_context(open_data_folder(Path(place) / "data"))
        # The addresses in the environment may be a city's: a replay never touches them.
        servers = await stack.enter_async_context(embedded_servers(data, environment={}))
        stage = await stack.enter_async_context(open_stage(servers.database_url, servers.redis_url, options.roads))
        return await Replay(recording, options, stage).run()
