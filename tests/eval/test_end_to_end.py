"""Every protocol of every benchmark runs from the release to a result, on the fakes."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
import torch

from mien.eval.benchmarks import load_benchmark
from mien.eval.benchmarks.fake_pictures import write_scene
from mien.eval.benchmarks.fakes import write_fake
from mien.eval.benchmarks.splits import draw_splits, write_splits
from mien.eval.protocol import PROTOCOLS
from mien.eval.results import EvalResult
from mien.evaluate import evaluate_model, prepare_release
from mien.hub import ModelFolder, save_model
from mien.media.transforms import Preprocess
from mien.models.video_clip import VideoClip, VideoClipConfig
from mien.text import Tokenizer
from mien.types import MienError

TINY = VideoClipConfig.model_validate(
    {
        "embed_dim": 16, "temporal": {"kind": "mean"},
        "vision": {"image_size": 32, "patch_size": 16, "width": 16, "layers": 1, "heads": 2, "mlp_width": 16},
        "text": {"vocab_size": 1000, "width": 16, "layers": 1, "heads": 2, "mlp_width": 16},
    }
)  # fmt: skip
FIVE = ("bold", "emotic", "liris", "meld", "moviegraphs")
OF_FAMILIES = ("rafdb", "jaffe", "emoset", "affectnet7")
"""One set of each family of protocols."""

CASES = [
    (name, protocol)
    for name in (*FIVE, *OF_FAMILIES)
    for protocol in sorted(file.stem for file in (PROTOCOLS / (load_benchmark(name).protocols or name)).glob("*.yaml"))
    if protocol in (("paper", "sweep", "zeroshot", "retrieval") if name in FIVE else ("sweep", "zeroshot"))
]
"""Fine-tuning, folds and few shots have tests of their own."""


@cache
def place() -> Path:
    """A folder with a model, in which each benchmark's fake and store are made once."""
    folder = Path(mkdtemp())
    torch.manual_seed(0)
    save_model(
        folder / "model",
        weights=VideoClip(TINY).state_dict(),
        config=ModelFolder(architecture=TINY, preprocess=Preprocess(image_size=32)),
        tokenizer=Tokenizer.clip(vocab_size=1000),
    )
    return folder


@cache
def released(name: str) -> tuple[Path, Path]:
    """A benchmark's fake, and a store of all of its splits that a protocol wants."""
    benchmark, root, store = load_benchmark(name), place() / name, place() / f"{name}.store"
    write_fake(benchmark, root)
    wanted = [split for own, p in CASES if own == name for split in benchmark.protocol(p).splits(None)]
    prepare_release(benchmark, root=root, store=store, splits=list(dict.fromkeys(wanted)))
    return root, store


@pytest.mark.slow
@pytest.mark.parametrize(("name", "protocol"), CASES)
def test_protocol_runs_from_the_release_to_a_result(name: str, protocol: str, tmp_path: Path) -> None:
    benchmark, out = load_benchmark(name), tmp_path / "result.json"
    root, store = released(name)
    result = evaluate_model(
        name,
        model=str(place() / "model"),
        root=root,
        store=store,
        protocol=protocol,
        out=out,
    )
    assert result.is_generated
    assert [task.name for task in result.tasks] == [task.name for task in benchmark.protocol(protocol).tasks]
    assert all(task.metrics for task in result.tasks)
    assert EvalResult.load(out) == result


@pytest.mark.slow
def test_set_without_splits_is_scored_by_a_file_of_them(tmp_path: Path) -> None:
    """Protocols name them, so that tables set no result beside one of other splits."""
    place()
    benchmark, root, file = load_benchmark("emotion6"), tmp_path / "emotion6", tmp_path / "splits.csv"
    for name in benchmark.classes.category:
        for i in range(10):
            write_scene(root / name / f"{i}.jpg", seed=i)
    splits, _ = draw_splits(benchmark, root, seed=0)
    write_splits(splits, file)
    model, store = str(place() / "model"), tmp_path / "store"
    result = evaluate_model("emotion6", model=model, root=root, store=store, splits=file)
    assert (result.num_used, result.skipped) == (12, ())
    assert result.protocol["name"] == f"paper splits={splits.digest[:8]}"
    with pytest.raises(MienError, match=r"emotion6 .*has no folder train"):
        evaluate_model("emotion6", model=model, root=root, store=store)
