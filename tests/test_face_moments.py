"""Faces of a picture and of a video, each scored by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mien.face_moments import classify_faces
from mien.hub import ModelFolder
from mien.inference import Mien
from mien.media.transforms import Preprocess
from mien.models.video_clip import VideoClip, VideoClipConfig
from mien.text import Tokenizer
from mien.types import MienError

WORDS = ("happiness", "fear", "anger")
TINY = VideoClipConfig.model_validate(
    {
        "embed_dim": 16, "subject": "vanilla", "temporal": {"kind": "mean"},
        "vision": {"image_size": 48, "patch_size": 8, "width": 16, "layers": 1, "heads": 2, "mlp_width": 16,
                   "stem": {"widths": [8, 8, 8], "depths": [1, 1, 1]}},
        "text": {"vocab_size": 1000, "width": 16, "layers": 1, "heads": 2, "mlp_width": 16},
    }
)  # fmt: skip


@pytest.fixture(scope="module")
def model() -> Mien:
    torch.manual_seed(0)
    folder = ModelFolder(architecture=TINY, preprocess=Preprocess(image_size=48, grayscale=True))
    return Mien(VideoClip(TINY), config=folder, tokenizer=Tokenizer.clip(vocab_size=1000), device="cpu")


def test_a_file_that_is_none_is_refused_by_name(model: Mien, tmp_path: Path) -> None:
    with pytest.raises(MienError, match=r"no file at .*nobody\.jpg"):
        classify_faces(model, tmp_path / "nobody.jpg", WORDS)


@pytest.mark.slow
def test_each_face_of_a_picture_gets_its_own_scores(model: Mien, real_data: Path) -> None:
    found = classify_faces(model, real_data / "people" / "multi_face.jpg", WORDS)
    assert len(found) == 5
    assert [m.xyxy[0] for m in found] == sorted(m.xyxy[0] for m in found)
    assert all(sum(m.scores.values()) == pytest.approx(1) and tuple(m.scores) == WORDS for m in found)
    assert len({tuple(m.scores.values()) for m in found}) == 5


@pytest.mark.slow
def test_a_person_in_a_video_is_followed_from_stretch_to_stretch(model: Mien, real_data: Path) -> None:
    found = classify_faces(model, real_data / "people" / "WolfgangLanger_Pexels.mp4", WORDS, window_s=5.0)
    who = max({m.person for m in found}, key=lambda person: sum(m.person == person for m in found))
    stretches = [m for m in found if m.person == who]
    assert len(stretches) >= 3
    assert all(m.end_s - m.start_s < 5 and 1 <= m.num_faces <= 20 for m in stretches)
    assert [m.start_s for m in stretches] == sorted(m.start_s for m in stretches)


@pytest.mark.slow
def test_nobody_s_face_gives_nothing(model: Mien, real_data: Path) -> None:
    assert classify_faces(model, real_data / "people" / "no_face.mp4", WORDS) == []
