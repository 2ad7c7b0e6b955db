import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mien.eval import retrieval
from mien.eval.retrieval import Ranks, both_ways, chance_ranks, own_ranks, retrieval_scores


def scored(ranks: dict[str, Ranks], num_clips: int) -> dict[str, float]:
    return {n: float(v[0]) for n, v in retrieval_scores(ranks, np.ones((num_clips, 1), dtype=np.int64)).items()}


def test_scores_of_a_case_done_by_hand():
    """Cosines, row = video, column = its text: 9 1 2 3 | 5 4 3 2 | 1 8 8 0 | 7 6 5 4."""
    videos = np.array([[9, 1, 2, 3], [5, 4, 3, 2], [1, 8, 8, 0], [7, 6, 5, 4]], dtype=np.float32)
    texts = np.eye(4, dtype=np.float32)
    ranks = both_ways(videos, texts, text_of=np.arange(4))
    assert ranks["video_to_text"].mean.tolist() == [1, 2, 1.5, 4]
    assert ranks["text_to_video"].mean.tolist() == [1, 3, 1, 1]  # 9 5 1 7 | 1 4 8 6 | 2 3 8 5 | 3 2 0 4
    found = scored(ranks, 4)
    assert found["video_to_text_r1"] == (1 + 0 + 1 / 2 + 0) / 4
    assert found["video_to_text_r5"] == 1
    assert (found["video_to_text_median_rank"], found["video_to_text_mean_rank"]) == (1.75, 8.5 / 4)
    assert (found["text_to_video_r1"], found["text_to_video_median_rank"]) == (0.75, 1)


@pytest.mark.parametrize("num_clips", [1, 7, 200])
def test_constant_model_scores_chance_and_not_one(num_clips):
    same = np.full((num_clips, 3), 3**-0.5, dtype=np.float32)
    found = scored(both_ways(same, same[:1], text_of=np.zeros(num_clips, dtype=np.int64)), num_clips)
    assert found == pytest.approx(scored(chance_ranks(num_clips), num_clips))
    assert found["text_to_video_r5"] == pytest.approx(min(1, 5 / num_clips))
    assert found["video_to_text_median_rank"] == (num_clips + 1) / 2


def test_collapsed_model_whose_embeddings_differ_by_rounding_scores_chance():
    rng = np.random.default_rng(0)
    same = (np.full((50, 64), 1 / 8) + rng.normal(0, 1e-8, (50, 64))).astype(np.float32)
    assert scored(both_ways(same, same, text_of=np.arange(50)), 50)["video_to_text_r10"] == pytest.approx(0.2)


@st.composite
def clips(draw):
    """A few clips, embeddings of small whole numbers (so that equal is equal), and which of fewer texts each has."""
    n, u = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    whole = st.integers(-2, 2).map(float)
    videos = draw(arrays.arrays(np.float32, (n, 2), elements=whole))
    texts = draw(arrays.arrays(np.float32, (u, 2), elements=whole))
    return videos, texts, np.array(draw(st.lists(st.integers(0, u - 1), min_size=n, max_size=n)))


@given(clips(), st.integers(1, 20))
def test_ranks_are_the_mean_over_all_orders_of_equal_candidates(drawn, block_cells):
    videos, texts, text_of = drawn
    n = len(videos)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retrieval, "BLOCK_CELLS", block_cells)
        ranks = both_ways(videos, texts, text_of=text_of)
    cosine = videos.astype(np.float64) @ texts[text_of].T
    for direction, table in (("video_to_text", cosine), ("text_to_video", cosine.T)):
        for i in range(n):
            # Every order of the candidates, then sorted by cosine, which keeps the order of equal ones.
            places = [sorted(order, key=lambda j: -table[i, j]).index(i) for order in itertools.permutations(range(n))]
            assert ranks[direction].mean[i] == pytest.approx(1 + np.mean(places))
            for k in (1, 2, 5):
                assert ranks[direction].within(k)[i] == pytest.approx(np.mean([place < k for place in places]))


def test_blocks_of_queries_change_nothing(monkeypatch):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 30, 8)).astype(np.float32)
    own, times = np.arange(30), np.ones(30, dtype=np.int64)
    whole = own_ranks(x, y, own=own, times=times)
    monkeypatch.setattr(retrieval, "BLOCK_CELLS", 30 * 7)
    assert own_ranks(x, y, own=own, times=times).mean.tolist() == whole.mean.tolist()


def test_scores_of_a_resample_are_those_of_its_queries_written_out():
    rng = np.random.default_rng(2)
    counts = rng.multinomial(9, np.full(9, 1 / 9), size=20).T
    ranks = {"text_to_video": Ranks(above=rng.integers(0, 12, 9), equal=rng.integers(0, 3, 9))}
    ours = retrieval_scores(ranks, counts)
    for r in range(20):
        rows = np.repeat(np.arange(9), counts[:, r])
        told = ranks["text_to_video"]
        written = scored({"text_to_video": Ranks(above=told.above[rows], equal=told.equal[rows])}, len(rows))
        assert {name: column[r] for name, column in ours.items()} == pytest.approx(written)
        assert ours["text_to_video_median_rank"][r] == np.median(told.mean[rows])
