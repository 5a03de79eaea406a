"""The command `bowei`. Each command imports what it needs when it is called, so that `bowei --help` answers at once."""

import asyncio
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from services.local.evaluate.cli import evaluate

if TYPE_CHECKING:
    from bowei.domain.places import Point

app = typer.Typer(
    name="bowei",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Bowei 泊位: when the hospital is full, each driver gets the nearest shared space, and it is kept.",
)
roads = typer.Typer(no_args_is_help=True, help="Road files, from which driving times come.")
registry = typer.Typer(no_args_is_help=True, help="What the parties agreed on.")
ledger = typer.Typer(no_args_is_help=True, help="The ledger of promises.")
feeds = typer.Typer(no_args_is_help=True, help="What lots and vendors send.")
ingest = typer.Typer(no_args_is_help=True, help="What lots report.")
audit = typer.Typer(no_args_is_help=True, help="Who did what.")
api = typer.Typer(no_args_is_help=True, help="How the services describe themselves.")
token_keys = typer.Typer(no_args_is_help=True, help="What access tokens are signed with.")
app.add_typer(roads, name="roads")
app.add_typer(registry, name="registry")
app.add_typer(ledger, name="ledger")
app.add_typer(feeds, name="feeds")
app.add_typer(ingest, name="ingest")
app.add_typer(audit, name="audit")
app.add_typer(token_keys, name="token-keys")
app.add_typer(api, name="api")
app.add_typer(evaluate, name="evaluate")


def _say_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # noqa: PLC0415

        typer.echo(f"bowei {version('bowei')}")
        raise typer.Exit


@app.callback()
def bowei(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say which release this is.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


_PLACE_EXAMPLE = "write a place as lat,lon,datum, such as 47.3769,8.5417,wgs84 (or gcj02, bd09)"
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|)")
_UNIT_S = {"s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0}


def duration_s(text: str) -> float:
    """Read a duration such as 60s, 5m, 1.5h or 90 (seconds)."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or float(match[1]) <= 0:
        raise typer.BadParameter("write a duration such as 60s, 5m or 1.5h")
    return float(match[1]) * _UNIT_S[match[2]]


def _place(text: str) -> "Point":
    """Read a place such as 47.3769,8.5417,wgs84."""
    from bowei.domain.places import Datum, to_wgs84  # noqa: PLC0415

    try:
        lat, lon, datum = text.split(",")
        point = to_wgs84(float(lat), float(lon), Datum(datum.strip().lower()))
    except ValueError as error:
        raise typer.BadParameter(_PLACE_EXAMPLE, param_hint="--origin") from error
    if not (abs(point.lat) <= 90 and abs(point.lon) <= 180):
        raise typer.BadParameter(_PLACE_EXAMPLE, param_hint="--origin")
    return point


@app.command()
def demo(
    run_for: Annotated[
        float | None, typer.Option("--for", parser=duration_s, metavar="TIME", help="Stop after, e.g. 60s or 5m.")
    ] = None,
    speed: Annotated[float, typer.Option(min=1.0, max=3600.0, help="Shown seconds in a real one.")] = 60.0,
    seed: Annotated[str, typer.Option(help="The same seed brings the same people.")] = "1",
    scene: Annotated[Literal["hangzhou", "city"], typer.Option(help="One block, or 26 hospitals.")] = "hangzhou",
    data: Annotated[Path | None, typer.Option(help="The data folder; else BOWEI_DATA, else ./bowei-data.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="No terminal; the last line is one JSON object.")] = False,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the hospital's board in a browser.")] = False,
) -> None:
    """Run a block of Hangzhou on this machine: real servers, the four services, and people who need to park."""
    from services.local.data_folder import data_folder_path  # noqa: PLC0415
    from services.local.demo.run import DemoOptions, run_demo  # noqa: PLC0415

    raise typer.Exit(
        run_demo(
            DemoOptions(
                data=(data or data_folder_path()).absolute(),
                scene=scene,
                speed=speed,
                seed=seed,
                seconds=run_for,
                as_json=as_json,
                open_browser=open_browser,
            )
        )
    )


@app.command()
def replay(
    folder: Annotated[Path, typer.Argument(help="A recording: lots.csv and observations.csv[.gz] (docs/replay.md).")],
    divert_from: Annotated[
        list[str] | None, typer.Option(metavar="LOT", help="A hospital's lot; may be given more than once.")
    ] = None,
    every_s: Annotated[
        float, typer.Option("--every", parser=duration_s, metavar="TIME", help="How often a driver comes, while full.")
    ] = "5m",  # type: ignore[assignment]  # typer gives it to the parser
    full_at: Annotated[int, typer.Option(min=0, help="Full means: this many free or fewer.")] = 0,
    radius: Annotated[int, typer.Option(min=1, max=50_000, help="Metres from the hospital within which lots lend.")] = (
        1_500
    ),
    origin: Annotated[
        str | None, typer.Option(metavar="LAT,LON,DATUM", help="Where drivers are; else at the hospital's gate.")
    ] = None,
    speed: Annotated[
        float | None, typer.Option(min=0.001, help="Recorded seconds in a real one; else no wait.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write one JSON line for each decision, and the summary.")] = None,
    roads: Annotated[Path | None, typer.Option(help="A road file; else drives are estimated by air.")] = None,
) -> None:
    """Replay a recording on its own clock, and ask for a diversion whenever a hospital's lot is full."""
    from datetime import timedelta  # noqa: PLC0415

    from bowei.domain.lots import LotId  # noqa: PLC0415
    from services.local.replay.command import replay_with_progress  # noqa: PLC0415
    from services.local.replay.replaying import ReplayOptions  # noqa: PLC0415

    if every_s < 1:
        raise typer.BadParameter("a driver may come once a second at most", param_hint="--every")
    options = ReplayOptions(
        divert_from=tuple(LotId(lot_id) for lot_id in divert_from or ()),
        every=timedelta(seconds=every_s),
        full_at=full_at,
        radius_m=radius,
        origin=_place(origin) if origin else None,
        speed=speed,
        report=report,
        roads=roads,
    )
    raise typer.Exit(replay_with_progress(folder, options))


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Look at this machine: one line for each thing Bowei needs, and one fix for each that is wrong."""
    from services.local.doctor import as_document, examine, exit_code, render  # noqa: PLC0415

    checks = asyncio.run(examine())
    typer.echo(json.dumps(as_document(checks), ensure_ascii=False) if as_json else render(checks))
    raise typer.Exit(exit_code(checks))


@roads.command("build")
def roads_build(
    source: Annotated[Path, typer.Argument(help="An OpenStreetMap extract (.osm.pbf).")],
    target: Annotated[Path, typer.Option("-o", "--out", help="The road file to write.")],
    left: Annotated[bool, typer.Option("--left", help="One drives on the left there.")] = False,
) -> None:
    """Build a road file from an OpenStreetMap extract."""
    from bowei.roads.graph import TrafficSide  # noqa: PLC0415
    from services.local.road_building import build_with_progress  # noqa: PLC0415

    raise typer.Exit(build_with_progress(source, target, TrafficSide.LEFT if left else TrafficSide.RIGHT))


@registry.command("load")
def registry_load(
    scene: Annotated[Path, typer.Argument(help="A scene file (docs/scene-file.md).")],
    url: Annotated[str, typer.Option(envvar="BOWEI_REGISTRY_URL", help="Where the registry is.")] = (
        "http://127.0.0.1:8100"
    ),
) -> None:
    """Put a scene file into the registry; the token is read from BOWEI_ADMIN_TOKEN or BOWEI_ADMIN_TOKEN_FILE."""
    from services.local.scene_loading import load_scene_file  # noqa: PLC0415

    raise typer.Exit(load_scene_file(scene, url))


@ledger.command("check")
def ledger_check() -> None:
    """List the promises that the ledger shows to be broken: none, always. Needs BOWEI_DATABASE_URL."""
    from services.local.ledger_checking import check_ledger  # noqa: PLC0415

    raise typer.Exit(check_ledger())


@ledger.command("migrate")
def ledger_migrate() -> None:
    """Bring the ledger to this release, as the registry does when it starts. Needs BOWEI_DATABASE_URL."""
    from services.local.ledger_migrating import migrate_ledger  # noqa: PLC0415

    raise typer.Exit(migrate_ledger())


@audit.command("check")
def audit_check(
    anchors: Annotated[Path | None, typer.Option(help="A file of lines that `bowei audit head` once printed.")] = None,
) -> None:
    """Say whether the chain of acts holds, and against what was kept of it elsewhere. Needs BOWEI_DATABASE_URL."""
    from services.local.audit_checking import check_audit  # noqa: PLC0415

    raise typer.Exit(check_audit(anchors))


@audit.command("head")
def audit_head() -> None:
    """Print the newest entry's serial and hash: keep it where who keeps the database can't write."""
    from services.local.audit_checking import print_head  # noqa: PLC0415

    raise typer.Exit(print_head())


@api.command("publish")
def api_publish(
    folder: Annotated[Path, typer.Argument(help="Where descriptions are kept: docs/api.")],
    breaking: Annotated[bool, typer.Option("--breaking", help="Publish what breaks who uses it, too.")] = False,
) -> None:
    """Write each service's OpenAPI description, unless that breaks who uses the one that is there."""
    from services.local.api_publishing import publish  # noqa: PLC0415

    raise typer.Exit(publish(folder, breaking=breaking))


@token_keys.command("add")
def token_keys_add(file: Annotated[Path, typer.Argument(help="What BOWEI_TOKEN_KEYS_FILE names.")]) -> None:
    """Make the file of keys that access tokens are signed with, or add one that signs from ten minutes hence."""
    from services.local.token_keys_file import add_key  # noqa: PLC0415

    raise typer.Exit(add_key(file))


@token_keys.command("prune")
def token_keys_prune(file: Annotated[Path, typer.Argument(help="What BOWEI_TOKEN_KEYS_FILE names.")]) -> None:
    """Take out keys that a newer one took over from: ten minutes after it did, their tokens are over."""
    from services.local.token_keys_file import prune_keys  # noqa: PLC0415

    raise typer.Exit(prune_keys(file))


@app.command("ready")
def ready(port: Annotated[int, typer.Option(min=1, max=65_535, help="Where the service listens.")]) -> None:
    """Say whether a service of this machine is ready: exit code 0 if it is."""
    from services.local.asking_ready import ask_ready  # noqa: PLC0415

    raise typer.Exit(ask_ready(port))


@app.command("dashboards")
def dashboards(folder: Annotated[Path, typer.Argument(help="Where Grafana reads them.")]) -> None:
    """Write the dashboards as Grafana reads them, in zh and en."""
    from services.local.dashboards.grafana import write_dashboards  # noqa: PLC0415

    write_dashboards(folder)


@feeds.command("check")
def feeds_check(
    file: Annotated[Path, typer.Argument(help="A field map, the name of one that ships, or a feeds file.")],
    sample: Annotated[Path | None, typer.Option(help="What a sender sent: shown as what it would become.")] = None,
    lot: Annotated[str | None, typer.Option(help="The lot's code, where the map names none.")] = None,
) -> None:
    """Say whether a field map (docs/feeds/field-maps.md) or a feeds file can be used, and what a sample becomes."""
    from services.local.feed_checking import check_feeds  # noqa: PLC0415

    raise typer.Exit(check_feeds(file, sample, lot))


@ingest.command("redeliver")
def ingest_redeliver(
    source: Annotated[str | None, typer.Option(metavar="SOURCE", help="Only letters of this source.")] = None,
    reason: Annotated[str | None, typer.Option(metavar="CODE", help="Only letters that wait for this reason.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would become of them.")] = False,
) -> None:
    """Deliver again what could not be meant when it came, such as reports of a lot registered since.

    Needs ingest's settings. Ends with 1 if letters wait on, and says why.
    """
    from services.local.redelivering import redeliver  # noqa: PLC0415

    raise typer.Exit(redeliver(source=source, reason=reason, dry_run=dry_run))
