import shutil
from pathlib import Path

import numpy as np
import pytest
import tiny_detectors
import torch
from numpy.testing import assert_allclose

from mien.perception.detector import build_detector
from mien.perception.hf_detector import FLOOR, HfDetector, person_class
from mien.types import MienError

pytest.importorskip("transformers", reason="needs the extra hf")


@pytest.fixture(scope="module", params=["yolos", "rt_detr"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    save = {"yolos": tiny_detectors.save_yolos, "rt_detr": tiny_detectors.save_rt_detr}[request.param]
    torch.manual_seed(0)
    return save(tmp_path_factory.mktemp(request.param))


def test_persons_are_what_the_model_says(folder: Path) -> None:
    """Against the model's outputs read by hand: probabilities of its person class, boxes from middle and sides."""
    detector = HfDetector(str(folder), threads=1)
    height, width = 40, 70
    frame = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    (found,) = detector.detect(frame[None])
    with torch.inference_mode():
        out = detector._model(**detector._processor(images=[frame], return_tensors="pt"))
    logits = out.logits[0].double()
    is_softmax = logits.shape[1] == detector._model.config.num_labels + 1
    scores = logits.softmax(1)[:, :-1] if is_softmax else logits.sigmoid()
    expected = scores[:, detector.person].numpy()
    x, y, w, h = (out.pred_boxes[0].double().numpy() * [width, height, width, height]).T
    boxes = np.clip(np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], axis=1), 0, [width, height] * 2)
    assert len(found.score) > 0
    for score, box in zip(found.score, found.xyxy, strict=True):
        nearest = int(np.abs(expected - score).argmin())
        assert expected[nearest] == pytest.approx(score, abs=1e-5)
        assert_allclose(box, boxes[nearest], atol=1e-3)
    assert expected.max() <= found.score[0] + 1e-5 or is_softmax  # with softmax, another class may be the first
    assert (found.score >= FLOOR).all()


def test_id_follows_the_weights(folder: Path, tmp_path: Path) -> None:
    first = build_detector(f"hf:{folder}")
    assert first.id.startswith(f"hf:{folder}@")
    assert first.finds == "persons"
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    assert HfDetector(str(copy)).id.rpartition("@")[2] == first.id.rpartition("@")[2]
    weights = copy / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert HfDetector(str(copy)).id.rpartition("@")[2] != first.id.rpartition("@")[2]


def test_person_is_known_by_its_name(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text('{"id2label": {"0": "car", "17": "Person"}}')
    assert person_class(config) == 17
    config.write_text('{"id2label": {"0": "car", "1": "dog"}}')
    with pytest.raises(MienError, match=r"no class 'person'.*car, dog"):
        person_class(config)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"id2label": ["car"]}', '{"id2label": {"first": "person"}}'])
def test_config_of_another_shape_is_named(content: str, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(content)
    with pytest.raises(MienError, match=r"config\.json"):
        person_class(config)


def test_damaged_weights_are_named(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(MienError, match=r"copy cannot be read by transformers as AutoModelForObjectDetection"):
        HfDetector(str(copy)).detect(np.zeros((1, 40, 70, 3), np.uint8))


@pytest.mark.parametrize("where", ["./nowhere", "nowhere", "a/b/c"])
def test_what_is_neither_folder_nor_hub_id_is_told(where: str) -> None:
    with pytest.raises(MienError, match=r"no folder .*OWNER/NAME"):
        build_detector(f"hf:{where}")


def test_folder_without_a_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(MienError, match=r"no .*config\.json"):
        HfDetector(str(tmp_path))
