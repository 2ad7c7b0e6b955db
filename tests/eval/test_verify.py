from pathlib import Path

import pytest
from toy_benchmark import TOY, write_toy

from mien.eval.benchmarks import load_benchmark
from mien.eval.benchmarks.fakes import MARKER, is_fake, write_fake
from mien.eval.benchmarks.verify import Extent, SplitReport, Verification, group, verify
from mien.types import MienError, Skipped


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The toy's release, as if it were real: without the mark."""
    write_toy(tmp_path / "toy")
    return tmp_path / "toy"


def split_of(found: Verification, name: str) -> SplitReport:
    return next(split for split in found.splits if split.split == name)


def test_whole_release_is_faithful_and_counted(root):
    found = verify(TOY, root)
    train = split_of(found, "train")
    assert (found.is_faithful, found.faults, found.is_generated) == (True, (), False)
    assert (train.num_samples, train.num_skipped, train.num_expected, train.num_missing) == (3, 1, 4, 0)
    assert (train.num_videos, train.num_videos_with_boxes) == (3, 1)
    assert train.categories == {"joy": 2, "anger": 1}
    assert train.scores == {"Peace": 2, "Pain": 1}  # positive from 0.5 up, as the protocol says
    assert train.dimensions["valence"] == Extent(least=1.0, mean=3.0, greatest=6.0)


def test_split_without_labels_says_so_and_is_no_fault(root):
    blind = split_of(verify(TOY, root), "blind")
    assert blind.unread == "the organisers keep the labels of blind"
    assert (blind.is_needed, blind.faults) == (False, ())


def test_needed_split_that_cannot_be_read_is_a_fault(root):
    (root / "test.txt").unlink()
    found = verify(TOY, root)
    assert not found.is_faithful
    assert found.faults == (f"test: no test.txt in {root}; is it the toy?",)


def test_missing_files_are_counted_and_named(root):
    (root / "pictures" / "test-b.png").unlink()
    found = verify(TOY, root)
    (missing,) = split_of(found, "test").missing
    assert missing.examples == ("test-b.png",)
    assert "pictures/test-b.png is not in" in missing.reason
    assert found.faults == ("test: the files of 1 of 3 samples are missing",)


def test_too_few_and_too_many_samples_are_faults(root):
    lines = (root / "train.txt").read_text().splitlines()
    (root / "train.txt").write_text("\n".join(lines[1:]))
    assert verify(TOY, root).faults == ("train: 3 of the 4 samples of the official release are annotated",)
    (root / "train.txt").write_text("\n".join(lines[:3] * 2))
    assert verify(TOY, root).faults == ("train: 6 samples, more than the 4 of the official release",)


def test_split_all_of_whose_samples_are_left_out_is_a_fault(root):
    (root / "test.txt").write_text("\n".join(f"{name} ? 0 0 0" for name in "abcd"))
    assert "test: no sample can be used" in verify(TOY, root).faults


def test_many_left_out_samples_are_a_warning(root):
    assert split_of(verify(TOY, root), "train").warnings == ("1 of 4 samples are left out; read the reasons",)


def test_equal_reasons_are_told_once():
    skipped = [Skipped(what=f"v{i}", reason=f"v{i} has {i} of 10 votes") for i in range(5)]
    groups = group([Skipped(what="w", reason="corrupt"), *skipped])
    assert [(g.reason, g.count, g.examples) for g in groups] == [
        ("… has … of … votes", 5, ("v0", "v1", "v2")),
        ("corrupt", 1, ("w",)),
    ]


def test_folder_that_is_not_there_is_refused_with_how_to_get_the_release(tmp_path):
    with pytest.raises(MienError, match=r"no folder .*nowhere; name the root of Toy: it is made"):
        verify(TOY, tmp_path / "nowhere")


@pytest.mark.real_data
def test_ferplus_as_released_is_faithful(real_data: Path):
    found = verify(load_benchmark("ferplus"), real_data / "ferplus")
    assert (found.is_faithful, found.is_generated) == (True, False)
    assert [split.num_samples + split.num_skipped for split in found.splits] == [28_558, 3_579, 3_573]


# ── fakes ────────────────────────────────────────────────────────────────────────────────────────


def test_fake_is_marked_and_never_faithful(tmp_path):
    write_fake(TOY, tmp_path / "fake")
    found = verify(TOY, tmp_path / "fake")
    assert (found.is_generated, found.is_faithful) == (True, False)
    assert "generated" in found.faults[0]


def test_fake_is_known_from_within_and_from_the_folder_above(tmp_path):
    write_fake(TOY, tmp_path / "a" / "fake")
    assert is_fake(tmp_path / "a" / "fake" / "pictures")
    assert is_fake(tmp_path / "a")
    assert not is_fake(tmp_path)


def test_fake_refuses_a_folder_with_something_in_it(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(MienError, match="not an empty folder"):
        write_fake(TOY, tmp_path)
    assert not (tmp_path / MARKER).exists()


def test_benchmark_without_fake_says_how_to_get_it(tmp_path):
    with pytest.raises(MienError, match="theatre has no fake; mien theatre ROOT"):
        write_fake(load_benchmark("theatre"), tmp_path)


def test_notes_are_counted_and_told_and_leave_the_release_faithful(tmp_path: Path) -> None:
    write_toy(tmp_path)
    found = verify(TOY, tmp_path)
    (train, *_) = found.splits
    assert (train.num_notes, train.num_samples, train.num_skipped) == (2, 3, 1)
    assert [(note.reason, note.count) for note in train.notes] == [("… is drawn", 2)]
    assert found.is_faithful
