"""What the face model rests on, over many faces: log-odds lost with a region hidden, by emotion; as JSON.

    python bench/explain.py FERPLUS                # 400 test faces: three minutes of one core

`lost` is the mean fall of the log-odds of the likeliest word, the mean of both fills, with its standard error over
faces. `cells` is the check that the heat map means what it says: the fall when the eight squares it ranks highest are
hidden together, beside that of eight squares drawn at random. Faces are those of whom the judges' majority is what the
model says, and in which the detector finds landmarks; those in which it does not are counted.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from einops import rearrange

from mien import Mien
from mien.captions.lexicon import FACE_EMOTIONS
from mien.captions.naming import FACE_TEMPLATES
from mien.eval.benchmarks.ferplus import majority
from mien.explain.explanation import log_odds
from mien.explain.occlusion import as_clips, heat_map, hide, mask_parts, squares
from mien.explain.regions import face_regions
from mien.perception.centerface import CenterFace

ENLARGED, BORDER = 144, 56  # as in bench/face_crop.py: upon grey, so that boxes may leave the picture
CELLS, HIDDEN_CELLS = 8, 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("--faces", type=int, default=400)
    args = parser.parse_args()
    torch.set_num_threads(1)
    model, rng = Mien.from_pretrained("face", device="cpu"), np.random.default_rng(0)
    detector = CenterFace(threads=1, long_side=ENLARGED + 2 * BORDER)
    lost = defaultdict[tuple[str, str], list[float]](list)
    cells = defaultdict[str, list[float]](list)
    without_landmarks = 0
    for picture, emotion in right_faces(args.root, model, count=args.faces, rng=rng):
        landmarks = landmarks_of(picture, detector)
        if landmarks is None:
            without_landmarks += 1
            continue
        parts = {name: mask[None] for name, mask in face_regions(landmarks, size=48).items() if mask.any()}
        before = log_odds(named(model, picture[None])[0], emotion)
        masked = mask_parts(picture[None], parts, score=scorer(model), words=FACE_EMOTIONS)
        for part in parts:
            after = np.mean([log_odds(each.scores, emotion) for each in masked if each.part == part])
            lost[emotion, part].append(before - float(after))
        drop = heat_map(picture[None], score=scorer(model), words=FACE_EMOTIONS, cells=CELLS).drop.reshape(-1)
        masks = squares(48, cells=CELLS)
        chosen = {"highest": np.argsort(-drop)[:HIDDEN_CELLS], "random": rng.permutation(CELLS**2)[:HIDDEN_CELLS]}
        for which, numbers in chosen.items():
            hidden = hide(picture[None], masks[numbers].any(axis=0)[None], fill="mean")
            cells[which].append(before - log_odds(named(model, hidden)[0], emotion))
    print(json.dumps({"without landmarks": without_landmarks, "cells": {k: told(v) for k, v in cells.items()}}))
    for emotion in FACE_EMOTIONS:
        of_it = {part: told(values) for (own, part), values in lost.items() if own == emotion}
        count = len(lost[emotion, "mouth"])
        print(json.dumps({"emotion": emotion, "faces": count, "lost": of_it}), flush=True)


def right_faces(root: Path, model: Mien, *, count: int, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, str]]:
    """Up to `count` test faces, drawn at random, and their emotion, where judges' majority and model agree."""
    with zipfile.ZipFile(root / "FER2013Test.zip") as archive:
        rows = list(csv.reader(io.StringIO(archive.read("FER2013Test/label.csv").decode("utf-8-sig"))))
        found = 0
        for number in rng.permutation(len(rows)):
            emotion = majority([int(vote) for vote in rows[number][2:12]])
            if emotion is None:
                continue
            grey = cv2.imdecode(np.frombuffer(archive.read(f"FER2013Test/{rows[number][0]}"), np.uint8), 0)
            picture = cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)
            scores = named(model, picture[None])[0]
            if max(scores, key=lambda word: scores[word]) == emotion:
                yield picture, emotion
                found += 1
            if found == count:
                return


def landmarks_of(picture: np.ndarray, detector: CenterFace) -> np.ndarray | None:
    """In pixels of the picture; None where no face is found."""
    large = cv2.resize(picture, (ENLARGED, ENLARGED), interpolation=cv2.INTER_CUBIC)
    framed = cv2.copyMakeBorder(large, *[BORDER] * 4, cv2.BORDER_CONSTANT, value=(128, 128, 128))
    (found,) = detector.detect(framed[None])
    if not len(found.score) or found.score[0] < detector.threshold or found.landmarks is None:
        return None
    return (found.landmarks[0] - BORDER) * (len(picture) / ENLARGED)


def scorer(model: Mien):
    def score(clips: torch.Tensor) -> torch.Tensor:
        x = model.encode_frames(rearrange(clips, "n 1 c h w -> n c h w"))
        return model.label_scores(x, FACE_EMOTIONS, templates=FACE_TEMPLATES)

    return score


def named(model: Mien, pictures: np.ndarray) -> list[dict[str, float]]:
    rows = scorer(model)(as_clips(pictures[:, None])).tolist()
    return [dict(zip(FACE_EMOTIONS, row, strict=True)) for row in rows]


def told(values: list[float]) -> list[float]:
    """The mean and its standard error."""
    return [round(float(np.mean(values)), 2), round(float(np.std(values) / len(values) ** 0.5), 2)]


if __name__ == "__main__":
    main()
