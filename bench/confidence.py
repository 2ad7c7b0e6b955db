"""How sure must an answer be? Risk and coverage of the face model's answers on FER+'s validation split, by threshold.

    python bench/confidence.py FERPLUS                # minutes on one core; JSON

Coverage is the share of faces that are answered, those whose likeliest emotion is at least so probable; risk the share
of wrong ones among the answered. The default of `mien analyze --min-confidence` is chosen by it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import torch
from einops import rearrange

from mien.captions.naming import FACE_TEMPLATES
from mien.eval.benchmarks.ferplus import CLASSES, read_ferplus
from mien.inference import Mien

THRESHOLDS = (0.0, 0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8, 0.9)
BATCH = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, help="FER+ in its official layout")
    parser.add_argument("--split", default="val", help="val to choose by; test to report")
    args = parser.parse_args()
    probabilities, emotion = scored(args.root, args.split)
    confidence, told = probabilities.max(axis=1), probabilities.argmax(axis=1)
    is_right = told == emotion
    rows = [row_of(threshold, confidence, is_right, emotion) for threshold in THRESHOLDS]
    order = np.argsort(-confidence, kind="stable")
    risks = np.cumsum(~is_right[order]) / np.arange(1, len(order) + 1)
    found = {"split": args.split, "num_faces": len(emotion), "mean_risk_over_coverages": round(float(risks.mean()), 4)}
    print(json.dumps({**found, "by_threshold": rows}, indent=1))


def scored(root: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """The probabilities of each face of a split that has a majority, and that majority's emotion."""
    model, release = Mien.from_pretrained("face", device="cpu"), read_ferplus(root, split)
    prompts, parts = model.encode_prompts(CLASSES, templates=FACE_TEMPLATES), []
    for start in range(0, len(release.samples), BATCH):
        samples = release.samples[start : start + BATCH]
        contents = [
            release.packed[s.file]() if s.file in release.packed else (root / s.file).read_bytes() for s in samples
        ]
        grey = np.stack([cv2.imdecode(np.frombuffer(c, np.uint8), cv2.IMREAD_GRAYSCALE) for c in contents])
        rgb = rearrange(torch.from_numpy(grey), "n h w -> n 1 h w").expand(-1, 3, -1, -1)
        parts.append(model.prompt_scores(model.encode_frames(rgb), prompts).numpy())
    return np.concatenate(parts), np.array([sample.labels.category for sample in release.samples])


def row_of(
    threshold: float, confidence: np.ndarray, is_right: np.ndarray, emotion: np.ndarray
) -> dict[str, float | dict[str, float]]:
    """What a threshold costs and gives; `just_above` is the accuracy of the answers within 0.1 above it."""
    answered = confidence >= threshold
    near = answered & (confidence < threshold + 0.1)
    return {
        "threshold": threshold,
        "coverage": round(float(answered.mean()), 4),
        "risk": round(float((~is_right[answered]).mean()), 4),
        "just_above": round(float(is_right[near].mean()), 4) if near.any() else float("nan"),
        "coverage_of": {name: round(float(answered[emotion == i].mean()), 3) for i, name in enumerate(CLASSES)},
    }


if __name__ == "__main__":
    main()
