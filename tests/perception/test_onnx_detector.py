import pickle
from pathlib import Path

import numpy as np
import pytest
import tiny_detectors
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from mien.perception.detector import build_detector
from mien.perception.onnx_detector import OnnxDetector, person_score, read_yolox
from mien.perception.onnx_layout import IMAGENET_MEAN, IMAGENET_STD
from mien.types import MienError

LAYOUTS = {
    "yolox_raw": lambda path: tiny_detectors.save_yolox(path, decoded=False),
    "yolox_decoded": lambda path: tiny_detectors.save_yolox(path, decoded=True),
    "yolox_open_rows": lambda path: tiny_detectors.save_yolox(path, decoded=True, has_open_rows=True),
    "yolox_one_class": lambda path: tiny_detectors.save_yolox(path, decoded=False, num_classes=1),
    "rt_detr": lambda path: tiny_detectors.save_detr(path),
    "detr": lambda path: tiny_detectors.save_detr(path, num_classes=92, person=1),
    "boxes_of_input": lambda path: tiny_detectors.save_boxes(path, takes_size=False),
    "boxes_of_frame": lambda path: tiny_detectors.save_boxes(path, takes_size=True),
}


def with_rectangle(height: int, width: int, box: tuple[int, int, int, int]) -> np.ndarray:
    x0, y0, x1, y1 = box
    frame = np.zeros((height, width, 3), np.uint8)
    frame[y0:y1, x0:x1] = 255
    return frame


def pixels_of(path: Path) -> tuple[bool, float, tuple[float, ...], tuple[float, ...], bool]:
    layout = OnnxDetector(path, threads=1).layout
    return layout.is_bgr, layout.scale, layout.mean, layout.std, layout.is_letterbox


@pytest.mark.parametrize("num_classes", [1, 80, 91])
def test_yolox_takes_bytes_as_they_are_whatever_its_classes(num_classes: int, tmp_path: Path) -> None:
    path = tiny_detectors.save_yolox(tmp_path / "tiny.onnx", decoded=True, num_classes=num_classes)
    assert pixels_of(path) == (True, 1.0, (0.0,) * 3, (1.0,) * 3, True)


def test_pixels_are_normalised_as_imagenet_is_for_detr_of_91_classes_and_more(tmp_path: Path) -> None:
    plain, imagenet = ((0.0,) * 3, (1.0,) * 3), (IMAGENET_MEAN, IMAGENET_STD)
    for num_classes, person, normalisation in ((80, 0, plain), (91, 1, imagenet), (92, 1, imagenet)):
        path = tiny_detectors.save_detr(tmp_path / f"{num_classes}.onnx", num_classes=num_classes, person=person)
        assert pixels_of(path) == (False, 1 / 255, *normalisation, False)


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
@pytest.mark.parametrize(("height", "width"), [(128, 256), (256, 128), (64, 64), (300, 200)])
def test_the_white_rectangle_is_found_where_it_is(layout: str, height: int, width: int, tmp_path: Path) -> None:
    detector = OnnxDetector(LAYOUTS[layout](tmp_path / "tiny.onnx"), threads=1)
    box = (width // 4, height // 8, width // 2, height * 7 // 8)
    found, nothing = detector.detect(
        np.stack([with_rectangle(height, width, box), with_rectangle(height, width, (0,) * 4)])
    )
    assert len(found.score) == 1
    assert found.score[0] > 0.7
    assert_allclose(found.xyxy[0], box, atol=1.01 * max(height, width) / tiny_detectors.SIDE)
    assert len(nothing.score) == 0


def test_file_of_unknown_layout_is_named_with_what_is_in_it(tmp_path: Path) -> None:
    path = tiny_detectors.save_unknown(tmp_path / "classes.onnx")
    with pytest.raises(MienError, match=r"classes\.onnx.*images \[1, 3, 64, 64\].*classes \[1, 10\].*YOLOX.*DETR"):
        OnnxDetector(path)


def test_unknown_number_of_classes_asks_for_a_side_file(tmp_path: Path) -> None:
    path = tiny_detectors.save_detr(tmp_path / "tiny.onnx", num_classes=7, person=4)
    with pytest.raises(MienError, match=r"7 classes.*tiny\.onnx\.json"):
        OnnxDetector(path)
    (tmp_path / "tiny.onnx.json").write_text('{"person": 4}')
    frame = with_rectangle(64, 64, (8, 16, 32, 40))
    (found,) = OnnxDetector(path).detect(frame[None])
    assert_allclose(found.xyxy, [[8, 16, 32, 40]], atol=1e-3)


def test_side_file_says_the_sides_that_a_file_leaves_open(tmp_path: Path) -> None:
    path = tiny_detectors.save_detr(tmp_path / "tiny.onnx", side="side")
    assert (OnnxDetector(path).layout.height, OnnxDetector(path).layout.width) == (640, 640)
    (tmp_path / "tiny.onnx.json").write_text('{"side": 64}')
    (found,) = OnnxDetector(path).detect(with_rectangle(64, 64, (8, 16, 32, 40))[None])
    assert_allclose(found.xyxy, [[8, 16, 32, 40]], atol=1e-3)


def test_rows_that_are_not_the_cells_are_told(tmp_path: Path) -> None:
    layout = OnnxDetector(tiny_detectors.save_yolox(tmp_path / "tiny.onnx", decoded=False)).layout
    with pytest.raises(MienError, match=r"10 rows for 64 x 64 pixels.* 84 cells.*\{\"side\": 416\}"):
        read_yolox(np.zeros((10, 85), np.float32), layout, is_decoded=False)


def test_side_file_changes_the_id_and_what_is_wrong_in_it_is_named(tmp_path: Path) -> None:
    path = tiny_detectors.save_detr(tmp_path / "tiny.onnx")
    plain = OnnxDetector(path)
    (tmp_path / "tiny.onnx.json").write_text('{"threshold": 0.3}')
    assert OnnxDetector(path).id != plain.id
    assert (plain.threshold, OnnxDetector(path).threshold) == (0.5, 0.3)
    (tmp_path / "tiny.onnx.json").write_text('{"persons": 3}')
    with pytest.raises(MienError, match=r"(?s)tiny\.onnx\.json.*persons"):
        OnnxDetector(path)
    (tmp_path / "tiny.onnx.json").write_text('{"person": 80}')
    with pytest.raises(MienError, match=r"person is 80, but tiny\.onnx has 80 classes"):
        OnnxDetector(path)


def test_side_file_scales_pixels(tmp_path: Path) -> None:
    """A file that takes 0 to 255 sees nothing of what is dimmed to 0 to 1, and everything again when told."""
    path = tiny_detectors.save_yolox(tmp_path / "tiny.onnx", decoded=True)
    frame = with_rectangle(64, 64, (8, 16, 32, 40))
    (tmp_path / "tiny.onnx.json").write_text('{"scale": 0.00392156862745098}')
    assert len(OnnxDetector(path).detect(frame[None])[0].score) == 0
    (tmp_path / "tiny.onnx.json").write_text(
        '{"scale": 0.00392156862745098, "std": [0.00392156862745098, 0.00392156862745098, 0.00392156862745098]}'
    )
    assert len(OnnxDetector(path).detect(frame[None])[0].score) == 1


def test_id_names_the_weights(tmp_path: Path) -> None:
    a = OnnxDetector(tiny_detectors.save_detr(tmp_path / "a.onnx"))
    b = OnnxDetector(tiny_detectors.save_detr(tmp_path / "b.onnx", num_classes=92, person=1))
    assert a.id.startswith("onnx:a.onnx@")
    assert a.id.partition("@")[2] != b.id.partition("@")[2]


@pytest.mark.parametrize("content", [None, b"", b"not a graph"])
def test_what_is_no_onnx_file_is_named(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "bad.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(MienError, match=r"bad\.onnx"):
        build_detector(f"onnx:{path}")


def test_detector_pickles_as_its_path(tmp_path: Path) -> None:
    detector = OnnxDetector(tiny_detectors.save_detr(tmp_path / "tiny.onnx"), threads=1)
    again = pickle.loads(pickle.dumps(detector))
    assert (again.id, again.threads) == (detector.id, 1)


@given(logits=st.lists(st.floats(-500, 500, width=32), min_size=2, max_size=6))
def test_scores_are_probabilities_however_large_the_logits(logits: list[float]) -> None:
    rows = np.array([logits], np.float32)
    exact = np.exp(rows[0].astype(np.float64) - max(logits))
    assert_allclose(person_score(rows, 1, is_softmax=True), exact[1:2] / exact.sum(), atol=1e-6)
    assert_allclose(person_score(rows, 1, is_softmax=False), [1 / (1 + np.exp(-np.float64(logits[1])))], atol=1e-6)
