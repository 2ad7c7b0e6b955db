"""The frame store: the pictures of one video as JPEGs in one memory-mapped Arrow file.

Layout: docs/data.md. A file appears whole or not at all, carries what it was made with, and opens in microseconds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import simplejpeg
from jaxtyping import UInt8

from mien.types import MienError, VideoInfo
from mien.whole_file import whole_file

METADATA_KEY = b"mien"
FRAMES_PER_BATCH = 64  # all batches but the last have this many, so that frame i is in batch i // 64
MAPPED_BYTES = 128 << 20  # of a file are read before its mapping is let go: mapped pages count as memory
SCHEMA = pa.schema([pa.field("jpeg", pa.binary(), nullable=False), pa.field("time_s", pa.float64(), nullable=False)])


class FrameWriter:
    """Writes one frame store: `with FrameWriter(path, info=..., made_with=...) as writer: writer.add(rgb, time_s=...)`.

    `info.num_frames` is not looked at: the number of frames added counts. `made_with` is any JSON; a later run
    compares it to know whether the file is up to date. If the block raises, nothing is left at `path` or beside it.
    """

    def __init__(self, path: Path, *, info: VideoInfo, made_with: Mapping[str, Any], quality: int = 90) -> None:
        self.num_frames = 0
        self._quality = quality
        self._whole = whole_file(path)
        self._schema = SCHEMA.with_metadata({METADATA_KEY: json.dumps({**made_with, "info": asdict(info)})})
        self._jpegs: list[bytes] = []
        self._times_s: list[float] = []

    def __enter__(self) -> FrameWriter:
        self._file = pa.OSFile(str(self._whole.__enter__()), "wb")
        self._writer = pa.ipc.new_file(self._file, self._schema)
        return self

    def add(self, rgb: UInt8[np.ndarray, "h w 3"], *, time_s: float) -> None:
        jpeg = simplejpeg.encode_jpeg(rgb, quality=self._quality, colorsubsampling="420")
        self.add_jpeg(jpeg, time_s=time_s)

    def add_jpeg(self, jpeg: bytes, *, time_s: float) -> None:
        """A picture that is a JPEG of `info.width` x `info.height` pixels already; its bytes are kept as they are."""
        self._jpegs.append(jpeg)
        self._times_s.append(time_s)
        self.num_frames += 1
        if len(self._jpegs) == FRAMES_PER_BATCH:
            self._flush()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._flush()
                self._writer.close()
        except BaseException as failure:
            self._file.close()
            self._whole.__exit__(type(failure), failure, failure.__traceback__)
            raise
        self._file.close()
        self._whole.__exit__(kind, error, trace)

    def _flush(self) -> None:
        if self._jpegs:
            columns = [pa.array(self._jpegs, pa.binary()), pa.array(self._times_s, pa.float64())]
            self._writer.write_batch(pa.record_batch(columns, schema=self._schema))
            self._jpegs, self._times_s = [], []


class FrameReader:
    """The pictures of one video, by number. Opened at first use, in each process anew; pickles as its path."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._num_bytes_read = 0

    @cached_property
    def info(self) -> VideoInfo:
        return replace(VideoInfo(**self.made_with["info"]), num_frames=len(self))

    @cached_property
    def made_with(self) -> dict[str, Any]:
        """The JSON the writer was given, and the VideoInfo under `info`."""
        return metadata_of(self._file.schema, path=self.path)

    @cached_property
    def times_s(self) -> list[float]:
        """When each picture appeared in the source; at most i/fps."""
        return [time_s for b in range(self._num_batches) for time_s in self._batch(b).column(1).to_pylist()]

    def __len__(self) -> int:
        return self._num_frames

    def jpeg(self, i: int) -> memoryview:
        """Frame i as it lies in the file, not copied."""
        if not 0 <= i < self._num_frames:
            raise MienError(
                f"{self.path} has no frame {i}: it has {self._num_frames} (0 to {self._num_frames - 1}); the index is "
                "of another state of this store, so run `mien prepare` again"
            )
        jpeg = memoryview(self._batch(i // FRAMES_PER_BATCH).column(0)[i % FRAMES_PER_BATCH].as_buffer()).cast("B")
        self._num_bytes_read += len(jpeg)
        if self._num_bytes_read > MAPPED_BYTES:
            self._num_bytes_read = 0
            self.__dict__.pop("_file", None)  # opened again when needed; pictures in use keep theirs
        return jpeg

    def decode(self, i: int, *, min_short_side: int | None = None) -> UInt8[np.ndarray, "h w 3"]:
        """Frame i as RGB; with `min_short_side`, shrunk by 2, 4 or 8 while decoding if it stays at least that large.

        Shrunk sides are rounded up, as libjpeg does. (Other fractions decode slower than the whole picture.)
        """
        least = 0 if min_short_side is None else min_short_side
        short_side = min(self.info.height, self.info.width)
        factor = next((f for f in (8, 4, 2) if least and -(-short_side // f) >= least), 1)
        try:
            return simplejpeg.decode_jpeg(
                self.jpeg(i),
                "RGB",
                min_height=-(-self.info.height // factor) if factor > 1 else 0,
                min_width=-(-self.info.width // factor) if factor > 1 else 0,
                min_factor=factor,
            )
        except ValueError as error:
            raise MienError(
                f"{self.path}: frame {i} is damaged ({error}); delete the file and run `mien prepare` again"
            ) from error

    def __reduce__(self) -> tuple[type[FrameReader], tuple[Path]]:
        return FrameReader, (self.path,)

    @cached_property
    def _file(self) -> pa.ipc.RecordBatchFileReader:
        return open_arrow(self.path)

    @cached_property
    def _num_batches(self) -> int:
        return int(self._file.num_record_batches)

    @cached_property
    def _num_frames(self) -> int:
        last = self._num_batches - 1
        return last * FRAMES_PER_BATCH + len(self._file.get_batch(last)) if last >= 0 else 0

    def _batch(self, b: int) -> pa.RecordBatch:
        return self._file.get_batch(b)


def open_arrow(path: Path) -> pa.ipc.RecordBatchFileReader:
    """The Arrow file at `path`, memory-mapped."""
    try:
        return pa.ipc.open_file(pa.memory_map(str(path)))
    except FileNotFoundError as error:
        raise MienError(f"no {path}; run `mien prepare` to make it") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise MienError(f"{path} is damaged ({error}); delete it and run `mien prepare` again") from error


def metadata_of(schema: pa.Schema, *, path: Path) -> dict[str, Any]:
    """What an output file says of itself."""
    if METADATA_KEY not in (schema.metadata or {}):
        raise MienError(f"{path} was not written by mien; delete it and run `mien prepare` again")
    return dict(json.loads(schema.metadata[METADATA_KEY]))
