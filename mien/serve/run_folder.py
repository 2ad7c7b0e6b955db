"""The server's own folder: uploads and results lie there while they are needed, and nobody else may look.

Each running server has a folder in it with a lock; at the start, those whose server is gone are deleted.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mien.errors import MienError

LOCK = "lock"
PREFIX = "run-"


@contextmanager
def run_folder(root: Path | None) -> Iterator[Path]:
    """An empty folder of this run's; gone with all that lies in it when the block is left.

    root: where it is made, by default a folder of this user's in the temporary one. What runs that were killed left
    there is deleted. Raises MienError where others could write to `root`.
    """
    root = root or Path(tempfile.gettempdir()) / f"mien-serve-{os.getuid()}"
    _make_private(root)
    with (root / LOCK).open("w") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)  # two that start together do not sweep each other away
        _sweep(root)
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=root))
        held = (folder / LOCK).open("w")
        fcntl.flock(held, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        held.close()


def _make_private(root: Path) -> None:
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise MienError(f"{root} cannot be made ({error.strerror}); name another folder with --folder") from error
    status = root.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise MienError(
            f"{root} is no folder that you alone may write to, so uploads are not safe there; name another by --folder"
        )


def _sweep(root: Path) -> None:
    """Delete the folders of servers that are gone: nobody holds their lock."""
    for left in root.glob(f"{PREFIX}*"):
        try:
            with (left / LOCK).open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
        except FileNotFoundError:  # killed before it had a lock
            shutil.rmtree(left, ignore_errors=True)
        except BlockingIOError:  # a server that runs
            continue
