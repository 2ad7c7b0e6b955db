"""How large pictures must be for CenterFace to find small faces, and what that costs; as JSON.

    python bench/face_sizes.py PICTURE_OR_VIDEO... [--long-sides 320 456 512 640 768]

The faces found in pictures as stored (short side 256) at a long side of 640 are the truth; then the pictures are shrunk
to a half, a third, ... upon grey of the same size, and it is counted how many of these faces are found again (IoU at
least 0.4). `landmarks` is their mean distance from where they should be, as a share of the face's width.
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from mien.media.video import read_frames
from mien.perception.centerface import CenterFace
from mien.perception.tracking import iou
from mien.types import Detections

SHRINK = (1, 2, 3, 4, 6, 8)
SAME_FACE = 0.4
EVERY, MOST = 40, 4  # every 40th picture of a video, four at most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--long-sides", type=int, nargs="+", default=[320, 456, 512, 640, 768])
    args = parser.parse_args()
    pictures = [picture for path in args.files for picture in some_pictures(path)]
    truth = [faces(CenterFace(threads=1, long_side=640), picture) for picture in pictures]
    report = {side: measure(CenterFace(threads=1, long_side=side), pictures, truth) for side in args.long_sides}
    print(json.dumps({"faces": sum(len(t.score) for t in truth), "by long side": report}, indent=1))


def some_pictures(path: Path) -> list[np.ndarray]:
    pictures = (frame.rgb for frame in read_frames(path, fps=8, short_side=256))
    return list(islice(pictures, 0, EVERY * MOST, EVERY))


def faces(detector: CenterFace, picture: np.ndarray) -> Detections:
    """Those above the threshold."""
    (found,) = detector.detect(picture[None])
    keep = found.score >= detector.threshold
    assert found.landmarks is not None
    return Detections(xyxy=found.xyxy[keep], score=found.score[keep], landmarks=found.landmarks[keep])


def measure(detector: CenterFace, pictures: list[np.ndarray], truth: list[Detections]) -> dict[str, float | str]:
    row: dict[str, float | str] = {}
    faces(detector, pictures[0])  # reads the weights
    started = time.process_time()
    for factor in SHRINK:
        found, errors = 0, list[float]()
        for picture, faces_there in zip(pictures, truth, strict=True):
            shrunk, left, top = shrink(picture, factor)
            again = faces(detector, shrunk)
            wanted = (faces_there.xyxy / factor + [left, top, left, top]).astype(np.float32)
            for i, overlap in enumerate(iou(wanted, again.xyxy) if len(again.score) else []):
                if overlap.max() >= SAME_FACE:
                    found += 1
                    marks = faces_there.landmarks[i] / factor + [left, top]  # type: ignore[index]
                    away = np.abs(again.landmarks[overlap.argmax()] - marks).mean()  # type: ignore[index]
                    errors.append(float(away / (wanted[i, 2] - wanted[i, 0])))
        row[f"found at 1/{factor}"] = found
        row[f"landmarks at 1/{factor}"] = round(float(np.mean(errors)), 3) if errors else "none"
    row["cpu ms a picture"] = round(1000 * (time.process_time() - started) / len(pictures) / len(SHRINK), 1)
    return row


def shrink(picture: np.ndarray, factor: int) -> tuple[np.ndarray, int, int]:
    """The picture a `factor` smaller in the middle of grey, and where its corner is."""
    height, width = (side // factor for side in picture.shape[:2])
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    grey = np.full_like(picture, 110)
    grey[top : top + height, left : left + width] = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return grey, left, top


if __name__ == "__main__":
    main()
