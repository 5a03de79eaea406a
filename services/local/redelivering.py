"""`bowei ingest redeliver`: letters that could not be meant are taken in again.

It works on the stores directly, with ingest's own code and settings, and not through an address of ingest's: ingest has
no administrator and needs none, the command also works while ingest is down, and both may run at once, since taking the
same in twice changes nothing.
"""

import asyncio
from contextlib import AsyncExitStack

import typer
from prometheus_client import CollectorRegistry

from bowei.domain.lots import SourceId
from bowei.livestate.redis_store import RedisLiveState
from bowei.observability.environment import Environment, WrongEnvironment
from bowei.records.clock import WrongMark, open_clock
from bowei.records.connecting import UnsafeServer, connect, disconnect
from bowei.records.failures import StoreFailure
from bowei.records.postgres_dead_letters import PostgresDeadLetters
from bowei.records.postgres_quality import PostgresQualityBook
from bowei.records.postgres_registering import PostgresRegister
from bowei.records.postgres_reporting import PostgresReportJournal
from services.ingest.doubting import Facts
from services.ingest.intake import Intake
from services.ingest.letter_readers import LETTER_READERS
from services.ingest.measures import Measures
from services.ingest.receiving import Receiving
from services.ingest.redelivering import Redelivered, Redelivering
from services.ingest.settings import Settings, settings_from
from services.ingest.sources import Sources


def redeliver(*, source: str | None, reason: str | None, dry_run: bool, environment: Environment | None = None) -> int:
    """Deliver letters again and say what became of them; give the exit code: 1 if some wait on, 2 if none was tried."""
    try:
        settings = settings_from(environment or Environment())
        done = asyncio.run(
            redeliver_letters(settings, source_id=SourceId(source) if source else None, reason=reason, dry_run=dry_run)
        )
    except (WrongEnvironment, StoreFailure, UnsafeServer, WrongMark) as error:
        typer.echo(f"The letters can't be delivered: {str(error) or type(error).__doc__}", err=True)
        return 2
    typer.echo(f"{'would be delivered' if dry_run else 'delivered'}\t{done.delivered}")
    for code, count in sorted(done.waiting.items()):
        typer.echo(f"{code}\t{count}")
    return 0 if done.all_delivered else 1


async def redeliver_letters(
    settings: Settings, *, source_id: SourceId | None, reason: str | None, dry_run: bool
) -> Redelivered:
    """Deliver the letters in the stores that the settings name.

    Raises:
        StoreFailure, UnsafeServer, WrongMark: they can't be used.
    """
    async with AsyncExitStack() as stack:
        pool = await connect(settings.database_url, most_connections=settings.most_connections)
        stack.push_async_callback(disconnect, pool)
        clock = await open_clock(pool, allow_demo=settings.allow_demo)
        journal, letters = PostgresReportJournal(pool), PostgresDeadLetters(pool)
        live_state = RedisLiveState.connect(settings.redis_url)
        stack.push_async_callback(live_state.close)
        facts, measures = Facts(PostgresQualityBook(pool)), Measures(CollectorRegistry())
        sources = Sources(PostgresRegister(pool), also_read=facts.read)
        missed: list[None] = []
        receiving = Receiving(
            journal, live_state, clock, measures, copy_again=lambda: missed.append(None), facts_of=facts.of
        )
        # No letters for the intake: a letter that can't be meant yet must not beget another.
        intake = Intake(receiving, sources, clock, measures, settings.plate_keys)
        return await Redelivering(letters, intake, sources, LETTER_READERS).run(
            source_id=source_id, reason=reason, dry_run=dry_run, shown=lambda: not missed
        )
