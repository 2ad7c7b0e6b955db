"""Ships the face model: a trained model folder as mien/assets/face, with the card whose every number is measured here.

    python scripts/face_model.py --root FERPLUS --model runs/face/train/model   # ship it: minutes on two cores
    python scripts/face_model.py --root FERPLUS --measure                       # the card's numbers anew

The first chooses on the validation split (the temperature of the probabilities) and writes weights as 16-bit floats;
both then measure what is in mien/assets/face on the test split, by prompts alone, and write metrics.json and README.md
there. FERPLUS is FER+ in its official layout.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, Int, UInt8
from scipy.optimize import minimize_scalar

from mien.captions.naming import FACE_TEMPLATES
from mien.eval.benchmarks.ferplus import CLASSES, read_ferplus
from mien.eval.calibration import NUM_BINS, calibration_error, reliability
from mien.eval.intervals import intervals_of_classes
from mien.eval.scores import accuracy, confusion_matrix, f1_scores, recalls
from mien.inference import Mien
from mien.types import ASSETS

FACE = ASSETS / "face"
CARD = Path(__file__).with_name("face_card.md")
BATCH = 256
SPEED_BATCHES = 5

Picture = UInt8[np.ndarray, "h w"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Faces:
    """A split's pictures in grey, and the emotion that the majority of their judges named."""

    pictures: UInt8[np.ndarray, "n h w"]
    emotion: Int[np.ndarray, "n"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="FER+ in its official layout")
    parser.add_argument("--model", type=Path, help="the trained model to ship")
    parser.add_argument("--measure", action="store_true", help="measure what is shipped instead")
    args = parser.parse_args()
    if (args.model is None) != args.measure:
        parser.error("give --model to ship one, or --measure")
    if args.model is not None:
        ship(args.model, read_faces(args.root, "val"))
    metrics = measure(Mien.from_pretrained(FACE, device="cpu"), read_faces(args.root, "test"))
    (FACE / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    (FACE / "README.md").write_text(write_card(metrics), encoding="utf-8")
    print(json.dumps({key: value for key, value in metrics.items() if key != "reliability"}, indent=1))


def read_faces(root: Path, split: str) -> Faces:
    """The pictures of a split that have a majority."""
    release, pictures = read_ferplus(root, split), list[Picture]()
    for sample in release.samples:
        content = release.packed[sample.file]() if sample.file in release.packed else (root / sample.file).read_bytes()
        pictures.append(np.asarray(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)))
    return Faces(pictures=np.stack(pictures), emotion=np.array([sample.labels.category for sample in release.samples]))


def ship(folder: Path, val: Faces) -> None:
    """Writes the model to FACE, its temperature such that the probabilities of `val` are likeliest."""
    model = Mien.from_pretrained(folder, device="cpu")
    trained = float(model.network.logit_scale.detach().exp())
    cosines = torch.from_numpy(np.log(probabilities(model, val.pictures, scale=1.0).astype(np.float64)))

    def unlikeliness(scale: float) -> float:
        return float(F.cross_entropy(scale * cosines, torch.from_numpy(val.emotion)))

    factor = float(minimize_scalar(unlikeliness, bounds=(0.2 * trained, 5.0 * trained), method="bounded").x) / trained
    with torch.no_grad():
        model.network.logit_scale.add_(math.log(factor))
    print(json.dumps({"logit_scale": float(model.network.logit_scale.detach().exp()), "of that trained": factor}))
    (FACE / "metrics.json").unlink(missing_ok=True)  # no file of a model folder, and only such are replaced
    model.save_pretrained(FACE, half=True)


def probabilities(
    model: Mien, pictures: UInt8[np.ndarray, "n h w"], *, scale: float | None = None
) -> Float[np.ndarray, "n c"]:
    """Of FER+'s emotions, by prompts alone; the softmax of their cosines times `scale`, the model's by default."""
    grey = torch.from_numpy(pictures)
    if scale is not None:
        own = model.network.logit_scale.detach().clone()
        try:
            with torch.no_grad():
                model.network.logit_scale.fill_(math.log(scale))
            return probabilities(model, pictures)
        finally:
            with torch.no_grad():
                model.network.logit_scale.copy_(own)
    parts = []
    for start in range(0, len(grey), BATCH):
        rgb = rearrange(grey[start : start + BATCH], "n h w -> n 1 h w").expand(-1, 3, -1, -1)
        parts.append(model.label_scores(model.encode_frames(rgb), CLASSES, templates=FACE_TEMPLATES))
    return torch.cat(parts).numpy()


# ── what the card tells ──────────────────────────────────────────────────────────────────────────


def measure(model: Mien, test: Faces) -> dict[str, Any]:
    """Everything the card tells of the model; shares are of 1."""
    found = probabilities(model, test.pictures)
    told, count = found.argmax(axis=1), len(CLASSES)
    interval = intervals_of_classes(test.emotion, found.astype(np.float64))
    recall, f1 = recalls(test.emotion, told, num_classes=count), f1_scores(test.emotion, told, num_classes=count)
    is_right = told == test.emotion
    return {
        "num_faces": len(told),
        **_both(test, told),
        "accuracy_interval": [round(interval["accuracy"].low, 4), round(interval["accuracy"].high, 4)],
        "uar_interval": [round(interval["uar"].low, 4), round(interval["uar"].high, 4)],
        "recall": {emotion: round(recall.per_class[i], 4) for i, emotion in enumerate(CLASSES)},
        "f1": {emotion: round(f1.per_class[i], 4) for i, emotion in enumerate(CLASSES)},
        "confusion": confusion_matrix(test.emotion, told, num_classes=count).tolist(),
        "ece": calibration_error(found.max(axis=1), is_right),
        "reliability": reliability(found.max(axis=1), is_right),
        "robustness": {
            name: _both(
                test, probabilities(model, np.stack([change(p, i) for i, p in enumerate(test.pictures)])).argmax(1)
            )
            for name, change in DISTURBED.items()
        },
        "milliseconds_a_face": speed(model, test),
        "num_parameters": sum(p.numel() for p in model.network.parameters()),
    }


def _both(test: Faces, told: Int[np.ndarray, "n"]) -> dict[str, float]:
    return {
        "accuracy": round(accuracy(test.emotion, told), 4),
        "uar": round(recalls(test.emotion, told, num_classes=len(CLASSES)).value, 4),
    }


def speed(model: Mien, test: Faces) -> float:
    """Milliseconds a face on one core, in batches of 32: the fastest of some, as neighbours only ever slow it down."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    batch = test.pictures[:32]
    times = []
    for _ in range(SPEED_BATCHES):
        start = time.perf_counter()
        probabilities(model, batch)
        times.append((time.perf_counter() - start) / len(batch))
    torch.set_num_threads(before)
    return round(1000 * min(times), 1)


def _blurred(sigma: float) -> Callable[[Picture, int], Picture]:
    return lambda picture, number: cv2.GaussianBlur(picture, (0, 0), sigma)


def _noisy(deviation: float) -> Callable[[Picture, int], Picture]:
    def change(picture: Picture, number: int) -> Picture:
        noise = np.random.default_rng(number).standard_normal(picture.shape, dtype=np.float32) * deviation
        return np.clip(picture + noise, 0, 255).round().astype(np.uint8)

    return change


def _small(side: int) -> Callable[[Picture, int], Picture]:
    def change(picture: Picture, number: int) -> Picture:
        small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
        return cv2.resize(small, picture.shape[::-1], interpolation=cv2.INTER_LINEAR)

    return change


def _turned(degrees: float) -> Callable[[Picture, int], Picture]:
    def change(picture: Picture, number: int) -> Picture:
        height, width = picture.shape
        angle = degrees if number % 2 else -degrees
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1.0)
        return cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)

    return change


def _brighter(factor: float) -> Callable[[Picture, int], Picture]:
    return lambda picture, number: np.clip(picture * factor, 0, 255).round().astype(np.uint8)


DISTURBED: dict[str, Callable[[Picture, int], Picture]] = {
    "blurred, standard deviation 1 pixel": _blurred(1.0),
    "blurred, 2 pixels": _blurred(2.0),
    "noise, standard deviation 10 of 255": _noisy(10.0),
    "noise, 25 of 255": _noisy(25.0),
    "small: 24 pixels a side": _small(24),
    "small: 16 pixels": _small(16),
    "turned by 15°, left or right": _turned(15.0),
    "turned by 30°": _turned(30.0),
    "half as bright": _brighter(0.5),
    "1.5 times as bright": _brighter(1.5),
}


def write_card(metrics: dict[str, Any]) -> str:
    """The model card: the template beside this script, with the numbers measured."""
    errors = {emotion: 1 - recall for emotion, recall in metrics["recall"].items()}
    totals = [sum(row) for row in metrics["confusion"]]
    per_emotion = [
        f"| {e} | {totals[i]} | {100 * errors[e]:.1f} | {100 * metrics['f1'][e]:.1f} |" for i, e in enumerate(CLASSES)
    ]
    confusion = [
        f"| **{e}** | " + " | ".join(str(count) for count in row) + " |"
        for e, row in zip(CLASSES, metrics["confusion"], strict=True)
    ]
    robustness = [
        f"| {name} | {100 * row['accuracy']:.1f} | {100 * row['uar']:.1f} |"
        for name, row in ({"as they are": metrics} | metrics["robustness"]).items()
    ]
    bins = [
        f"| {row['from']:.2f} to {row['from'] + 1 / NUM_BINS:.2f} | {row['count']} | {row['confidence']:.3f} | "
        f"{row['accuracy']:.3f} |"
        for row in metrics["reliability"]
    ]
    return Template(CARD.read_text(encoding="utf-8")).substitute(
        {key: value for key, value in metrics.items() if not isinstance(value, dict | list)},
        accuracy=_per_cent(metrics["accuracy"], metrics["accuracy_interval"]),
        uar=_per_cent(metrics["uar"], metrics["uar_interval"]),
        per_emotion="\n".join(per_emotion),
        emotions=" | ".join(CLASSES),
        dashes="|".join(["---"] * len(CLASSES)),
        confusion="\n".join(confusion),
        robustness="\n".join(robustness),
        bins="\n".join(bins),
        num_bins=NUM_BINS,
        templates=", ".join(f"“{template}”" for template in FACE_TEMPLATES),
        megabytes=f"{(FACE / 'model.safetensors').stat().st_size / 1e6:.1f}",
        millions=f"{metrics['num_parameters'] / 1e6:.1f}",
    )


def _per_cent(value: float, interval: list[float]) -> str:
    return f"{100 * value:.1f} [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"


if __name__ == "__main__":
    main()
