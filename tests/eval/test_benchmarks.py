"""What holds for every benchmark: its fake reads as its release would, prepares, and can be scored."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest

from mien.data.store import Store
from mien.eval.benchmarks import BENCHMARKS, Benchmark, load_benchmark
from mien.eval.benchmarks.release import labelled_clips
from mien.evaluate import prepare_release
from mien.types import MienError

FAKED = [name for name in sorted(BENCHMARKS) if load_benchmark(name).fake]


@cache
def fake(name: str) -> Path:
    """The benchmark's fake release, made once a test run."""
    root, benchmark = Path(mkdtemp()) / name, load_benchmark(name)
    assert benchmark.fake
    benchmark.fake(root)
    return root


def labelled_splits(benchmark: Benchmark) -> list[str]:
    protocol = benchmark.protocol()
    return [protocol.train_split, *protocol.report]


@pytest.mark.slow
@pytest.mark.parametrize("name", FAKED)
def test_fake_has_samples_with_the_labels_that_the_protocol_wants(name: str) -> None:
    benchmark = load_benchmark(name)
    wanted = {task.probe.kind for task in benchmark.protocol().tasks}
    for split in labelled_splits(benchmark):
        samples = benchmark.read(fake(name), split).samples
        assert samples
        assert len({sample.id for sample in samples}) == len(samples)
        for sample in samples:
            labels = sample.labels
            if "multinomial" in wanted:
                assert labels.category is not None
                assert 0 <= labels.category < len(benchmark.classes.category)
            if "one_vs_rest" in wanted:
                assert labels.scores is not None
                assert len(labels.scores) == len(benchmark.classes.scores)
            if "ridge" in wanted:
                assert labels.vad is not None
                assert len(labels.vad) == len(benchmark.classes.vad)
                assert all(map(math.isfinite, labels.vad))


@pytest.mark.slow
@pytest.mark.parametrize("name", FAKED)
def test_fake_is_the_same_each_time(name: str, tmp_path: Path) -> None:
    benchmark = load_benchmark(name)
    assert benchmark.fake
    benchmark.fake(tmp_path)
    names = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    assert names == {path.relative_to(fake(name)) for path in fake(name).rglob("*") if path.is_file()}
    assert all((tmp_path / n).read_bytes() == (fake(name) / n).read_bytes() for n in names)


@pytest.mark.parametrize("name", FAKED)
def test_folder_of_something_else_is_refused_by_name(name: str, tmp_path: Path) -> None:
    (tmp_path / "holiday.txt").write_text("not a release")
    benchmark = load_benchmark(name)
    with pytest.raises(MienError, match=str(tmp_path)):
        benchmark.read(tmp_path, labelled_splits(benchmark)[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", FAKED)
def test_fake_prepares_and_its_clips_are_found(name: str, tmp_path: Path) -> None:
    benchmark = load_benchmark(name)
    splits = labelled_splits(benchmark)
    prepare_release(benchmark, root=fake(name), store=tmp_path / "store", splits=splits)
    for split in splits:
        release = benchmark.read(fake(name), split)
        clips, skipped = labelled_clips(release, Store(tmp_path / "store"))
        assert len(clips) >= len(release.samples) // 2
        assert len(clips) + len(skipped) == len(release.samples) + len(release.skipped)
