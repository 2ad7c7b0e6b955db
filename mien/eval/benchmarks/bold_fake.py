"""A fake BoLD: six drawn clips with the release's folders, files, columns and quirks; the labels are arbitrary."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mien.theatre.drawn import write_drawn_video
from mien.theatre.render import Seen
from mien.types import CATEGORIES


@dataclass(frozen=True, kw_only=True, slots=True)
class FakeClip:
    """A drawn clip; its first frame is `first_frame` of the video that it would have been cut from."""

    split: str
    name: str
    seed: int
    fps: int
    first_frame: int


CLIPS = (
    FakeClip(split="train", name="003/Drawn-film_1.mp4/0000", seed=12, fps=25, first_frame=0),
    FakeClip(split="train", name="003/Drawn-film_1.mp4/0007", seed=13, fps=24, first_frame=1312),
    FakeClip(split="train", name="003/-drawnfilm2.mp4/0114", seed=47, fps=30, first_frame=20417),
    FakeClip(split="val", name="003/drawn_film3.mp4/0003", seed=31, fps=25, first_frame=421),
    FakeClip(split="val", name="003/drawn_film4.mp4/0001", seed=46, fps=30, first_frame=187),
    FakeClip(split="test", name="003/drawn_film5.mp4/0002", seed=42, fps=25, first_frame=300),
)
NUM_FRAMES = 101  # the shortest that BoLD has
WIDTH, HEIGHT = 96, 64
ABSENT = range(40, 50)  # frames in which the first person of a clip has no row
EVERY_UNDETECTED = 17  # each such row has no joint at all

COCO_18 = np.array([
    (0.50, 0.10), (0.50, 0.20), (0.25, 0.22), (0.10, 0.40), (0.00, 0.52), (0.75, 0.22), (0.90, 0.40), (1.00, 0.52),
    (0.36, 0.55), (0.34, 0.78), (0.33, 1.00), (0.64, 0.55), (0.66, 0.78), (0.67, 1.00), (0.46, 0.07), (0.54, 0.07),
    (0.42, 0.00), (0.58, 0.00),
])  # fmt: skip
"""Where joints are in a person's box (x, y from its corner): nose, neck, arms, legs, eyes, ears."""
WRISTS = (4, 7)


def write_fake_bold(root: Path) -> None:
    """Write the tree into `root`: annotations without headers, videos in folders called `….mp4`, joints as .npy."""
    rows: dict[str, list[Sequence[object]]] = {"train": [], "val": [], "test": []}
    for clip in CLIPS:
        frames = write_drawn_video(
            root / "videos" / f"{clip.name}.mp4",
            seed=clip.seed, num_frames=NUM_FRAMES, width=WIDTH, height=HEIGHT, fps=clip.fps,
        )  # fmt: skip
        joints = root / "joints" / f"{clip.name}.npy"
        joints.parent.mkdir(parents=True, exist_ok=True)
        np.save(joints, _joints(frames, first_frame=clip.first_frame))
        for nth, person in enumerate(sorted({seen.track for frame in frames for seen in frame})):
            there = [k for k, frame in enumerate(frames) if any(seen.track == person for seen in frame)]
            place = (f"{clip.name}.mp4", person, there[0] + 10 * nth, there[-1] - 20 * nth)
            rows[clip.split].append(place if clip.split == "test" else (*place, *_labels(clip.seed, person)))
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    for split, name in (("train", "train"), ("val", "val"), ("test", "test_meta")):
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows[split])
        (root / "annotations" / f"{name}.csv").write_text(text.getvalue(), encoding="utf-8")


def _joints(frames: Sequence[Sequence[Seen]], *, first_frame: int) -> Float[np.ndarray, "m 56"]:
    """A row a frame and person, persons by turns; wrists are not always detected, now and then no joint is."""
    first_person = min(seen.track for frame in frames for seen in frame)
    rows: list[list[float]] = []
    for k, frame in enumerate(frames):
        for seen in sorted(frame, key=lambda each: each.track):
            if seen.track == first_person and k in ABSENT:
                continue
            x0, y0, x1, y1 = seen.box
            points = np.array([x0, y0]) + COCO_18 * np.array([x1 - x0 - 1, y1 - y0 - 1])
            joints = np.concatenate([points, np.full((len(points), 1), 0.8)], axis=1).round(3)
            if k % 5 == 0:
                joints[list(WRISTS)] = 0
            if (len(rows) + 1) % EVERY_UNDETECTED == 0:
                joints[:] = 0
            rows.append([first_frame + k, seen.track, *joints.ravel()])
    return np.array(rows)


def _labels(seed: int, person: int) -> list[object]:
    """26 scores, valence, arousal and dominance from 1 to 10, gender, age, ethnicity, confidence."""
    rng = np.random.default_rng((seed, person))
    scores = (rng.integers(0, 11, len(CATEGORIES)) / 10).tolist()
    vad = rng.uniform(1, 10, 3).round(2).tolist()
    gender = ("Male", "Female")[person % 2]
    age = ("Adult", "Teenager", "Kid")[seed % 3]
    ethnicity = ("White", "Black", "Asian or Pacific Islander")[int(rng.integers(3))]
    return [*scores, *vad, gender, age, ethnicity, round(float(rng.uniform(0.3, 1)), 4)]
