"""Where inputs and outputs lie: a folder on this machine, or one behind an fsspec URL (`s3://`, `gs://`, `memory://`)."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from mien.types import MienError
from mien.whole_file import whole_file

WHOLE_ON_ARRIVAL = frozenset({"abfs", "az", "gcs", "gs", "memory", "s3", "s3a"})
"""Object stores: what is sent appears whole or not at all. Elsewhere it is sent under another name and renamed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlacedFile:
    """A file by its path in its place, with `/` between folders, and its size."""

    name: str
    num_bytes: int


@dataclass(frozen=True, slots=True)
class Place:
    """A folder. Its connection is opened at first use, in each process anew; it pickles as its URL."""

    url: str
    """An absolute path, or an fsspec URL."""

    @classmethod
    def of(cls, where: str | Path) -> Place:
        """`~` and relative paths are made absolute; `file://` URLs become paths."""
        text = str(where)
        if text.startswith(("file://", "local://")):
            text = text.split("://", 1)[1]
        return cls(text.rstrip("/") if "://" in text else str(Path(text).expanduser().absolute()))

    @property
    def is_local(self) -> bool:
        return "://" not in self.url

    @property
    def path(self) -> Path:
        assert self.is_local, self.url
        return Path(self.url)

    def __str__(self) -> str:
        return self.url

    def folder(self, name: str) -> Place:
        """The folder `name` within this one."""
        return Place(str(self.path / name) if self.is_local else f"{self.url}/{name}")

    def is_file(self) -> bool:
        return self.path.is_file() if self.is_local else bool(self._fs.isfile(self._root))

    def parent(self) -> tuple[Place, str]:
        """The folder this lies in, and its name there."""
        if self.is_local:
            return Place(str(self.path.parent)), self.path.name
        folder, _, name = self.url.rpartition("/")
        return Place(folder), name

    def files(self) -> Iterator[PlacedFile]:
        """Every file below, at any depth, in no order; nothing in hidden folders, no hidden files."""
        if self.is_local:
            yield from _files_under(self.path)
            return
        root = self._root.rstrip("/")
        for path, about in self._fs.find(self._root, detail=True).items():
            name = path[len(root) :].lstrip("/")
            if not any(part.startswith(".") for part in PurePosixPath(name).parts):
                yield PlacedFile(name=name, num_bytes=int(about["size"] or 0))

    def files_beside(self, name: str) -> Iterator[PlacedFile]:
        """The files of this folder, not of those in it, whose names begin as the stem of `name` does."""
        stem = PurePosixPath(name).stem
        if self.is_local:
            found = [(path.name, path) for path in self.path.iterdir() if path.name.startswith(stem) and path.is_file()]
            yield from (PlacedFile(name=own, num_bytes=path.stat().st_size) for own, path in found)
            return
        for about in self._fs.ls(self._root, detail=True):
            own = PurePosixPath(about["name"]).name
            if about["type"] == "file" and own.startswith(stem):
                yield PlacedFile(name=own, num_bytes=int(about["size"] or 0))

    def read(self, name: str) -> bytes | None:
        """The content of the file `name`, None where there is none."""
        try:
            return (self.path / name).read_bytes() if self.is_local else bytes(self._fs.cat_file(self._at(name)))
        except FileNotFoundError:
            return None

    def fetch(self, name: str, to: Path) -> bool:
        """Copy the file `name` here, to `to`; False where there is none."""
        to.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._fs.get_file(self._at(name), str(to))
        except FileNotFoundError:
            to.unlink(missing_ok=True)
            return False
        return True

    def send(self, file: Path, name: str) -> None:
        """Put a file of this machine to `name`, whole or not at all."""
        if self.is_local:
            with whole_file(self.path / name) as part:
                shutil.copyfile(file, part)
            return
        target = self._at(name)
        arrival = target if self.url.split("://")[0] in WHOLE_ON_ARRIVAL else f"{target}.{os.getpid()}.part"
        self._fs.makedirs(target.rpartition("/")[0], exist_ok=True)
        self._fs.put_file(str(file), arrival)
        if arrival != target:
            self._fs.mv(arrival, target)

    def remove_files(self, names: Iterable[str]) -> None:
        """Delete these files, if they are there, and this folder, if it is empty then."""
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                (self.path / name).unlink() if self.is_local else self._fs.rm_file(self._at(name))
        if self.is_local:
            with contextlib.suppress(OSError):  # not empty, or not there
                self.path.rmdir()

    def exists(self) -> bool:
        return bool(self._fs.exists(self._root))

    def is_empty(self) -> bool:
        """Whether there is nothing here, the folder itself included."""
        return not self.exists() or (not self.is_file() and not self._fs.ls(self._root, detail=False))

    def _at(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    @property
    def _fs(self) -> Any:
        return _connect(self.url)[0]

    @property
    def _root(self) -> str:
        return str(_connect(self.url)[1])


def _connect(url: str) -> tuple[Any, str]:
    """fsspec's filesystem and the path in it; fsspec itself keeps one filesystem a process."""
    import fsspec.core

    try:
        return fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise MienError(
            f"{url} cannot be reached: {error}; install the fsspec package of that protocol (s3fs, gcsfs, …)"
        ) from error


def _files_under(root: Path) -> Iterator[PlacedFile]:
    def fail(error: OSError) -> None:
        raise MienError(f"{error.filename} cannot be read ({error.strerror}); check its permissions") from error

    for folder, folders, names in os.walk(root, onerror=fail):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            if name.startswith("."):
                continue
            path = Path(folder, name)
            if path.is_file():
                yield PlacedFile(name=path.relative_to(root).as_posix(), num_bytes=path.stat().st_size)
