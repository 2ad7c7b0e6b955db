"""Files that appear whole or not at all: written under another name and renamed."""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mien.errors import MienError

HOST = socket.gethostname().replace(".", "-")  # a store may lie on a disk that several machines share
STALE_S = 3600.0


class DiskFullError(MienError):
    """No room for an output; what was written before is whole."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` to write to; becomes `path` when the block succeeds, else is removed."""
    temporary = path.with_name(f".{path.name}.{HOST}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(
                f"no room left for {path}; all other outputs are whole: make room, and run the same command again"
            ) from error
        raise
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def require_writable(path: Path) -> None:
    """Raises MienError where the file or folder `path` could not be written; for the start of what takes hours.

    Folders above it that are not there yet are made when it is written.
    """
    there = next(place for place in (path, *path.absolute().parents) if place.exists())
    if there != path and not there.is_dir():
        raise MienError(f"{path} cannot be written: {there} is a file; name another place")
    if not os.access(there, os.W_OK):
        raise MienError(f"{path} cannot be written: nothing may be written to {there}; name another place")


def write_whole(path: Path, text: str) -> None:
    """`text` in UTF-8 as the file `path`."""
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8")


def remove_left_parts(folder: Path) -> None:
    """Delete what killed processes left unfinished in `folder`: those of this machine, and what is an hour old."""
    for part in folder.glob(".*.part"):
        *_, host, pid, _ = part.name.rsplit(".", 3)
        is_ours_and_over = host == HOST and pid.isdecimal() and not is_running(int(pid))
        if is_ours_and_over or time.time() - part.stat().st_mtime > STALE_S:
            part.unlink(missing_ok=True)


def is_running(pid: int) -> bool:
    """Whether there is a process of that number on this machine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # someone else's
        return True
    return True
