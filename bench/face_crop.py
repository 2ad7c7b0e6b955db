"""What CenterFace's box takes of a picture of FER2013, from which mien/perception/face_crop.py has its margin; as JSON.

    python bench/face_crop.py FERPLUS     # the folder with FER2013Train.zip: half a minute

A random 400 pictures of the training part are enlarged three times and set in grey, so that boxes may leave them.
Numbers are medians and the 10th and 90th percentiles, in sides of the picture.
"""

from __future__ import annotations

import argparse
import json
import zipfile
from pathlib import Path

import cv2
import numpy as np

from mien.perception.centerface import CenterFace

SIDE, BORDER, PICTURES = 144, 56, 400


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    args = parser.parse_args()
    detector = CenterFace(threads=1, long_side=SIDE + 2 * BORDER)
    boxes = []
    with zipfile.ZipFile(args.root / "FER2013Train.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".png"))
        for i in np.random.default_rng(0).choice(len(names), PICTURES, replace=False):
            grey = cv2.imdecode(np.frombuffer(archive.read(names[i]), np.uint8), cv2.IMREAD_GRAYSCALE)
            large = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
            framed = cv2.copyMakeBorder(large, *[BORDER] * 4, cv2.BORDER_CONSTANT, value=128)
            found = detector.detect(cv2.cvtColor(framed, cv2.COLOR_GRAY2RGB)[None])[0]
            if len(found.score) and found.score[0] >= detector.threshold:
                boxes.append((found.xyxy[0] - BORDER) / SIDE)
    xyxy = np.stack(boxes)
    sides, middle = xyxy[:, 2:] - xyxy[:, :2], (xyxy[:, 2:] + xyxy[:, :2]) / 2
    told = {"longer side": sides.max(axis=1), "middle across": middle[:, 0], "middle down": middle[:, 1]}
    print(json.dumps({"pictures": PICTURES, "with a face": len(boxes)}))
    for name, values in told.items():
        low, median, high = np.percentile(values, [10, 50, 90]).round(3)
        print(json.dumps({"what": name, "median": median, "10 to 90 %": [low, high]}))


if __name__ == "__main__":
    main()
