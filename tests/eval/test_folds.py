from pathlib import Path

import numpy as np
import pytest
import torch

from mien.eval.benchmarks import BENCHMARKS, load_benchmark
from mien.eval.comparison import compare
from mien.eval.comparison_formats import to_markdown
from mien.eval.protocol import Protocol, protocol_names
from mien.eval.report_tables import result_table
from mien.eval.results import EvalResult
from mien.eval.run import evaluate
from mien.eval.zeroshot import TextTower
from mien.types import Clip, ClipBatch, MienError
from tests.eval.test_run import FakeStore, make_clip

DFEW = load_benchmark("dfew")
FOLDED = [name for name in BENCHMARKS if load_benchmark(name).protocols == "five_folds"]


class VideoStore(FakeStore):
    """Every video is there but 999, which the fake lists name and does not have."""

    path = Path("nowhere")

    def clip(self, video: str, *, text: str = "", id: str | None = None, **times) -> Clip:
        assert id is not None
        if id == "00999":
            raise MienError("no such video")
        return make_clip(id, text=text)

    def frames(self, video: str):
        return type("Frames", (), {"info": type("Info", (), {"num_frames": 8, "fps": 8.0})})

    def skipped(self):
        return iter(())


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fake of DFEW: videos 1 to 7 and 8 to 14, of classes 1 to 7 both times."""
    assert DFEW.fake is not None
    DFEW.fake(root := tmp_path_factory.mktemp("dfew"))
    return root


class Counted:
    """A model that is right about the first seven videos, and takes all others for the first class."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def loader(self, clips):
        for clip in clips:
            self.seen.append(clip.id)
            yield ClipBatch(
                frames=torch.zeros(1, 1, 3, 4, 4, dtype=torch.uint8), boxes=torch.zeros(1, 1, 1, 4),
                token_ids=torch.zeros(1, 1, dtype=torch.int64), sentiment_logits=torch.zeros(1, 7), ids=(clip.id,),
            )  # fmt: skip

    def embed(self, batch: ClipBatch) -> torch.Tensor:
        number = int(batch.ids[0])
        return torch.nn.functional.one_hot(torch.tensor([number - 1 if number <= 7 else 0]), 7).float()


def run(root: Path, model: Counted, **changes) -> EvalResult:
    tower = TextTower(encode=lambda prompts: torch.eye(7).repeat_interleave(3, dim=0), logit_scale=10.0)
    settings = {
        "root": root, "store": VideoStore(), "embed": model.embed, "make_loader": model.loader, "model_id": "m",
        "weights_hash": "0", "text": tower,
    }  # fmt: skip
    return evaluate(DFEW, **settings | changes)


@pytest.mark.slow
def test_result_is_the_mean_over_the_folds_with_each_of_them(root, tmp_path):
    result = run(root, Counted(), protocol="zeroshot", out=tmp_path / "r.json")
    (task,) = result.tasks
    assert task.folds is not None
    assert task.folds.splits == ("test1", "test2", "test3", "test4", "test5")
    folds = task.folds.metrics["accuracy"]
    assert folds == pytest.approx((1 / 7, 1, 1 / 7, 1, 1 / 7))  # even folds test the first seven videos
    assert task.metrics["accuracy"] == pytest.approx(np.mean(folds))
    assert task.folds.deviation["accuracy"] == pytest.approx(np.std(folds, ddof=1))
    assert (task.support, result.num_used, task.folds.num_used) == ((5,) * 7, 35, (7,) * 5)
    assert np.sum(task.confusion) == 35
    assert task.intervals == {}
    assert EvalResult.load(tmp_path / "r.json") == result


@pytest.mark.slow
def test_each_clip_is_embedded_once_for_all_folds(root, tmp_path):
    model = Counted()
    result = run(root, model, protocol="folds", heads=tmp_path / "heads")
    assert sorted(model.seen) == [f"{number:05d}" for number in range(1, 15)]
    assert sorted(path.name for path in (tmp_path / "heads").iterdir()) == [f"test{fold}" for fold in range(1, 6)]
    assert result.num_train == 35
    assert (result.num_skipped, result.skipped[0].what) == (1, "00999")  # named in each fold, told once


@pytest.mark.slow
@pytest.mark.parametrize("fold", [1, 2])
def test_fold_of_the_mean_is_what_its_own_protocol_scores(root, fold):
    (mean,) = run(root, Counted(), protocol="folds").tasks
    (alone,) = run(root, Counted(), protocol=f"fold{fold}").tasks
    (of_split,) = run(root, Counted(), protocol="folds", split=f"test{fold}").tasks
    assert mean.folds is not None
    assert {name: values[fold - 1] for name, values in mean.folds.metrics.items()} == alone.metrics
    assert (of_split.metrics, of_split.folds) == (alone.metrics, None)


@pytest.mark.slow
def test_table_sets_the_mean_beside_the_published_ones(root):
    result = run(root, Counted(), protocol="zeroshot").model_copy(update={"is_generated": False})
    (table,) = compare([("ours", result)])
    told = to_markdown([table])
    assert "EmoCapCLIP (published)" in told
    assert "48.57 ± 46.95" in told
    assert "ours, emotion accuracy fold by fold: 14.29 100.00 14.29 100.00 14.29" in told
    assert "mean ± deviation of 5 folds" in result_table([("ours", result)])


@pytest.mark.parametrize("name", FOLDED)
def test_protocols_of_five_folds_read_the_ten_splits(name):
    benchmark = load_benchmark(name)
    assert "folds" in protocol_names("five_folds")
    assert set(benchmark.protocol("folds").splits()) == set(benchmark.splits)
    assert benchmark.protocol("folds").splits("test3") == ("train3", "test3")
    assert benchmark.protocol("zeroshot").report_splits == ("test1", "test2", "test3", "test4", "test5")
    assert benchmark.protocol("fold2").splits() == ("train2", "test2")


def test_folds_without_a_number_in_their_splits_are_refused():
    task = {"name": "emotion", "probe": {"kind": "multinomial", "C": 1.0}}
    told = {"name": "p", "source": "s", "train_split": "train", "report": ["test"], "tasks": [task], "folds": 5}
    with pytest.raises(ValueError, match="end with 1"):
        Protocol.model_validate(told)


def test_tasks_whose_single_folds_must_be_told_are_refused_over_folds():
    drawn = {"probe": {"kind": "multinomial", "C": 1.0}, "few_shot": {"shots": 1, "seeds": [0, 1]}}
    told = {"name": "p", "source": "s", "report": ["test1"], "folds": 5}
    with pytest.raises(ValueError, match="what emotion must tell"):
        Protocol.model_validate(told | {"train_split": "train1", "tasks": [{"name": "emotion", **drawn}]})
    with pytest.raises(ValueError, match="what sentence must tell"):
        Protocol.model_validate(told | {"tasks": [{"name": "sentence", "probe": {"kind": "retrieval"}}]})
