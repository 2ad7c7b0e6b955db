import numpy as np
import pytest
import torch

from mien.eval.comparison import compare
from mien.eval.comparison_formats import to_markdown, to_records
from mien.eval.protocol import Task
from mien.eval.report_tables import result_table
from mien.eval.results import EvalResult
from mien.eval.retrieval_task import run_retrieval
from mien.eval.zeroshot import TextTower
from mien.types import Features, MienError
from tests.eval.test_run import root as root
from tests.eval.test_run import run

SENTENCE = Task.model_validate({"name": "sentence", "probe": {"kind": "retrieval"}})
TEXTS = {"yes": (1.0, 0.0), "no": (0.0, 2.0), "well": (-3.0, 0.0)}


def tower(encode=lambda texts: torch.tensor([TEXTS[text] for text in texts])) -> TextTower:
    return TextTower(encode=encode, logit_scale=1.0)


def features(x, groups=()) -> Features:
    x = np.asarray(x, dtype=np.float32)
    ids = tuple(map(str, range(len(x))))
    return Features(x=x, category=None, scores=None, vad=None, ids=ids, groups=tuple(groups))


def test_clips_without_a_text_are_left_out_and_counted_and_equal_texts_are_one():
    test = features([[1, 0], [0, 1], [0, 1], [-1, 0], [1, 0]])
    result = run_retrieval(SENTENCE, test=test, texts=["yes", "no", "", "well", " yes\n"], text=tower())
    assert result.retrieval is not None
    assert result.retrieval.model_dump() == {"num_clips": 4, "num_texts": 3, "num_without_text": 1}
    assert result.metrics["video_to_text_r1"] == 3 / 4  # either of the two that say yes
    assert result.majority["video_to_text_r1"] == 1 / 4
    assert result.majority["text_to_video_median_rank"] == 2.5
    assert result.intervals.keys() == result.metrics.keys()


def test_queries_of_one_dialogue_are_drawn_together():
    test = features(np.eye(2)[[0, 1, 0, 1]], groups=["a", "a", "b", "c"])
    result = run_retrieval(SENTENCE, test=test, texts=["yes", "no", "", "well"], text=tower())
    assert {interval.num_groups for interval in result.intervals.values()} == {2}  # b says nothing


def test_retrieval_without_texts_or_without_a_tower_is_refused():
    test = features([[1, 0], [0, 1]])
    with pytest.raises(MienError, match="1 of 2 clips have one"):
        run_retrieval(SENTENCE, test=test, texts=["yes", " "], text=tower())
    with pytest.raises(MienError, match="needs the model's text tower"):
        run_retrieval(SENTENCE, test=test, texts=["yes", "no"], text=None)
    broken = tower(lambda texts: torch.full((len(texts), 2), float("nan")))
    with pytest.raises(MienError, match="not finite"):
        run_retrieval(SENTENCE, test=test, texts=["yes", "no"], text=broken)


def test_result_is_in_the_record_the_table_and_the_report(root, tmp_path):
    """The model of test_run embeds a clip by the number that is its text, which four of the 28 clips share."""
    knows = tower(lambda texts: torch.eye(7)[[int(text) for text in texts]])
    result = run(root, protocol="retrieval", text=knows, out=tmp_path / "r.json")
    assert EvalResult.load(tmp_path / "r.json") == result
    (task,) = result.tasks
    assert task.retrieval is not None
    assert task.metrics["video_to_text_r1"] == pytest.approx(1 / 4)
    assert task.metrics["text_to_video_r5"] == 1
    assert task.majority["text_to_video_r5"] == pytest.approx(5 / 28)
    assert (result.grouped_by, task.intervals["video_to_text_r1"].num_groups) == ("video", 2)
    told = to_markdown(compare([("ours", result)]))
    assert "text_to_video_r10 %" in told
    assert "video_to_text_median_rank |" in told
    assert "over 2 videos of the split, each drawn whole" in told
    assert "retrieval among 28 clips with 7 different texts" in result_table([("ours", result)])
    records = {r["metric"]: r for r in to_records(compare([("ours", result)])) if r["kind"] == "ours"}
    mean_rank = records["text_to_video_mean_rank"]
    assert (mean_rank["value"], mean_rank["is_percent"], mean_rank["num_groups"]) == (2.5, False, 2)
