import errno
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from made_videos import write_subtitles, write_video
from prepared import content

from mien.config import validate
from mien.data.store import Store
from mien.data.tables import NO_FACES
from mien.language.transcribe import SpeechRecogniser
from mien.media.frames import FrameWriter
from mien.prepare import Engine, PrepareSettings, Slice, prepare
from mien.types import Detections, MienError
from mien.whole_file import DiskFullError

CLIPS = {"clips.parquet", "index.parquet", "card.json", "card.md"}
LINES = [(0.1, 2.4, "I am so glad you came."), (2.5, 3.0, "Yes."), (3.1, 5.9, "Nobody ever listens to me!")]


def settings(**changes: object) -> PrepareSettings:
    return validate(PrepareSettings, {"boxes": {"source": "none"}} | changes, source="test")


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Two videos of 6 s with subtitles, one in a folder, one with a side-car; and one without either."""
    folder = tmp_path / "videos"
    (folder / "series").mkdir(parents=True)
    write_video(folder / "b.mp4", num_frames=30, fps=5)
    for name in ("series/a", "c"):  # of one size, as the largest would be the first
        shutil.copy(folder / "b.mp4", folder / f"{name}.mp4")
    for name in ("series/a", "b"):
        write_subtitles(folder / f"{name}.srt", LINES)
    (folder / "b.boxes.csv").write_text("time_s,track,x0,y0,x1,y1\n0,0,1,2,33,44\n1,0,1,2,33,44\n2,0,1,2,33,44\n")
    return folder


def files_of(out: Path) -> dict[str, int]:
    return {str(path.relative_to(out)): path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}


def changed(before: dict[str, int], after: dict[str, int]) -> set[str]:
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def test_videos_become_a_store(videos: Path, tmp_path: Path) -> None:
    report = prepare(videos, tmp_path / "store", settings=settings(boxes={"source": "sidecar"}))
    store = Store(tmp_path / "store")
    assert store.videos == ["b", "c", "series/a"]
    assert [clip.id for clip in store.clips()] == ["b#0", "b#2", "series/a#0", "series/a#2"]
    assert (report.num_videos, report.num_new, report.num_clips, report.failed) == (3, 3, 4, ())
    assert len(store.frames("b")) == 48
    assert store.boxes("b").frame.tolist() == list(range(18))  # the 18th shows the picture of 2.0 s
    assert {clip.id: round(clip.person_share, 2) for clip in store.clips()}["b#0"] == round(17 / 19, 2)
    assert len(store.boxes("c")) == 0
    assert np.ptp(store.clips()[0].sentiment_logits) > 0
    assert store.verify() == []
    listed = [json.loads(line) for line in (tmp_path / "store" / "skipped.jsonl").read_text().splitlines()]
    assert {"what": "c", "reason": "no subtitles beside it: it makes no clips"} in listed
    assert {"what": "b#1", "reason": "too short: 0.50 s; more than 2 s is wanted"} in listed


def test_same_again_changes_nothing_and_reports_the_same(videos: Path, tmp_path: Path) -> None:
    out = tmp_path / "store"
    first = prepare(videos, out, settings=settings())
    before = files_of(out)
    second = prepare(videos, out, settings=settings())
    assert changed(before, files_of(out)) == set()
    assert second.num_new == 0
    assert (second.num_skipped, second.card) == (first.num_skipped, first.card)


@pytest.mark.parametrize(
    ("change", "redone"),
    [
        ({"index": {"min_duration_s": 1.0}}, CLIPS | {"skipped.jsonl", "store.json"}),
        ({"boxes": {"source": "sidecar"}}, CLIPS | {"boxes.arrow", "skipped.jsonl", "store.json"}),
        (
            {"frames": {"short_side": 24}},
            {"frames.arrow", "boxes.arrow", "clips.parquet", "index.parquet", "store.json"},
        ),
    ],
)
def test_changed_settings_redo_only_what_depends_on_them(
    videos: Path, tmp_path: Path, change: dict[str, object], redone: set[str]
) -> None:
    out = tmp_path / "store"
    prepare(videos, out, settings=settings(index={"min_duration_s": 0.4}))
    before = files_of(out)
    prepare(videos, out, settings=settings(**({"index": {"min_duration_s": 0.4}} | change)))
    assert {Path(name).name for name in changed(before, files_of(out))} == redone


def test_a_run_broken_off_between_settings_is_noticed(videos: Path, tmp_path: Path) -> None:
    """A, then B killed after the first stage, then A: what B made is made again."""
    out, other = tmp_path / "store", settings(frames={"fps": 4})
    prepare(videos, out, settings=settings())
    before = content(out)

    def kill(video: str, stage: str, fraction: float) -> None:
        if stage == "sentences":
            raise KeyboardInterrupt

    write_subtitles(videos / "b.srt", [(0.0, 3.0, "Other words.")])
    with pytest.raises(KeyboardInterrupt):
        prepare(videos, out, settings=other, on_progress=kill)
    write_subtitles(videos / "b.srt", LINES)
    prepare(videos, out, settings=settings())
    assert content(out) == before


def test_while_files_are_made_anew_there_is_no_index_of_the_old_ones(videos: Path, tmp_path: Path) -> None:
    out = tmp_path / "store"
    prepare(videos, out, settings=settings())
    prepare(videos, out, settings=settings(frames={"fps": 4}), part=Slice.parse("1/1"))
    with pytest.raises(MienError, match=r"no .*index\.parquet; run `mien prepare`"):
        Store(out).clips()
    assert prepare(videos, out, settings=settings(frames={"fps": 4})).num_clips == 4


def test_a_deleted_or_damaged_file_is_made_again(videos: Path, tmp_path: Path) -> None:
    out = tmp_path / "store"
    prepare(videos, out, settings=settings())
    before = content(out)
    (out / "videos" / "b" / "frames.arrow").unlink()
    (out / "videos" / "c" / "boxes.arrow").write_bytes(b"nonsense")
    assert prepare(videos, out, settings=settings()).num_new == 2
    assert content(out) == before


def test_an_excluded_video_takes_its_own_files_along_and_no_others(videos: Path, tmp_path: Path) -> None:
    out, removed = tmp_path / "store", tmp_path / "removed.txt"
    (videos / "b").mkdir()
    (videos / "c.mp4").rename(videos / "b" / "part.mp4")
    prepare(videos, out, settings=settings())
    removed.write_text("b\n")
    report = prepare(videos, out, settings=settings(exclude=[str(removed)]))
    assert [excluded.what for excluded in report.excluded] == ["b"]
    assert Store(out).videos == ["b/part", "series/a"]
    assert {clip.video for clip in Store(out).clips()} == {"series/a"}


def test_an_id_in_a_downloaders_notes_excludes_too(videos: Path, tmp_path: Path) -> None:
    removed = tmp_path / "removed.txt"
    removed.write_text("xYz123\n")
    (videos / "b.info.json").write_text(json.dumps({"id": "xYz123", "extractor_key": "Youtube", "license": "CC BY"}))
    report = prepare(videos, tmp_path / "store", settings=settings(exclude=[str(removed)]))
    assert [excluded.what for excluded in report.excluded] == ["b"]
    kept = prepare(videos, tmp_path / "store", settings=settings())
    assert kept.card
    assert kept.card.sources == {"(root)": 1, "Youtube": 1, "series": 1}
    assert kept.card.licenses == {"unknown": 2, "CC BY": 1}


def test_slices_together_make_the_whole(videos: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    prepare(videos, whole, settings=settings())
    reports = [prepare(videos, parts, settings=settings(), part=Slice.parse(f"{i}/2")) for i in (1, 2)]
    assert sum(report.num_new for report in reports) == 3
    assert all(report.card is None for report in reports)
    assert not (parts / "index.parquet").exists()
    assert prepare(videos, parts, settings=settings()).num_new == 0
    assert content(parts) == content(whole)
    for text in ("0/2", "3/2", "1", "a/b", "1/0"):
        with pytest.raises(MienError, match="it must be of the form i/n"):
            Slice.parse(text)


def test_changed_subtitles_redo_the_sentences_of_that_video(videos: Path, tmp_path: Path) -> None:
    out = tmp_path / "store"
    prepare(videos, out, settings=settings())
    before = files_of(out)
    write_subtitles(videos / "b.srt", [(0.0, 3.0, "Something else now.")])
    report = prepare(videos, out, settings=settings())
    assert changed(before, files_of(out)) == {
        *("videos/b/sentences.parquet", "videos/b/clips.parquet", "skipped.jsonl"),
        *("index.parquet", "card.json", "card.md"),
    }
    assert (report.num_new, report.num_clips) == (1, 3)


def test_words_heard_by_another_rule_are_heard_anew_and_those_of_subtitles_stay(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The videos have no sound, so the recogniser is asked for no word."""
    recogniser = SpeechRecogniser(SimpleNamespace(supported_languages=["en"]), id="deaf")
    for module in ("models", "stages"):
        monkeypatch.setattr(f"mien.prepare.{module}.recogniser_for", lambda name, threads: recogniser)
    out, heard = tmp_path / "store", settings(words={"asr": "deaf"})
    assert prepare(videos, out, settings=heard).failed == ()
    before = files_of(out)
    monkeypatch.setattr("mien.prepare.stages.HEARING_RULE", "another")
    prepare(videos, out, settings=heard)
    redone = {name for name in changed(before, files_of(out)) if name.startswith("videos/")}
    assert redone == {f"videos/c/{file}" for file in ("sentences.parquet", "clips.parquet")}


def test_new_and_removed_videos_change_the_index(videos: Path, tmp_path: Path) -> None:
    out = tmp_path / "store"
    prepare(videos, out, settings=settings())
    (videos / "b.mp4").rename(videos / "d.mp4")
    (videos / "b.srt").rename(videos / "d.srt")
    assert prepare(videos, out, settings=settings()).num_new == 1
    assert [clip.video for clip in Store(out).clips()] == ["d", "d", "series/a", "series/a"]


def test_interrupted_run_leaves_whole_files_and_goes_on(videos: Path, tmp_path: Path) -> None:
    out = tmp_path / "store"

    def interrupt(video: str, stage: str, fraction: float) -> None:
        if video == "c" and stage == "frames" and fraction > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(videos, out, settings=settings(), on_progress=interrupt)
    before = files_of(out)
    assert set(before) == {
        "store.json",
        *(f"videos/b/{f}" for f in ("frames.arrow", "boxes.arrow", "sentences.parquet", "clips.parquet")),
    }
    report = prepare(videos, out, settings=settings())
    assert (report.failed, report.num_videos, report.num_new, report.num_clips) == ((), 3, 2, 4)
    assert {name for name in changed(before, files_of(out)) if name in before} == set()


def test_full_disk_stops_the_run_and_keeps_what_is_there(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "store"
    add, written = FrameWriter.add, []

    def add_until_full(self: FrameWriter, rgb: np.ndarray, *, time_s: float) -> None:
        written.append(time_s)
        if len(written) > 60:  # in the second video
            raise OSError(errno.ENOSPC, "No space left on device")
        add(self, rgb, time_s=time_s)

    monkeypatch.setattr(FrameWriter, "add", add_until_full)
    with pytest.raises(DiskFullError, match=r"no room left for .*frames\.arrow"):
        prepare(videos, out, settings=settings())
    assert [path.name for path in out.rglob("*.part")] == []
    assert Store(out).videos == ["b"]
    monkeypatch.undo()
    assert prepare(videos, out, settings=settings()).num_new == 2


def test_videos_that_fail_are_listed_and_the_others_go_on(videos: Path, tmp_path: Path) -> None:
    (videos / "aa.mp4").write_bytes(b"")
    (videos / "z.mp4").write_bytes(b"no video" * 100)
    (videos / "c.mkv").write_bytes((videos / "c.mp4").read_bytes())
    (videos / "b.boxes.csv").write_text("time_s,track,x0,y0,x1,y1\n0,0,1,2,33,4x4\n")
    report = prepare(videos, tmp_path / "store", settings=settings(boxes={"source": "sidecar"}))
    assert {failed.what for failed in report.failed} == {"aa", "b", "c", "z"}
    assert {clip.video for clip in Store(tmp_path / "store").clips()} == {"series/a"}
    lines = [json.loads(line) for line in (tmp_path / "store" / "skipped.jsonl").read_text().splitlines()]
    reasons = {line["what"]: line["reason"] for line in lines if line.get("failed")}
    assert "is empty" in reasons["aa"]
    assert "line 2: y1 is '4x4', not a number" in reasons["b"]
    assert "rename or remove" in reasons["c"]


def test_truncated_video_keeps_what_decodes_and_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    mjpeg = {"codec": "mjpeg", "pix_fmt": "yuvj420p"}
    whole = write_video(folder / "a.mp4", num_frames=40, fps=8, options={"movflags": "faststart"}, **mjpeg)
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    for _ in range(2):  # said again when nothing is left to do
        report = prepare(folder, tmp_path / "store", settings=settings())
        assert report.failed == ()
        listed = (tmp_path / "store" / "skipped.jsonl").read_text()
        assert "decoded only" in listed
        assert "of 5.0 s" in listed
        assert report.card is not None
        assert report.card.num_cut_off == 1
    assert 0 < len(Store(tmp_path / "store").frames("a")) < 32


def test_pictures_are_videos_of_one_frame(videos: Path, tmp_path: Path) -> None:
    write_video(videos / "photo.png", num_frames=1, codec="png", pix_fmt="rgb24")
    report = prepare(videos, tmp_path / "store", settings=settings(images=True))
    assert report.failed == ()
    info = Store(tmp_path / "store").frames("photo").info
    assert (info.num_frames, info.source_duration_s) == (1, 0.0)


class RightHalf:
    """Finds a person in the right half of each picture, as one box and a faint one."""

    id, threshold, finds = "right-half", 0.3, "persons"
    calls = 0

    def detect(self, frames: np.ndarray) -> list[Detections]:
        self.calls += len(frames)
        _, height, width, _ = frames.shape
        xyxy = np.array([[width / 2, 0, width, height], [0, 0, 4, 4]], np.float32)
        return [Detections(xyxy=xyxy, score=np.array([0.9, 0.2], np.float32)) for _ in frames]


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> RightHalf:
    found = RightHalf()
    monkeypatch.setattr("mien.prepare.models.build_detector", lambda name, threads=0: found)
    monkeypatch.setattr("mien.prepare.stages.detector_for", lambda name, threads: found)
    return found


def test_detected_boxes_are_in_pixels_of_the_source(videos: Path, tmp_path: Path, detector: RightHalf) -> None:
    prepare(videos, tmp_path / "store", settings=settings(boxes={"source": "detector"}, frames={"short_side": 24}))
    boxes = Store(tmp_path / "store").boxes("c")
    assert boxes.frame.tolist() == list(range(48))
    assert boxes.xyxy[0].tolist() == [32, 0, 64, 48]
    assert set(boxes.track.tolist()) == {0}
    assert 3 * 5 <= detector.calls <= 3 * 16  # at least every twelfth of 48 frames and the last, far from all of them


def test_who_speaks_is_told_anew_for_other_words_without_detecting_anew(
    videos: Path, tmp_path: Path, detector: RightHalf
) -> None:
    """Whoever is visible alone speaks, while something is said."""
    chosen, out = settings(boxes={"source": "detector"}, subject="speaking"), tmp_path / "store"
    prepare(videos, out, settings=chosen)
    boxes = Store(out).boxes("b")
    said = {i for start, end, _ in LINES for i in range(48) if start <= i / 8 < end}
    assert set(boxes.frame[boxes.speaking].tolist()) == said
    before, calls = files_of(out), detector.calls
    assert prepare(videos, out, settings=chosen).num_new == 0
    write_subtitles(videos / "b.srt", [(4.0, 5.0, "Now.")])
    prepare(videos, out, settings=chosen)
    boxes = Store(out).boxes("b")
    assert set(boxes.frame[boxes.speaking].tolist()) == set(range(32, 40))
    assert detector.calls == calls
    assert "videos/b/frames.arrow" not in changed(before, files_of(out))
    prepare(videos, out, settings=settings(boxes={"source": "detector"}))
    assert detector.calls == calls


def test_faces_of_an_earlier_run_do_not_stay(
    videos: Path, tmp_path: Path, detector: RightHalf, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, boxes = tmp_path / "store", {"source": "detector"}
    monkeypatch.setattr("mien.prepare.run.require_models", lambda settings: None)
    monkeypatch.setattr("mien.prepare.stages.detect_faces", lambda *given, **named: NO_FACES)
    prepare(videos, out, settings=settings(boxes=boxes, faces=boxes))
    assert (out / "videos" / "b" / "faces.arrow").is_file()
    prepare(videos, out, settings=settings(boxes=boxes))
    assert not (out / "videos" / "b" / "faces.arrow").exists()


def test_folder_of_something_else_is_refused(videos: Path, tmp_path: Path) -> None:
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "chapter.txt").touch()
    with pytest.raises(MienError, match="is there already and is not a store"):
        prepare(videos, out, settings=settings())
    assert [path.name for path in out.iterdir()] == ["chapter.txt"]
    with pytest.raises(MienError, match=r"chapter\.txt is a file; name a folder"):
        prepare(videos, out / "chapter.txt", settings=settings())


@pytest.mark.slow
def test_several_processes_make_the_same_store(videos: Path, tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []
    parallel = prepare(
        videos,
        tmp_path / "two",
        settings=settings(),
        engine=Engine(workers=2),
        on_progress=lambda video, stage, fraction: told.append((video, stage)),
    )
    alone = prepare(videos, tmp_path / "one", settings=settings())
    assert parallel == alone
    assert Store(tmp_path / "two").clips() == Store(tmp_path / "one").clips()
    assert {("b", "frames"), ("series/a", "sentences")} <= set(told)


@pytest.mark.real_data
def test_real_videos_make_clips(real_data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in ("franck.mp4", "franck.en.srt", "noface_face.mov", "multi_face.jpg"):
        (folder / name).symlink_to(real_data / "people" / name)
    report = prepare(folder, tmp_path / "store", settings=settings(boxes={"every": 80}, images=True))
    store = Store(tmp_path / "store")
    assert (report.num_clips, report.failed) == (40, ())
    assert min(clip.person_share for clip in store.clips()) == 1.0
    assert set(store.boxes("franck").track.tolist()) == {0}
    assert set(store.boxes("noface_face").frame.tolist()) == set(range(32, 51))
    assert len(store.boxes("multi_face")) == 5
