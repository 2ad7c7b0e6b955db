"""A benchmark of tiny pictures whose class no single half tells: the halves are alike, or one is bright, one dark."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from mien.data.store import BOXES_FILE, FORMAT, FRAMES_FILE, SETTINGS_FILE, Store
from mien.data.tables import write_boxes
from mien.eval.benchmarks.base import Benchmark
from mien.eval.benchmarks.release import Release, Sample
from mien.eval.protocol import ClassNames
from mien.media.frames import FrameWriter
from mien.types import BoxTable, Labels, VideoInfo

SIDE = 16
CONTRAST, NOISE = 60, 160  # shades of 255
SIZES = {"train": 96, "val": 48, "test": 48}


def read_xor(root: Path, split: str) -> Release:
    """Every 4 samples have the four pictures; `scores` and `vad` tell the same as the category."""
    samples = []
    for number in range(SIZES[split]):
        odd = number % 4 in (1, 2)
        labels = Labels(category=int(odd), scores=(float(odd), float(not odd)), vad=(3.0 + 2 * odd, 5.0))
        samples.append(Sample(id=f"{split}/{number:03d}", file=f"{split}/{number:03d}.png", labels=labels))
    return Release(samples=tuple(samples))


XOR = Benchmark(
    name="xor",
    title="XOR",
    classes=ClassNames(category=("alike", "odd"), scores=("odd", "alike"), vad=("valence", "arousal")),
    splits=tuple(SIZES),
    read=read_xor,
    licence="none",
    how_to_get="it is made",
    is_generated=True,
    protocols="faces",
)


def write_xor_store(path: Path) -> Store:
    """The store of its pictures, each a video of one frame without persons."""
    rng = np.random.default_rng(0)
    for split, size in SIZES.items():
        for number in range(size):
            _write_picture(path / "videos" / split / f"{number:03d}", number=number, rng=rng)
    settings = {"format": FORMAT, "settings": {"subject": "all", "boxes": {"source": "none"}}}
    (path / SETTINGS_FILE).write_text(json.dumps(settings), encoding="utf-8")
    return Store(path)


def _write_picture(folder: Path, *, number: int, rng: np.random.Generator) -> None:
    folder.mkdir(parents=True)
    picture = rng.integers(0, NOISE, size=(SIDE, SIDE, 3)).astype(np.uint8)
    picture[:, : SIDE // 2] += np.uint8(CONTRAST * (number % 4 in (1, 3)))
    picture[:, SIDE // 2 :] += np.uint8(CONTRAST * (number % 4 in (2, 3)))
    info = VideoInfo(
        source=f"{folder.name}.png", source_width=SIDE, source_height=SIDE, source_duration_s=1.0, width=SIDE,
        height=SIDE, fps=1.0, num_frames=1,
    )  # fmt: skip
    with FrameWriter(folder / FRAMES_FILE, info=info, made_with={}) as writer:
        writer.add(picture, time_s=0.0)
    nobody = BoxTable(
        frame=np.empty(0, np.int32), xyxy=np.empty((0, 4), np.float32), score=np.empty(0, np.float32),
        track=np.empty(0, np.int32), speaking=np.empty(0, bool),
    )  # fmt: skip
    write_boxes(folder / BOXES_FILE, nobody, made_with={})
