from hashlib import sha256

import numpy as np
import pytest
import tiny_detectors
import torch
from numpy.testing import assert_allclose

from mien.perception.detector import DETECTORS, Detector, build_detector
from mien.types import ASSETS, Detections, MienError

FOREIGN = {
    "onnx:yolox": lambda folder: tiny_detectors.save_yolox(folder / "tiny.onnx", decoded=False),
    "onnx:detr": lambda folder: tiny_detectors.save_detr(folder / "tiny.onnx"),
    "onnx:boxes": lambda folder: tiny_detectors.save_boxes(folder / "tiny.onnx", takes_size=True),
    "hf:yolos": tiny_detectors.save_yolos,
    "hf:rt_detr": tiny_detectors.save_rt_detr,
}

WEIGHTS = {"centernet-mobilenetv3-1": "6c9a8dae67a8", "centerface-mobilenetv2-1": "ec235c37fe33"}


@pytest.fixture(scope="module", params=[*sorted(DETECTORS), *sorted(FOREIGN)])
def detector(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Detector:
    torch.manual_seed(0)
    name = str(request.param)
    if name in FOREIGN:
        where = FOREIGN[name](tmp_path_factory.mktemp("foreign"))
        name = f"{name.partition(':')[0]}:{where}"
    return build_detector(name, threads=1)


def blocks(num_frames: int, height: int, width: int) -> np.ndarray:
    """Pictures of white and coloured blocks on noise."""
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 120, (num_frames, height, width, 3), np.uint8)
    for frame in frames:
        y, x = rng.integers(0, max(1, height // 2)), rng.integers(0, max(1, width // 2))
        frame[y : y + height // 2 + 1, x : x + width // 2 + 1] = rng.integers(200, 256, 3)
    return frames


def keeps_the_contract(found: Detections, *, height: int, width: int, has_landmarks: bool) -> None:
    assert (np.diff(found.score) <= 0).all()
    assert ((found.score >= 0) & (found.score <= 1)).all()
    assert (found.xyxy >= 0).all()
    assert (found.xyxy <= [width, height, width, height]).all()
    assert (found.xyxy[:, 2:] > found.xyxy[:, :2]).all()
    assert (found.landmarks is not None) == has_landmarks
    assert found.landmarks is None or len(found.landmarks) == len(found.score)


@pytest.mark.parametrize(("height", "width"), [(120, 200), (200, 120), (1, 1), (1, 90), (90, 1), (256, 455)])
def test_boxes_are_sorted_and_in_the_picture(detector: Detector, height: int, width: int) -> None:
    found = detector.detect(blocks(2, height, width))
    assert len(found) == 2
    for one in found:
        keeps_the_contract(one, height=height, width=width, has_landmarks=detector.finds == "faces")


def test_nothing_comes_of_no_pictures(detector: Detector) -> None:
    assert detector.detect(np.zeros((0, 48, 64, 3), np.uint8)) == []
    assert isinstance(detector, Detector)
    assert detector.id
    assert 0 < detector.threshold < 1


def test_a_batch_finds_what_its_pictures_do(detector: Detector) -> None:
    frames = blocks(3, 96, 128)
    for frame, of_batch in zip(frames, detector.detect(frames), strict=True):
        (alone,) = detector.detect(frame[None])
        assert_allclose(of_batch.xyxy, alone.xyxy, atol=1e-3)
        assert_allclose(of_batch.score, alone.score, atol=1e-5)


def test_pictures_stay_as_they_were(detector: Detector) -> None:
    frames = blocks(1, 96, 128)
    before = frames.copy()
    detector.detect(frames)
    assert (frames == before).all()


def test_id_names_the_embedded_weights() -> None:
    """Other weights need another id, since it decides whether a store is up to date."""
    digests = {
        file.stem: sha256(file.read_bytes()).hexdigest()[:12]
        for name in DETECTORS
        for file in (ASSETS / name).glob("*.onnx")
    }
    assert {build_detector(name).id: digests[name] for name in DETECTORS} == WEIGHTS


@pytest.mark.parametrize("name", ["yolo", "onnx:", "ftp:x"])
def test_unknown_detector_is_named_with_those_there_are(name: str) -> None:
    with pytest.raises(MienError, match=rf"no detector '{name}'; there is centerface, centernet, onnx:PATH, hf:ID"):
        build_detector(name)
