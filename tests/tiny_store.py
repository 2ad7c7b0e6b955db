"""A store of a few small clips, written directly: a person-coloured rectangle walks through each."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from mien.data.store import BOXES_FILE, FORMAT, FRAMES_FILE, INDEX_FILE, SETTINGS_FILE, Store
from mien.data.tables import write_boxes, write_index
from mien.media.frames import FrameWriter
from mien.types import BoxTable, Clip, VideoInfo

WORDS = ("I am so happy today.", "Leave me alone!", "What was that noise?", "I miss her.", "That smells bad.")
WIDTH, HEIGHT, FRAMES = 80, 64, 20


def write_store(path: Path, *, num_videos: int = 3, clips_per_video: int = 4, subject: str = "all") -> Store:
    """Videos `train/0`, `train/1`, …, the last one `test/0`; two persons in each, the first of whom speaks."""
    clips: list[Clip] = []
    for v in range(num_videos):
        name = f"train/{v}" if v < num_videos - 1 else "test/0"
        folder = path / "videos" / name
        folder.mkdir(parents=True)
        _write_video(folder, seed=v)
        clips += [_clip(name, video=v, number=c) for c in range(clips_per_video)]
    write_index(path / INDEX_FILE, clips, made_with={})
    settings = {"format": FORMAT, "settings": {"subject": subject, "boxes": {"source": "sidecar"}}}
    (path / SETTINGS_FILE).write_text(json.dumps(settings), encoding="utf-8")
    return Store(path)


def _clip(name: str, *, video: int, number: int) -> Clip:
    return Clip(
        id=f"{name}#{number}",
        video=name,
        start_frame=number,
        end_frame=number + 12,
        start_s=number / 8,
        end_s=(number + 12) / 8,
        text=WORDS[(video + number) % len(WORDS)],
        sentiment_logits=tuple(float(x) for x in np.random.default_rng((video, number)).normal(size=7)),
        person_share=1.0,
    )


def _write_video(folder: Path, *, seed: int) -> None:
    rng = np.random.default_rng(seed)
    info = VideoInfo(
        source=f"{folder.name}.mp4",
        source_width=2 * WIDTH,
        source_height=2 * HEIGHT,
        source_duration_s=FRAMES / 8,
        width=WIDTH,
        height=HEIGHT,
        fps=8.0,
        num_frames=FRAMES,
    )
    background = rng.integers(0, 120, size=3).astype(np.uint8)
    with FrameWriter(folder / FRAMES_FILE, info=info, made_with={}) as writer:
        for i in range(FRAMES):
            picture = np.empty((HEIGHT, WIDTH, 3), np.uint8)
            picture[:] = background
            picture[20:60, 10 + i : 30 + i] = 230  # the speaker
            picture[10:60, 60:75] = 150  # the other
            writer.add(picture, time_s=i / 8)
    xyxy = [[[20 + 2 * i, 40, 60 + 2 * i, 120], [120, 20, 150, 120]] for i in range(FRAMES)]
    write_boxes(
        folder / BOXES_FILE,
        BoxTable(
            frame=np.repeat(np.arange(FRAMES, dtype=np.int32), 2),
            xyxy=np.array(xyxy, dtype=np.float32).reshape(-1, 4),
            score=np.tile(np.array([0.9, 0.6], np.float32), FRAMES),
            track=np.tile(np.array([1, 2], np.int32), FRAMES),
            speaking=np.tile(np.array([True, False]), FRAMES),
        ),
        made_with={},
    )
