"""A file by itself: prepared into a temporary store, so that it is read just as training data are."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mien.data.store import Store
from mien.prepare.run import prepare
from mien.prepare.settings import PrepareSettings
from mien.types import MienError


@contextmanager
def prepared_alone(path: Path, *, settings: PrepareSettings) -> Iterator[Store]:
    """The store of one video or picture, apart from its subtitles; its only video is called `path.stem`.

    It is deleted when the block ends. Raises MienError, by the path that was given, if the file cannot be read.
    """
    with tempfile.TemporaryDirectory() as folder:
        alone = Path(folder) / "video" / path.name
        alone.parent.mkdir()
        alone.symlink_to(path.resolve())
        prepared = prepare(alone, Path(folder) / "store", settings=settings)
        if prepared.failed:
            raise MienError(prepared.failed[0].reason.replace(str(alone), str(path)))
        yield Store(Path(folder) / "store")
