"""What an operator may set for ingest, read from the environment at start."""

import socket
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bowei.domain.plates import PlateKeys
from bowei.domain.trust import TrustRules
from bowei.livestate.connecting import SCHEMES, check_address
from bowei.observability.environment import Environment, WrongEnvironment
from bowei.observability.operator_files import FileWrong
from services.ingest.citybrain.keys import KeyUnusable, read_private_key
from services.ingest.feeds_file import Feeds, read_feeds_file
from services.ingest.fieldmaps.pushing import Pushes, pushes_of
from services.ingest.history_files import FilesPlace
from services.ingest.keeping import Retention
from services.ingest.mqtt.assembling import BrokerFeed, brokers_of
from services.ingest.pulling.assembling import faults_of
from services.ingest.sources import Sealings


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one ingest process."""

    database_url: str = field(repr=False)
    require_synchronous: bool
    """Refuse a Postgres that waits for no standby."""
    redis_url: str = field(repr=False)
    plate_keys: PlateKeys | None
    """Hashes plates, as routing does with the same keys; without it plates are dropped."""
    signed_only: bool
    """Whether native reports must be signed."""
    citybrain: bool
    """Whether the City Brain's addresses exist."""
    sealings: Sealings = field(repr=False)
    allow_demo: bool
    most_connections: int
    retention: Retention = field(default_factory=Retention)
    history_files: FilesPlace | None = None
    """Where finished days are written; None: nowhere."""
    feeds: Feeds = field(default_factory=Feeds)
    """What the feeds file describes."""
    pushes: Pushes = field(default_factory=Pushes)
    """Those of them that post to us, ready."""
    brokers: tuple[BrokerFeed, ...] = ()
    """Those of them that are listened to over MQTT, ready."""
    replica: str = "one"
    """Names this process among those of its kind, to brokers."""
    trust: TrustRules = field(default_factory=TrustRules)


def settings_from(environment: Environment) -> Settings:
    """Read the settings; see docs/settings.md for each.

    Raises:
        WrongEnvironment: one is missing or wrong.
    """
    feeds, pushes, brokers = _feeds(environment)
    return Settings(
        database_url=environment.database_url(),
        require_synchronous=environment.require_synchronous(),
        redis_url=environment.redis_url(SCHEMES, check_address),
        plate_keys=environment.plate_keys(),
        signed_only=environment.flag("BOWEI_SIGNED_REPORTS_ONLY"),
        citybrain=environment.flag("BOWEI_CITYBRAIN"),
        sealings=_sealings(environment),
        allow_demo=environment.flag("BOWEI_ALLOW_DEMO"),
        most_connections=environment.integer("BOWEI_INGEST_CONNECTIONS", 8, least=3, most=100),
        feeds=feeds,
        pushes=pushes,
        brokers=brokers,
        replica=environment.text("BOWEI_REPLICA", socket.gethostname()),
        retention=Retention(
            days=environment.integer("BOWEI_HISTORY_DAYS", 400, least=2, most=3_660),
            hourly_days=environment.integer("BOWEI_HOURLY_DAYS", 1_830, least=2, most=36_600),
        ),
        history_files=_history_files(environment),
        trust=_trust(environment),
    )


def _history_files(environment: Environment) -> FilesPlace | None:
    folder = environment.history_files()
    days = environment.integer("BOWEI_HISTORY_FILES_DAYS", 400, least=1, most=3_660)
    name = environment.text("BOWEI_HISTORY_TIMEZONE", "Asia/Shanghai")
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as unknown:
        raise WrongEnvironment("BOWEI_HISTORY_TIMEZONE is no IANA time zone, such as Asia/Shanghai.") from unknown
    return None if folder is None else FilesPlace(folder, days, zone)


def _trust(environment: Environment) -> TrustRules:
    usual = TrustRules()
    return TrustRules(
        good_reports=environment.integer("BOWEI_TRUST_REPORTS", usual.good_reports, least=1, most=100_000),
        over=timedelta(hours=environment.number("BOWEI_TRUST_HOURS", 24.0, least=0.0, most=8_760.0)),
        error_share=environment.number("BOWEI_TRUST_ERROR_SHARE", usual.error_share, least=0.001, most=0.5),
        bad_share=environment.number("BOWEI_SUSPEND_BAD_SHARE", usual.bad_share, least=0.01, most=1.0),
        bad_for=timedelta(hours=environment.number("BOWEI_SUSPEND_HOURS", 6.0, least=0.0, most=8_760.0)),
    )


def _feeds(environment: Environment) -> tuple[Feeds, Pushes, tuple[BrokerFeed, ...]]:
    file = environment.find_text("BOWEI_FEEDS")
    if file is None:
        return Feeds(), Pushes(), ()
    try:
        feeds = read_feeds_file(Path(file), environment)
        pushes = pushes_of(feeds)
        brokers = brokers_of(feeds)
    except FileWrong as wrong:
        raise WrongEnvironment(f"BOWEI_FEEDS names a file that can't be used.\n{wrong}") from wrong
    if faults := list(faults_of(feeds)):
        raise WrongEnvironment("\n".join(("BOWEI_FEEDS names a file that can't be used.", *faults)))
    return feeds, pushes, brokers


def _sealings(environment: Environment) -> Sealings:
    named = environment.text("BOWEI_CITYBRAIN_SERVER_SEALED", "")
    sealed = frozenset(access_id.strip() for access_id in named.split(",") if access_id.strip())
    if not sealed:
        return Sealings()
    try:
        return Sealings(read_private_key(environment.secret("BOWEI_CITYBRAIN_SERVER_KEY")), sealed)
    except KeyUnusable as unusable:
        raise WrongEnvironment(f"BOWEI_CITYBRAIN_SERVER_KEY can't be used: {unusable}.") from unusable
