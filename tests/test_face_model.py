"""The face model that comes with mien: what its card says is what it does."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from mien.captions.lexicon import FACE_EMOTIONS
from mien.face_moments import classify_faces
from mien.inference import Mien
from mien.types import ASSETS

FACE = ASSETS / "face"
LARGEST_BYTES = 15e6


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """scripts/face_model.py, which measures."""
    spec = importlib.util.spec_from_file_location("face_model", Path(__file__).parents[1] / "scripts" / "face_model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def metrics() -> dict[str, Any]:
    return json.loads((FACE / "metrics.json").read_text(encoding="utf-8"))


def test_it_is_small_and_says_on_what_terms_it_may_be_used() -> None:
    assert sum(path.stat().st_size for path in FACE.iterdir()) < LARGEST_BYTES
    config = Mien.from_pretrained("face", device="cpu").config
    assert "research" in config.weights_license
    assert "FER+ training split" in config.trained_on


def test_card_is_written_from_what_was_measured(script: ModuleType, metrics: dict[str, Any]) -> None:
    assert (FACE / "README.md").read_text(encoding="utf-8") == script.write_card(metrics)
    told = sum(sum(row) for row in metrics["confusion"])
    right = sum(metrics["confusion"][i][i] for i in range(len(FACE_EMOTIONS)))
    assert told == metrics["num_faces"] == 3137
    assert right / told == pytest.approx(metrics["accuracy"], abs=1e-4)


@pytest.mark.slow
def test_real_faces_are_scored_as_the_card_says(script: ModuleType, metrics: dict[str, Any], real_data: Path) -> None:
    """Every fourth face of the test split."""
    faces = script.read_faces(real_data / "ferplus", "test")
    model = Mien.from_pretrained("face", device="cpu")
    found = script.probabilities(model, faces.pictures[::4]).argmax(axis=1)
    assert float(np.mean(found == faces.emotion[::4])) == pytest.approx(metrics["accuracy"], abs=0.03)


@pytest.mark.slow
def test_smiling_people_are_called_happy(real_data: Path) -> None:
    model = Mien.from_pretrained("face", device="cpu")
    found = classify_faces(model, real_data / "people" / "multi_face.jpg", FACE_EMOTIONS)
    assert len(found) == 5
    assert sum(max(face.scores, key=face.scores.__getitem__) == "happiness" for face in found) >= 4
