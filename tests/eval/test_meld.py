import csv
from collections.abc import Iterable
from pathlib import Path

import av
import pytest

from mien.config import load_config
from mien.eval.benchmarks import load_benchmark
from mien.eval.benchmarks.meld import HOW_TO_GET, MELD, read_meld
from mien.eval.benchmarks.meld_annotations import KNOWN_BAD, KnownBadList, known_bad, read_utterances
from mien.eval.benchmarks.meld_fake import COLUMNS, write_fake_meld
from mien.types import EMOTIONS, MienError, Skipped

pytestmark = pytest.mark.slow  # together they take long

ROW = ("1", "It’s “late”…", "Mrs. Lind", "fear", "negative", "3", "12", "4", "7", "0:12:43,012", "00:12:44,074")


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("meld") / "MELD.Raw"
    write_fake_meld(root)
    return root


def write_csv(path: Path, rows: Iterable[Iterable[str]] = (ROW,), *, columns=COLUMNS, encoding="utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file, lineterminator="\r\n").writerows([columns, *rows])


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def changed(**values: str) -> tuple[str, ...]:
    """ROW with other values, by the columns' names (spaces and dots left out)."""
    return tuple(values.get(name, value) for name, value in zip(COLUMNS, ROW, strict=True))


# ── samples ──────────────────────────────────────────────────────────────────────────────────────


def test_sample_has_all_that_its_row_says(fake: Path) -> None:
    sample = read_meld(fake, "train").samples[2]
    assert sample.id == "train/dia0_utt4"
    assert sample.file == "train/train_splits/dia0_utt4.mp4"
    assert EMOTIONS[sample.labels.category] == "anger"
    assert (sample.labels.scores, sample.labels.vad) == (None, None)
    assert sample.text == "That’s “found”? They’re bent!"
    assert sample.group == "train/dia0"
    assert sample.attributes == {"speaker": "Ada", "sentiment": "negative"}
    assert (sample.start_s, sample.end_s) == (0.0, None)  # StartTime is one of the episode


def test_emotions_are_taken_by_name(fake: Path) -> None:
    read = {s.id.partition("/")[2]: MELD.classes.category[s.labels.category] for s in read_meld(fake, "train").samples}
    assert read == {
        "dia0_utt0": "neutral", "dia0_utt1": "joy", "dia0_utt4": "anger", "dia1_utt0": "fear", "dia1_utt1": "surprise",
        "dia1_utt2": "disgust", "dia2_utt0": "sadness", "dia2_utt1": "neutral", "dia71_utt0": "neutral",
        "dia309_utt0": "joy",
    }  # fmt: skip


def test_dialogues_of_two_splits_are_two_groups(fake: Path) -> None:
    groups = [{sample.group for sample in read_meld(fake, split).samples} for split in MELD.splits]
    assert not set.intersection(*groups)


def test_every_sample_of_the_fake_has_its_video_and_every_row_is_accounted_for(fake: Path) -> None:
    for split, rows in {"train": 11, "dev": 6, "test": 5}.items():
        release = read_meld(fake, split)
        assert len(release.samples) + len(release.skipped) == rows
        assert release.missing(fake) == ()


def test_missing_video_is_told_by_the_name_that_it_should_have(tmp_path: Path) -> None:
    write_csv(tmp_path / "dev_sent_emo.csv", [ROW, changed(Utterance_ID="13")])
    touch(tmp_path / "dev/dev_splits_complete/dia3_utt12.mp4")
    release = read_meld(tmp_path, "dev")
    assert release.missing(tmp_path) == (
        Skipped(what="dev/dia3_utt13", reason=f"dev/dev_splits_complete/dia3_utt13.mp4 is not in {tmp_path}"),
    )


# ── flaws of the release ─────────────────────────────────────────────────────────────────────────


def test_test_videos_that_were_cut_again_are_preferred(fake: Path) -> None:
    folder = "test/output_repeated_splits_test"
    assert [sample.file for sample in read_meld(fake, "test").samples] == [
        f"{folder}/dia0_utt0.mp4",
        f"{folder}/dia0_utt1.mp4",
        f"{folder}/dia38_utt4.mp4",
        f"{folder}/final_videos_testdia93_utt6.mp4",
        f"{folder}/final_videos_testdia108_utt0.mp4",
    ]
    assert (fake / folder / "dia108_utt0.mp4").is_file()  # the wrong cut is there too


def test_videos_without_a_row_are_no_samples(fake: Path) -> None:
    assert (fake / "dev/dev_splits_complete/dia66_utt9.mp4").is_file()
    assert "dev/dia66_utt9" not in {sample.id for sample in read_meld(fake, "dev").samples}


def test_files_of_macos_are_no_videos(tmp_path: Path) -> None:
    write_csv(tmp_path / "test_sent_emo.csv")
    for name in ("._dia3_utt12.mp4", "._final_videos_testdia3_utt12.mp4"):
        touch(tmp_path / "output_repeated_splits_test" / name)
    with pytest.raises(MienError, match=r"no output_repeated_splits_test/\*\.mp4"):
        read_meld(tmp_path, "test")


def test_corrupt_and_absent_videos_are_skipped_with_the_reason(fake: Path) -> None:
    assert read_meld(fake, "train").skipped == (
        Skipped(what="train/dia125_utt3", reason="the release's file is corrupt (its index is missing)"),
    )
    assert read_meld(fake, "dev").skipped == (Skipped(what="dev/dia110_utt7", reason="the release has no video of it"),)
    with pytest.raises(av.error.InvalidDataError):
        av.open(str(fake / "train/train_splits/dia125_utt3.mp4"))


def test_video_put_in_the_place_of_an_absent_one_is_not_used(tmp_path: Path) -> None:
    write_csv(tmp_path / "dev_sent_emo.csv", [ROW, changed(Dialogue_ID="110", Utterance_ID="7")])
    for name in ("dia3_utt12", "dia110_utt7"):
        touch(tmp_path / f"dev_splits_complete/{name}.mp4")
    assert [skipped.what for skipped in read_meld(tmp_path, "dev").skipped] == ["dev/dia110_utt7"]


def test_wrong_cuts_are_used_and_told(fake: Path) -> None:
    told = {s.id: s.attributes["known_issue"] for split in MELD.splits for s in read_meld(fake, split).samples
            if "known_issue" in s.attributes}  # fmt: skip
    assert told == {
        "train/dia71_utt0": "the cut lasts a few hundred ms and misses the utterance",
        "train/dia309_utt0": "the cut is far longer than the utterance",
        "dev/dia99_utt3": "the cut lasts a few hundred ms and misses the utterance",
        "test/dia38_utt4": "the cut is far longer than the utterance",
    }


def test_all_known_bad_utterances_are_listed_once() -> None:
    assert sorted(known_bad("train")) == [
        "dia125_utt3", "dia179_utt8", "dia309_utt0", "dia312_utt9", "dia332_utt1", "dia406_utt2", "dia523_utt10",
        "dia71_utt0",
    ]  # fmt: skip
    assert sorted(known_bad("dev")) == ["dia108_utt5", "dia110_utt7", "dia99_utt3"]
    assert sorted(known_bad("test")) == ["dia220_utt0", "dia38_utt4"]
    listed = load_config(KnownBadList, KNOWN_BAD).utterances
    assert len(listed) == 13
    assert [bad.name for bad in listed if bad.treatment == "skipped"] == ["dia125_utt3", "dia110_utt7"]


def test_notes_say_what_a_reader_of_a_result_must_know() -> None:
    assert "142 of the 143 episodes of test also occur in train" in MELD.notes
    assert "Two utterances" in MELD.notes
    assert "eleven" in MELD.notes  # 13 are listed, 2 of them skipped


# ── text ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_csv_reads_the_same_in_each_encoding(encoding: str, tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", encoding=encoding)
    assert [(u.name, u.text, u.speaker) for u in read_utterances(tmp_path / "a.csv")] == [
        ("dia3_utt12", "It’s “late”…", "Mrs. Lind")
    ]


@pytest.mark.parametrize("spoilt", ["It\x92s \x93late\x94\x85", "It\xe2\x80\x99s â€œlateâ€\x9d…"])
def test_quotes_that_went_through_windows_are_restored(spoilt: str, tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", [changed(Utterance=spoilt)])
    assert read_utterances(tmp_path / "a.csv")[0].text == "It’s “late”…"


def test_quotation_marks_and_line_ends_are_those_of_csv(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", [changed(Utterance='"Wanted. Roommate, non-smoker." Nice!')])
    data = (tmp_path / "a.csv").read_bytes()
    assert data.count(b"\r\n") == 2
    assert b'"""Wanted.' in data
    assert read_utterances(tmp_path / "a.csv")[0].text == '"Wanted. Roommate, non-smoker." Nice!'


# ── where things lie ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("raw", ["", "MELD.Raw"])
@pytest.mark.parametrize("csv_at", ["", "train"])
@pytest.mark.parametrize("videos_at", ["", "train"])
def test_every_way_of_unpacking_reads(raw: str, csv_at: str, videos_at: str, tmp_path: Path) -> None:
    write_csv(tmp_path / raw / csv_at / "train_sent_emo.csv")
    video = Path(raw, videos_at, "train_splits", "dia3_utt12.mp4")
    touch(tmp_path / video)
    assert [sample.file for sample in read_meld(tmp_path, "train").samples] == [video.as_posix()]


def test_copies_of_a_csv_must_say_the_same(tmp_path: Path) -> None:
    touch(tmp_path / "train/train_splits/dia3_utt12.mp4")
    write_csv(tmp_path / "train_sent_emo.csv")
    write_csv(tmp_path / "train/train_sent_emo.csv", encoding="cp1252")
    assert len(read_meld(tmp_path, "train").samples) == 1
    write_csv(tmp_path / "train/train_sent_emo.csv", [changed(Emotion="joy")])
    with pytest.raises(MienError, match=r"train/train_sent_emo\.csv differ"):
        read_meld(tmp_path, "train")


def test_two_folders_of_videos_are_refused_unless_they_are_one(tmp_path: Path) -> None:
    write_csv(tmp_path / "dev_sent_emo.csv")
    touch(tmp_path / "dev_splits_complete/dia3_utt12.mp4")
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/dev_splits_complete").symlink_to(tmp_path / "dev_splits_complete")
    assert len(read_meld(tmp_path, "dev").samples) == 1
    (tmp_path / "dev/dev_splits_complete").unlink()
    touch(tmp_path / "dev/dev_splits_complete/dia3_utt12.mp4")
    with pytest.raises(MienError, match="both have videos of dev; keep one"):
        read_meld(tmp_path, "dev")


@pytest.mark.parametrize("archive", ["MELD.Raw.tar.gz", "train.tar.gz", "MELD.Raw/train.tar.gz"])
def test_archive_that_was_not_unpacked_is_named(archive: str, tmp_path: Path) -> None:
    touch(tmp_path / archive)
    with pytest.raises(MienError, match=rf"no train_sent_emo\.csv in .*{archive} is there; unpack it: tar -xzf"):
        read_meld(tmp_path, "train")
    write_csv(tmp_path / "train_sent_emo.csv")
    with pytest.raises(MienError, match=rf"no train_splits/\*\.mp4 in .*{archive} is there"):
        read_meld(tmp_path, "train")


def test_archive_within_the_archive_is_the_one_to_unpack(tmp_path: Path) -> None:
    for archive in ("MELD.Raw.tar.gz", "MELD.Raw/train.tar.gz"):
        touch(tmp_path / archive)
    with pytest.raises(MienError, match=r"unpack it: tar -xzf train\.tar\.gz"):
        read_meld(tmp_path, "train")


@pytest.mark.parametrize(
    ("file", "what"), [("train_sent_emo_dya.csv", "MELD_Dyadic"), ("emorynlp_train_final.csv", "EmoryNLP")]
)
def test_sibling_data_sets_are_refused_by_name(file: str, what: str, tmp_path: Path) -> None:
    touch(tmp_path / file)
    with pytest.raises(MienError, match=f"{file} is of {what}"):
        read_meld(tmp_path, "train")


def test_other_folder_is_refused_with_what_it_has_and_where_meld_is(tmp_path: Path) -> None:
    touch(tmp_path / "annotations/train.csv")
    with pytest.raises(MienError) as error:
        read_meld(tmp_path, "train")
    assert "no train_sent_emo.csv" in str(error.value)
    assert "it has annotations" in str(error.value)
    assert HOW_TO_GET in str(error.value)
    with pytest.raises(MienError, match="is not a folder"):
        read_meld(tmp_path / "nowhere", "train")


def test_videos_of_something_else_are_refused(tmp_path: Path) -> None:
    write_csv(tmp_path / "train_sent_emo.csv")
    touch(tmp_path / "train_splits/dia9_utt9.mp4")
    with pytest.raises(MienError, match="none of the utterances"):
        read_meld(tmp_path, "train")


def test_unknown_split_is_refused(fake: Path) -> None:
    with pytest.raises(MienError, match="no split 'val'; it has train, dev, test"):
        read_meld(fake, "val")


# ── rows that make no sense ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (changed(Emotion="happy"), r"line 3: Emotion is 'happy'; MELD has anger, disgust, fear, joy, neutral"),
        (changed(Sentiment="bad"), r"line 3: Sentiment is 'bad'; MELD has negative, neutral, positive"),
        (changed(Dialogue_ID="x"), r"line 3: Dialogue_ID is 'x'; it must be a whole number"),
        (ROW, r"line 3: dia3_utt12 is there twice"),
        (ROW[:6], r"line 3: the row has not as many values"),
        ((*ROW, "more"), r"line 3: the row has not as many values"),
    ],
)
def test_row_that_makes_no_sense_is_named_by_its_line(row: tuple[str, ...], message: str, tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", [ROW, row])
    with pytest.raises(MienError, match=message):
        read_utterances(tmp_path / "a.csv")


def test_csv_without_labels_header_or_rows_is_refused(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", [], columns=[name for name in COLUMNS if name != "Emotion"])
    with pytest.raises(MienError, match="line 1: no column Emotion among Sr No"):
        read_utterances(tmp_path / "a.csv")
    touch(tmp_path / "b.csv")
    with pytest.raises(MienError, match=r"b\.csv, line 1: no column Utterance, Speaker"):
        read_utterances(tmp_path / "b.csv")
    write_csv(tmp_path / "c.csv", [])
    with pytest.raises(MienError, match="no utterance"):
        read_utterances(tmp_path / "c.csv")


# ── the benchmark ────────────────────────────────────────────────────────────────────────────────


def test_protocol_is_a_softmax_scored_on_dev_and_test() -> None:
    meld = load_benchmark("meld")
    protocol = meld.protocol()
    assert (protocol.train_split, protocol.report) == ("train", ("dev", "test"))
    assert [(task.name, task.probe.model_dump()) for task in protocol.tasks] == [
        ("emotion", {"kind": "multinomial", "C": 8.0})
    ]
    assert meld.expected == {"train": 9989, "dev": 1109, "test": 2610}
    assert set(meld.classes.category) == {"neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger"}
