"""A small disk of the ledger's own, ext4 in a file: it can be full, and it can lose power.

Power is cut as the file systems' own tests do it: one ioctl stops ext4 on the spot, its journal unwritten. What was not
synced by then, pages and names alike, never reaches the disk; mounted again, it is repaired from its journal as after
any loss of power. Processes that still write meet errors.
"""

import asyncio
import contextlib
import errno
import fcntl
import os
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from services.local.data_folder import DataFolder, throwaway_data_folder
from services.local.setup_problem import SetupProblem

_BYTES = 640 * 1024 * 1024
_BLOCK = 4096
_OPTIONS = "loop,noatime,data=writeback,noauto_da_alloc,commit=30"
"""As little written unasked as ext4 allows."""
_MKFS = ("-q", "-F", "-m", "0", "-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard")
_TOOLS = "/usr/sbin:/sbin:/usr/bin:/bin"
_SHUTDOWN = 0x8004587D
"""EXT4_IOC_SHUTDOWN, _IOR('X', 125, __u32) in the kernel's fs/ext4/ext4.h."""
_WITHOUT_FLUSHING = 2
_FREE_WITHIN_S = 10.0
_POLL_S = 0.02


class SmallDisk:
    """The disk, mounted at `folder`."""

    def __init__(self, folder: Path, image: Path) -> None:
        self.folder = folder
        self._image = image
        self._has_power = True

    def mount(self) -> None:
        """Mount it."""
        _run("mount", "-t", "ext4", "-o", _OPTIONS, str(self._image), str(self.folder))

    def cut_power(self) -> None:
        """Stop it on the spot."""
        self._has_power = False
        with _opened(self.folder) as folder:
            fcntl.ioctl(folder, _SHUTDOWN, struct.pack("I", _WITHOUT_FLUSHING))

    async def bring_back(self) -> None:
        """Mount it again if it lost power, as soon as nobody has it open any more.

        Raises:
            SetupProblem: somebody still has.
        """
        if self._has_power:
            return
        deadline = time.monotonic() + _FREE_WITHIN_S
        while not await asyncio.to_thread(self._let_go):
            if time.monotonic() > deadline:
                raise SetupProblem("disk_in_use", f"{self.folder} is still open.", "End whoever has it open.")
            await asyncio.sleep(_POLL_S)
        await asyncio.to_thread(self.mount)
        self._has_power = True

    def _let_go(self) -> bool:
        try:
            _run("umount", str(self.folder))
        except subprocess.CalledProcessError:
            return not self.folder.is_mount()
        return True

    @contextmanager
    def opened(self, name: str) -> Iterator[IO[bytes]]:
        """Open a file of the disk, new or not, to read and to write at its end."""
        with (self.folder / name).open("ab+", buffering=0) as file:
            file.seek(0)
            yield file

    @contextmanager
    def full(self) -> Iterator[None]:
        """Leave not one block of it."""
        ballast = self.folder / "ballast"
        room = os.statvfs(self.folder)
        some = room.f_bavail * room.f_bsize
        with ballast.open("wb") as file:
            taken = 0
            while some >= _BLOCK:
                try:
                    os.posix_fallocate(file.fileno(), taken, some)
                    taken += some
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    some //= 2
        try:
            yield
        finally:
            ballast.unlink()
            with _opened(self.folder) as folder:
                os.fsync(folder)  # only then are its blocks free


@contextmanager
def small_disk(folder: DataFolder) -> Iterator[SmallDisk]:
    """Make a small disk and mount it for a while."""
    image, mounted_at = folder.path / "disk.img", folder.path / "disk"
    with image.open("wb") as file:
        file.truncate(_BYTES)
    _run("mkfs.ext4", *_MKFS, str(image))
    mounted_at.mkdir()
    disk = SmallDisk(mounted_at, image)
    disk.mount()
    try:
        mounted_at.chmod(0o755)
        yield disk
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            _run("umount", "-l", str(mounted_at))


def can_have_small_disk() -> bool:
    """Try whether this user may make one, on this machine."""
    if os.geteuid() != 0:
        return False
    with throwaway_data_folder() as folder:
        try:
            with small_disk(folder) as disk:
                disk.cut_power()
                return True
        except (subprocess.CalledProcessError, OSError):
            return False


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    opened = os.open(folder, os.O_RDONLY)
    try:
        yield opened
    finally:
        os.close(opened)


def _run(tool: str, *arguments: str) -> None:
    found = shutil.which(tool, path=_TOOLS)
    if found is None:
        raise FileNotFoundError(tool)
    subprocess.run([found, *arguments], check=True, timeout=20, capture_output=True)
