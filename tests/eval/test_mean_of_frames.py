import pytest
import torch
from small_mien import small_mien

from mien.data.store import Store
from mien.eval.benchmarks import load_benchmark
from mien.eval.benchmarks.release import labelled_clips
from mien.eval.protocol import Protocol
from mien.evaluate import evaluate_model, prepare_release

DFEW = load_benchmark("dfew")


@pytest.mark.slow
def test_videos_are_scored_by_the_mean_of_sixteen_frames_whatever_the_model_reads(tmp_path):
    assert DFEW.fake is not None
    DFEW.fake(root := tmp_path / "root")
    model, store = small_mien(), tmp_path / "store"
    model.save_pretrained(tmp_path / "model")
    prepare_release(DFEW, root=root, store=store, splits=DFEW.splits)
    clips = [s.clip for s in labelled_clips(DFEW.read(root, "test1"), Store(store), root=root)[0]]
    (usual,) = model.loader(Store(store), clips)  # all eight frames of each
    (four,) = model.loader(Store(store), clips, midpoints=4)
    assert torch.equal(four.frames, usual.frames[:, [1, 3, 5, 7]])
    (sixteen,) = model.loader(Store(store), clips, midpoints=16)  # each of the eight twice
    singly = [
        model.embed_first_frames(type(usual)(
            frames=usual.frames[:, t : t + 1], boxes=usual.boxes[:, t : t + 1], token_ids=usual.token_ids,
            sentiment_logits=usual.sentiment_logits, ids=usual.ids,
        ))
        for t in range(8)
    ]  # fmt: skip
    assert torch.allclose(model.embed_mean_of_frames(sixteen), torch.stack(singly).mean(dim=0), atol=1e-5)

    settings = {"model": str(tmp_path / "model"), "root": root, "store": store}
    result = evaluate_model("dfew", protocol="zeroshot", **settings)
    assert (result.reading["num_frames"], result.num_used) == (16, 35)
    num_kept = len(list((store / "features").iterdir()))
    evaluate_model("dfew", protocol="zeroshot", **settings)
    assert len(list((store / "features").iterdir())) == num_kept == 1
    evaluate_model("dfew", protocol="folds", **settings)  # the same clips, by the video encoder: kept apart
    assert len(list((store / "features").iterdir())) == 2


def test_frames_are_averaged_of_the_frame_encoder_alone():
    task = {"name": "emotion", "probe": {"kind": "multinomial", "C": 1.0}}
    told = {"name": "p", "source": "s", "train_split": "train", "report": ["test"], "tasks": [task]}
    with pytest.raises(ValueError, match="goes with features: frame"):
        Protocol.model_validate(told | {"mean_of_frames": 16})
    assert Protocol.model_validate(told | {"mean_of_frames": 16, "features": "frame"}).mean_of_frames == 16
