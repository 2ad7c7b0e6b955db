"""The samples of webdataset shards: which files of a tar belong together, and where in it they lie."""

from __future__ import annotations

import glob
import json
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from mien.exchange.finish import require_local
from mien.media.video import VIDEO_SUFFIXES
from mien.types import MienError, Skipped

BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """Where a file lies in its tar, in bytes."""

    offset: int
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class TarSample:
    """The files of one key in one shard, by what follows the key's dot (`mp4`, `json`, …). Nothing is read yet."""

    shard: Path
    key: str
    files: dict[str, Span] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As videos are named that have no other name: the shard's without its suffix, and the key."""
        return f"{self.shard.stem}/{self.key}"

    @property
    def video(self) -> str | None:
        """Which of the files is the video."""
        return next((end for end in self.files if f".{end.rpartition('.')[2]}" in VIDEO_SUFFIXES), None)

    def read(self, end: str) -> bytes:
        """A file's content. Raises MienError where the shard is cut off before its end."""
        span = self.files[end]
        with self.shard.open("rb") as tar:
            tar.seek(span.offset)
            content = tar.read(span.size)
        if len(content) < span.size:
            raise MienError(f"{self.shard} is cut off in the middle of {self.key}.{end}; fetch it again")
        return content

    def json(self) -> Any:
        """What its `.json` says, an empty object where it has none. Raises MienError if that is not JSON."""
        if "json" not in self.files:
            return {}
        try:
            return json.loads(self.read("json"))
        except ValueError as error:
            raise MienError(f"its .json is not JSON ({error})") from error


def find_shards(where: str | Path) -> list[Path]:
    """The tars of a folder, those that a pattern names (`shards/*.tar`, `{00000..00041}.tar`), or a single one."""
    require_local(where)
    path = Path(where)
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if re.search(r"\.tar(\.\w+)?$", file.name))
    elif path.is_file():
        found = [path]
    else:
        found = sorted({Path(name) for pattern in _expand(str(where)) for name in glob.glob(pattern)})  # noqa: PTH207
    if not found:
        raise MienError(
            f"no shards at {where}: name a folder with .tar files, one such file, or a pattern (*.tar); "
            "released data need --format released"
        )
    return found


def samples_of(shard: Path) -> Iterator[TarSample | Skipped]:
    """The samples of a shard in order; last, what is wrong with it, if it ends where none should.

    As webdataset has it, a file's key is its path up to the first dot of its name, and the files of a sample follow
    each other.
    """
    sample, wrong = None, ""
    try:
        with tarfile.open(shard, "r:") as tar:
            for member in tar:
                if not member.isreg() or PurePosixPath(member.name).name.startswith((".", "__")):
                    continue
                folder, _, file = member.name.removeprefix("./").rpartition("/")
                stem, _, end = file.partition(".")
                key = f"{folder}/{stem}" if folder else stem
                if sample is None or sample.key != key:
                    if sample is not None:
                        yield sample
                    sample = TarSample(shard=shard, key=key)
                sample.files[end.lower()] = Span(offset=member.offset_data, size=member.size)
            if not _ends(shard, tar.offset):
                wrong = "it is cut off: fetch it again"
    except (tarfile.TarError, EOFError, ValueError) as error:
        wrong = f"it is no plain tar, or cut off ({error}): fetch it again, or uncompress it (gunzip, unzstd)"
    except OSError as error:
        wrong = f"it cannot be read ({error}): it must be a file that you may read"
    if sample is not None:
        yield sample
    if wrong:
        yield Skipped(what=shard.name, reason=wrong)


def _ends(shard: Path, offset: int) -> bool:
    """Whether a tar ends where its last file does, as they do, with a block of zeros; Python's reader does not mind."""
    with shard.open("rb") as tar:
        tar.seek(offset)
        return tar.read(tarfile.BLOCKSIZE) == bytes(tarfile.BLOCKSIZE)


def _expand(pattern: str) -> Iterator[str]:
    """`a{08..10}` is `a08`, `a09`, `a10`."""
    braces = BRACES.search(pattern)
    if braces is None:
        yield pattern
        return
    first, last = braces[1], braces[2]
    for number in range(int(first), int(last) + 1):
        yield from _expand(f"{pattern[: braces.start()]}{number:0{len(first)}d}{pattern[braces.end() :]}")
