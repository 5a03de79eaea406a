"""Postgres refuses to run as root: what it runs as then, and where it can reach its files.

No system user is made and no permission of a folder that is not ours is changed. When root's checkout lies where
no other user may look (under /root, say), Postgres' data goes to `/var/lib/bowei/<name>`, and the data folder says so.
"""

import hashlib
import os
import pwd
import shutil
import stat
import tempfile
from pathlib import Path

from services.local.children import Account
from services.local.data_folder import DataFolder, as_setup_problem
from services.local.servers.finding import FoundServer
from services.local.setup_problem import SetupProblem

ELSEWHERE = Path("/var/lib/bowei")

_NOTE = "postgres-is-elsewhere.txt"
_BELONGS_TO = "belongs-to"


def account_for(cluster: Path) -> Account | None:
    """Return who must run the Postgres of this data directory; None when this user can.

    Raises:
        SetupProblem: `no_unprivileged_user`.
    """
    if os.geteuid() != 0:
        return None
    if cluster.exists() and (owner := cluster.stat()).st_uid != 0:
        return Account(f"user {owner.st_uid}", owner.st_uid, owner.st_gid)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise SetupProblem(
        "no_unprivileged_user",
        "Postgres will not run as root, and this machine has neither a user `postgres` nor a user `nobody`.",
        "Run the command as a normal user, or set BOWEI_DATABASE_URL.",
    )


def reachable(path: Path, account: Account) -> bool:
    """Tell whether `account` may enter every folder above `path`."""
    return all(_may_enter(folder.stat(), account) for folder in path.resolve().parents)


def _may_enter(folder: os.stat_result, account: Account) -> bool:
    if folder.st_uid == account.uid:
        return bool(folder.st_mode & stat.S_IXUSR)
    if folder.st_gid == account.gid:
        return bool(folder.st_mode & stat.S_IXGRP)
    return bool(folder.st_mode & stat.S_IXOTH)


def reachable_cluster(data: DataFolder, cluster: Path, account: Account) -> Path:
    """Return where the cluster can live: in the data folder, else elsewhere with a note of it in the folder."""
    if reachable(cluster, account):
        return cluster
    return _elsewhere(data) / cluster.name


def reachable_server(data: DataFolder, server: FoundServer, account: Account) -> Path:
    """Return a `postgres` program that `account` can run: the one found, else a copy of the wheel's."""
    if reachable(server.binary, account):
        return server.binary
    if server.origin == "machine":
        raise SetupProblem(
            "postgres_not_reachable",
            f"{server.binary} lies where only root may look, and Postgres will not run as root.",
            "Install Postgres with the system's packages, or run the command as a normal user.",
        )
    # The program finds its libraries and share files relative to itself: keep the wheel's shape.
    install = server.binary.parent.parent
    site = install.parent.parent
    version = ".".join(map(str, server.version))
    copy = _elsewhere(data) / f"program-{version}"
    if not copy.exists():
        with as_setup_problem(copy):
            _copy_program(site, install, copy)
    return copy / server.binary.relative_to(site)


def _copy_program(site: Path, install: Path, copy: Path) -> None:
    unfinished = copy.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    parts = [*site.glob(f"{install.parent.name}.libs"), *(install / name for name in ("bin", "lib", "share"))]
    for part in parts:
        shutil.copytree(part, unfinished / part.relative_to(site), symlinks=True)
    for folder, _, _ in os.walk(unfinished):
        Path(folder).chmod(0o755)
    unfinished.rename(copy)


def _elsewhere(data: DataFolder) -> Path:
    """Return this data folder's place outside; what a deleted folder of the same path left there goes."""
    place = ELSEWHERE / hashlib.sha256(os.fsencode(data.path)).hexdigest()[:12]
    owner = place / "id"
    with as_setup_problem(place):
        _remove_what_temporary_folders_left()
        if place.exists() and (not owner.exists() or owner.read_text("ascii") != data.identity):
            shutil.rmtree(place)
        if not place.exists():
            place.mkdir(parents=True, mode=0o755)
            (place / _BELONGS_TO).write_bytes(os.fsencode(data.path))
            owner.write_text(data.identity, "ascii")
            ELSEWHERE.chmod(0o755)
            place.chmod(0o755)
        (data.path / _NOTE).write_text(
            f"Postgres does not run as root, and no other user may look into {data.path.parent}.\n"
            f"Its data is therefore in {place}\n"
            "When this folder is deleted, the next start deletes that one too.\n",
            "utf-8",
        )
    return place


def _remove_what_temporary_folders_left() -> None:
    """Remove the places of data folders under /tmp that are gone.

    Only of those: any other folder that is not there may be on a disk that is just not mounted.
    """
    for note in ELSEWHERE.glob(f"*/{_BELONGS_TO}"):
        folder = Path(os.fsdecode(note.read_bytes()))
        if folder.is_relative_to(tempfile.gettempdir()) and not folder.exists():
            shutil.rmtree(note.parent)
