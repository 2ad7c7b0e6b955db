"""The worked examples of docs/extending.md: each does what the page says, beside what comes with mien."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
import torch
from small_mien import small_mien
from tiny import CONFIG, random_batch
from torch import Tensor

from mien.eval.benchmarks import BENCHMARKS, load_benchmark
from mien.evaluate import evaluate_model
from mien.media.pictures import read_picture
from mien.methods import EmotionClip
from mien.perception.detector import DETECTORS, Detector, build_detector
from mien.types import MienError

DOCS = Path(__file__).parent.parent / "docs"
EXAMPLES = re.findall(
    r"^```python\n(.*?)^```", (DOCS / "extending.md").read_text("utf-8"), flags=re.DOTALL | re.MULTILINE
)


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    """The page's three files as modules of these names."""
    made = {}
    for name, code in zip(("smiles", "large_persons", "sigmoid_clip"), EXAMPLES, strict=True):
        made[name] = ModuleType(f"extending_{name}")
        monkeypatch.setitem(sys.modules, made[name].__name__, made[name])  # pydantic looks annotations up there
        exec(compile(code, name, "exec"), vars(made[name]))
    return made


@pytest.fixture
def smiles(tmp_path: Path) -> Path:
    """Eight bright and eight dark pictures in two splits, and one of no class."""
    root = tmp_path / "smiles"
    (root / "pictures").mkdir(parents=True)
    lines = ["file,emotion,split"]
    rng = np.random.default_rng(0)
    for number in range(16):
        name, is_happy = f"{number:04d}.png", number % 2 == 0
        pixels = rng.integers(0, 40, (48, 48, 3)) + (200 if is_happy else 0)
        cv2.imwrite(str(root / "pictures" / name), pixels.astype(np.uint8))
        lines.append(f"{name},{'happy' if is_happy else 'neutral'},{'train' if number < 8 else 'test'}")
    (root / "labels.csv").write_text("\n".join([*lines, "9999.png,bored,test"]))
    return root


@pytest.fixture
def added(modules: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's lines in the tables."""
    monkeypatch.setitem(BENCHMARKS, "smiles", "extending_smiles:SMILES")
    monkeypatch.setitem(DETECTORS, "large", lambda threads: modules["large_persons"].LargePersons(threads=threads))


@pytest.mark.usefixtures("added")
def test_the_benchmark_is_read_and_lists_what_it_skips(smiles: Path) -> None:
    release = load_benchmark("smiles").read(smiles, "test")
    assert [sample.labels.category for sample in release.samples] == [0, 1] * 4
    assert [skipped.what for skipped in release.skipped] == ["9999.png"]
    assert release.missing(smiles) == ()
    with pytest.raises(MienError, match=r"no labels\.csv"):
        load_benchmark("smiles").read(smiles / "pictures", "test")


@pytest.mark.slow
@pytest.mark.usefixtures("added")
def test_the_benchmark_is_evaluated_like_any_other(smiles: Path, tmp_path: Path) -> None:
    small_mien().save_pretrained(tmp_path / "model")
    result = evaluate_model("smiles", model=str(tmp_path / "model"), root=smiles, store=tmp_path / "store", workers=1)
    assert result.num_used == 8
    assert [skipped.what for skipped in result.skipped] == ["9999.png"]
    assert result.tasks[0].metrics["accuracy"] == 1


@pytest.mark.usefixtures("added")
def test_the_detector_finds_the_large_persons_only() -> None:
    large = build_detector("large", threads=1)
    assert isinstance(large, Detector)
    picture = read_picture(DOCS / "images" / "faces_multi_face.jpg")
    far = cv2.copyMakeBorder(picture, 3 * len(picture), 0, 0, 0, cv2.BORDER_CONSTANT, value=(128, 128, 128))
    for frame, least in ((picture, 1), (far, 0)):
        (found,) = large.detect(frame[None])
        (everyone,) = build_detector("centernet", threads=1).detect(frame[None])
        heights = everyone.xyxy[:, 3] - everyone.xyxy[:, 1]
        assert len(found.xyxy) == int((heights >= 0.25 * len(frame)).sum()) >= least


def test_the_method_s_loss_is_that_of_each_pair_by_itself(modules: dict[str, ModuleType]) -> None:
    config = modules["sigmoid_clip"].SigmoidClipConfig(model=CONFIG.model)
    method, batch = config.build(), random_batch(4)
    assert isinstance(method, EmotionClip)
    output = method(batch)
    rows = method.embeddings(batch)
    assert float(output.loss.detach()) == pytest.approx(looped(rows["video"], rows["text"], method), rel=1e-5)
    output.loss.backward()
    assert method.model.vision.position_embedding.grad is not None


@torch.no_grad()
def looped(video: Tensor, text: Tensor, method: EmotionClip) -> float:
    """SigLIP's eq. 1, a pair at a time, in float64."""
    total = 0.0
    for i, clip in enumerate(video.double()):
        for j, words in enumerate(text.double()):
            logit = float(method.model.logit_scale.double().exp() * (clip @ words)) - 10
            total += float(np.log1p(np.exp(-logit if i == j else logit)))
    return total / len(video)
