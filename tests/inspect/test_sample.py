import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.data.tables import INDEX, ROWS_PER_GROUP, read_index, write_index
from mien.inspect.sample import Survey, choose, read_clips, survey
from mien.types import EMOTIONS, Clip, MienError


def clip(i: int, *, emotion: int = 0, seconds: float = 2.5) -> Clip:
    logits = [0.0] * 7
    logits[emotion] = 5.0
    return Clip(
        id=f"v{i % 3}#{i}", video=f"v{i % 3}", start_frame=0, end_frame=20, start_s=1.0, end_s=1.0 + seconds,
        text=f"sentence {i}", sentiment_logits=tuple(logits), person_share=0.5,
    )  # fmt: skip


def survey_of(emotions: list[int], matches: list[bool] | None = None) -> Survey:
    return Survey(
        matches=np.array(matches if matches is not None else [True] * len(emotions), np.bool_),
        emotion=np.array(emotions, np.uint8),
        mean_emotions=np.zeros(7), hours=0.0, durations={}, videos=frozenset(),
    )  # fmt: skip


def test_survey_counts_what_is_in_the_index(tmp_path: Path) -> None:
    clips = [clip(0, emotion=3), clip(1, emotion=3, seconds=4.0), clip(2, emotion=6), clip(3, emotion=0)]
    write_index(tmp_path / "index.parquet", clips, made_with={})
    found = survey(tmp_path / "index.parquet", videos="v[01]")
    assert found.matches.tolist() == [True, True, False, True]
    assert found.num_clips == 3
    assert {e: n for e, n in found.emotions.items() if n} == {"anger": 1, "joy": 2}
    assert found.durations == {"2": 2, "4": 1}
    assert found.hours == pytest.approx((2.5 + 4.0 + 2.5) / 3600)
    assert found.videos == {"v0", "v1", "v2"}
    p = np.exp(5) / (np.exp(5) + 6)
    assert found.mean_emotions[EMOTIONS.index("joy")] == pytest.approx((2 * p + (1 - p) / 6) / 3)
    assert not found.is_without_clip("v0", "*")
    assert found.is_without_clip("v9", "v*")
    assert not found.is_without_clip("v9", "w*")


def test_survey_of_an_empty_index_finds_nothing(tmp_path: Path) -> None:
    write_index(tmp_path / "index.parquet", [], made_with={})
    found = survey(tmp_path / "index.parquet")
    assert found.num_clips == 0
    assert len(choose(found, count=5, seed=0)) == 0
    assert read_clips(tmp_path / "index.parquet", []) == []


@settings(max_examples=80, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 6), st.booleans()), max_size=60),
    count=st.integers(1, 70),
    seed=st.integers(0, 9),
)
def test_choice_is_of_matching_rows_once_each_and_repeats(rows: list[tuple[int, bool]], count: int, seed: int) -> None:
    found = survey_of([e for e, _ in rows], [m for _, m in rows])
    chosen = choose(found, count=count, seed=seed)
    assert len(chosen) == len(set(chosen.tolist())) == min(count, found.num_clips)
    assert found.matches[chosen].all()
    assert chosen.tolist() == choose(found, count=count, seed=seed).tolist()
    if count >= 7:
        assert set(found.emotion[chosen].tolist()) == set(found.emotion[found.matches].tolist())


def test_rare_emotions_get_their_share_and_seeds_differ() -> None:
    found = survey_of([4] * 5000 + [1] * 5 + [2])
    chosen = choose(found, count=60, seed=0)
    assert (found.emotion[chosen] == 1).sum() >= 3
    assert (found.emotion[chosen] == 2).sum() == 1
    assert chosen.tolist() != choose(found, count=60, seed=1).tolist()


def test_clips_are_read_in_the_order_asked_across_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.inspect.sample.BATCH_ROWS", 4)
    clips = [clip(i, emotion=i % 7) for i in range(23)]
    write_index(tmp_path / "index.parquet", clips, made_with={})
    everything = read_index(tmp_path / "index.parquet")
    rows = [22, 0, 7, 8, 3, 4]
    assert read_clips(tmp_path / "index.parquet", rows) == [everything[row] for row in rows]


@pytest.mark.parametrize("text", [None, "not parquet"])
def test_missing_or_damaged_index_is_named_with_the_remedy(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "index.parquet").write_text(text)
    with pytest.raises(MienError, match=r"index\.parquet.*run `mien prepare`"):
        survey(tmp_path / "index.parquet")


@pytest.mark.slow
def test_memory_stays_flat_however_many_clips_there_are(tmp_path: Path) -> None:
    """200,000 clips with 100 characters each are 35 MB as a table; the passes hold less than half, of more no more."""
    count = 200_000
    columns: dict[str, object] = {
        "id": [f"v#{i}" for i in range(count)], "video": ["v"] * count, "text": [f"{i:0100}" for i in range(count)],
        "start_frame": np.zeros(count, np.int32), "end_frame": np.full(count, 9, np.int32),
        "start_s": np.zeros(count), "end_s": np.full(count, 2.5), "person_share": np.zeros(count, np.float32),
        "sentiment_logits": pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(7 * count, np.float32)), 7),
    }  # fmt: skip
    table = pa.table({name: columns[name] for name in INDEX.names}).cast(INDEX)
    pq.write_table(table, tmp_path / "index.parquet", compression="zstd", row_group_size=ROWS_PER_GROUP)
    code = """
import sys, tracemalloc
from pathlib import Path
import pyarrow as pa
from mien.inspect.sample import choose, read_clips, survey
index = Path(sys.argv[1])
tracemalloc.start()
chosen = read_clips(index, choose(survey(index), count=60, seed=0))
print(len(chosen), tracemalloc.get_traced_memory()[1], pa.default_memory_pool().max_memory())
"""
    command = [sys.executable, "-c", code, str(tmp_path / "index.parquet")]  # its own, for Arrow's peak is a process's
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    num_chosen, numpy_peak, arrow_peak = map(int, run.stdout.split())
    assert num_chosen == 60
    assert numpy_peak < 40 * count  # the choice needs an order of all rows, 8 bytes each, a few times over
    assert arrow_peak < 0.6 * table.nbytes  # read at once, it is 1.5 times the table
