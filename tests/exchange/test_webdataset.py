"""Clips on their way out into shards, and back into a store."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_store import write_store

from mien.data.clips import ClipDataset, ClipSettings
from mien.data.store import (
    BOXES_FILE,
    CLIPS_FILE,
    FACES_FILE,
    FRAMES_FILE,
    INDEX_FILE,
    SETTINGS_FILE,
    SKIPPED_FILE,
    Store,
)
from mien.data.tables import write_faces, write_index
from mien.exchange import ExportSettings, export_webdataset, import_webdataset
from mien.exchange.clip_video import decoded_pictures, encode_clip, stored_jpegs
from mien.exchange.sample import About, ClipSample, from_json, to_json
from mien.media.transforms import Preprocess
from mien.prepare.settings import PrepareSettings
from mien.types import BoxTable, Clip, FaceTable, MienError, VideoInfo
from mien.whole_file import DiskFullError

MJPEG = ExportSettings(codec="mjpeg", clips_per_shard=5)
MIN_PSNR = 38.0  # dB, of what docs/exchange.md promises for crf 18


def by_id(store: Store) -> list[Clip]:
    return sorted(store.clips(), key=lambda clip: clip.id)


def lines_of(store: Path) -> list[dict]:
    return [json.loads(line) for line in (store / SKIPPED_FILE).read_text(encoding="utf-8").splitlines()]


def assert_same_rows(a: BoxTable | FaceTable, b: BoxTable | FaceTable) -> None:
    for name, column in asdict(a).items():
        np.testing.assert_array_equal(column, getattr(b, name))


def test_shards_are_laid_out_as_video2dataset_does(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store")
    report = export_webdataset(store.path, tmp_path / "out", settings=MJPEG)
    assert (report.num_shards, report.num_clips, report.skipped) == (3, 12, ())
    names = {"export.json"} | {f"{i:05d}{end}" for i in range(3) for end in (".tar", ".parquet", "_stats.json")}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    with tarfile.open(tmp_path / "out" / "00001.tar") as tar:
        members = tar.getnames()
        assert members[:4] == ["000010.json", "000010.mp4", "000010.txt", "000011.json"]
        told = json.loads(tar.extractfile("000012.json").read())  # type: ignore[union-attr]
        assert tar.extractfile("000012.txt").read().decode() == told["caption"] == store.clips()[7].text  # type: ignore[union-attr]
    table = pq.read_table(tmp_path / "out" / "00001.parquet").to_pylist()
    assert [row["key"] for row in table] == [f"00001{i}" for i in range(5)]
    assert {row["status"] for row in table} == {"success"}
    assert table[2]["id"] == told["id"] == store.clips()[7].id
    assert len(told["boxes"]) == len(told["time_s"]) == 12
    assert told["boxes"][0][0] == {"xyxy": [26, 40, 66, 120], "score": pytest.approx(0.9), "track": 1, "speaking": True}


@pytest.mark.parametrize("codec", ["mjpeg", "h264"])
def test_the_same_store_gives_the_same_bytes(tmp_path: Path, codec: str) -> None:
    store = write_store(tmp_path / "store", num_videos=2)
    chosen = ExportSettings.model_validate({"codec": codec, "clips_per_shard": 3})
    for out in ("a", "b"):
        export_webdataset(store.path, tmp_path / out, settings=chosen)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_mjpeg_brings_back_the_very_same_store(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store")
    export_webdataset(store.path, tmp_path / "out", settings=MJPEG)
    report = import_webdataset(tmp_path / "out", tmp_path / "back", settings=PrepareSettings())
    back = Store(tmp_path / "back")
    assert (report.num_videos, report.num_clips, report.failed) == (3, 12, ())
    assert back.verify() == []
    assert by_id(back) == by_id(store)
    assert back.settings == store.settings
    for video in store.videos:
        ours, theirs = back.frames(video), store.frames(video)
        end = max(clip.end_frame for clip in store.clips() if clip.video == video)
        assert [bytes(ours.jpeg(i)) for i in range(end)] == [bytes(theirs.jpeg(i)) for i in range(end)]
        assert ours.times_s == theirs.times_s[:end]
        assert asdict(ours.info) == asdict(theirs.info) | {"num_frames": end}
        kept = store.boxes(video).frame < end
        assert_same_rows(
            back.boxes(video), BoxTable(**{name: column[kept] for name, column in asdict(store.boxes(video)).items()})
        )


def test_faces_travel_where_there_are_some(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store", num_videos=2)
    rng = np.random.default_rng(0)
    faces = FaceTable(
        frame=np.repeat(np.arange(1, 15, dtype=np.int32), 2),
        xyxy=rng.normal(size=(28, 4)).astype(np.float32),
        landmarks=rng.normal(size=(28, 5, 2)).astype(np.float32),
        score=rng.random(28, np.float32),
        track=np.tile(np.array([1, -1], np.int32), 14),
    )
    write_faces(store.folder("train/0") / FACES_FILE, faces, made_with={})
    export_webdataset(store.path, tmp_path / "out", settings=MJPEG)
    import_webdataset(tmp_path / "out", tmp_path / "back", settings=PrepareSettings())
    back = Store(tmp_path / "back")
    assert_same_rows(back.faces("train/0"), faces)
    assert not (back.folder("test/0") / FACES_FILE).exists()


def test_a_sample_read_for_training_is_the_same_after_the_journey(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store", num_videos=2)
    export_webdataset(store.path, tmp_path / "out", settings=MJPEG)
    import_webdataset(tmp_path / "out", tmp_path / "back", settings=PrepareSettings())
    chosen = ClipSettings(num_frames=4, subject="speaking")
    read = [
        ClipDataset(s, by_id(s), settings=chosen, preprocess=Preprocess(image_size=32))[0, 5]
        for s in (store, Store(tmp_path / "back"))
    ]
    np.testing.assert_array_equal(read[0].frames, read[1].frames)
    assert all((a == b).all() and len(a) for a, b in zip(read[0].boxes, read[1].boxes, strict=True))
    assert (read[0].id, read[0].text) == (read[1].id, read[1].text)


def test_h264_keeps_all_but_the_last_bit_of_the_pictures(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store", num_videos=2)
    export_webdataset(store.path, tmp_path / "out", settings=ExportSettings())
    import_webdataset(tmp_path / "out", tmp_path / "back", settings=PrepareSettings())
    back = Store(tmp_path / "back")
    assert by_id(back) == by_id(store)
    for video in store.videos:
        assert psnr(store.frames(video).decode(3), back.frames(video).decode(3)) > MIN_PSNR


@pytest.mark.parametrize(("width", "height"), [(64, 48), (75, 48), (64, 49), (75, 49)])
def test_pictures_with_odd_sides_come_back_whole(width: int, height: int) -> None:
    y, x = np.mgrid[:height, :width]
    pictures = [np.stack([128 + 90 * np.sin((x + 3 * t) / 9), 2 * y, x], axis=-1).astype(np.uint8) for t in range(9)]
    jpegs = [simplejpeg.encode_jpeg(np.ascontiguousarray(p), quality=95) for p in pictures]
    mp4 = encode_clip(jpegs, fps=8.0, width=width, height=height, codec="h264", crf=18)
    back = list(decoded_pictures(mp4, width=width, height=height))
    assert [p.shape for p in back] == [(height, width, 3)] * 9
    assert min(psnr(a, b) for a, b in zip(pictures, back, strict=True)) > 30.0  # odd columns share their colour
    mp4 = encode_clip(jpegs, fps=8.0, width=width, height=height, codec="mjpeg", crf=18)
    assert stored_jpegs(mp4) == jpegs


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    error = np.mean((a.astype(float) - b.astype(float)) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


# ── again, and when something is wrong ───────────────────────────────────────────────────────────


def test_a_second_export_and_import_find_nothing_to_do(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store")
    export_webdataset(store.path, tmp_path / "out", settings=MJPEG)
    import_webdataset(tmp_path / "out", tmp_path / "back", settings=PrepareSettings())
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()}
    assert export_webdataset(store.path, tmp_path / "out", settings=MJPEG).num_new == 0
    assert import_webdataset(tmp_path / "out", tmp_path / "back", settings=PrepareSettings()).num_new == 0
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()} == before


def test_only_what_is_missing_or_changed_is_made_again(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store", num_videos=3, clips_per_video=4)
    chosen = ExportSettings(codec="mjpeg", clips_per_shard=4)
    export_webdataset(store.path, tmp_path / "out", settings=chosen)
    (tmp_path / "out" / "00001_stats.json").unlink()  # as after a kill
    assert export_webdataset(store.path, tmp_path / "out", settings=chosen).num_new == 1
    boxes = store.folder("train/0") / BOXES_FILE
    boxes.write_bytes(boxes.read_bytes())  # written anew
    assert export_webdataset(store.path, tmp_path / "out", settings=chosen).num_new == 1
    fewer = export_webdataset(store.path, tmp_path / "out", settings=ExportSettings(codec="mjpeg"))
    assert (fewer.num_shards, sorted(p.name for p in (tmp_path / "out").glob("*.tar"))) == (1, ["00000.tar"])


def test_what_a_killed_process_left_is_cleared_away_in_time(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store", num_videos=1)
    export_webdataset(store.path, tmp_path / "out", settings=MJPEG)
    import_webdataset(tmp_path / "out", tmp_path / "back", settings=PrepareSettings())
    for folder in (tmp_path / "out", tmp_path / "back" / "videos" / "test" / "0"):
        for name, age_s in ((".old.1.part", 7200), (".new.2.part", 60)):
            (folder / name).touch()
            os.utime(folder / name, (time.time() - age_s,) * 2)
    (tmp_path / "back" / "videos" / "test" / "0" / CLIPS_FILE).unlink()
    export_webdataset(store.path, tmp_path / "out", settings=MJPEG)
    import_webdataset(tmp_path / "out", tmp_path / "back", settings=PrepareSettings())
    assert sorted(path.name for path in tmp_path.rglob("*.part")) == [".new.2.part"] * 2  # somebody may be at it


def test_shards_end_at_their_bytes(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store")
    reader = store.frames("train/0")
    clip_bytes = sum(len(reader.jpeg(i)) for i in range(12))
    chosen = ExportSettings(codec="mjpeg", bytes_per_shard=int(2.5 * clip_bytes))
    assert export_webdataset(store.path, tmp_path / "out", settings=chosen).num_shards == 6


def test_a_missing_video_is_listed_and_costs_only_itself(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store")
    (store.folder("train/1") / FRAMES_FILE).unlink()
    report = export_webdataset(store.path, tmp_path / "out", settings=MJPEG)
    assert (report.num_clips, [s.what for s in report.skipped]) == (8, [f"train/1#{i}" for i in range(4)])
    assert export_webdataset(store.path, tmp_path / "out", settings=MJPEG).skipped == report.skipped
    rows = pq.read_table(tmp_path / "out" / "00000.parquet").to_pylist()
    assert [row["status"] for row in rows] == ["success"] * 4 + ["failed_to_read"]
    assert import_webdataset(tmp_path / "out", tmp_path / "back", settings=PrepareSettings()).num_clips == 8


def test_a_full_disk_leaves_no_half_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = write_store(tmp_path / "store")
    added = tarfile.TarFile.addfile

    def fills_up(tar: tarfile.TarFile, member: tarfile.TarInfo, file: object = None) -> None:
        if member.name == "000011.mp4":
            raise OSError(errno.ENOSPC, "No space left on device")
        added(tar, member, file)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(tarfile.TarFile, "addfile", fills_up)
        with pytest.raises(DiskFullError, match=r"00001\.tar"):
            export_webdataset(store.path, tmp_path / "out", settings=MJPEG)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["00000.parquet", "00000.tar", "00000_stats.json", "export.json"]
    assert export_webdataset(store.path, tmp_path / "out", settings=MJPEG).num_new == 2


def test_other_peoples_folders_are_left_alone(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store", num_videos=1)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "00000.tar").touch()
    with pytest.raises(MienError, match="no export"):
        export_webdataset(store.path, tmp_path / "out", settings=MJPEG)
    export_webdataset(store.path, tmp_path / "shards", settings=MJPEG)
    for described in (None, '{"format": 2', "[]"):
        if described:
            (store.path / SETTINGS_FILE).write_text(described)
        with pytest.raises(MienError, match="not imported from webdataset"):
            import_webdataset(tmp_path / "shards", store.path, settings=PrepareSettings())


def test_what_lies_in_no_clip_is_grey_and_listed(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store", num_videos=1, clips_per_video=9)
    chosen = [clip for clip in store.clips() if clip.start_frame in (2, 8)]
    short = Clip(**asdict(chosen[0]) | {"end_frame": 6})
    write_index(store.path / INDEX_FILE, [short, chosen[1]], made_with={})
    export_webdataset(store.path, tmp_path / "out", settings=MJPEG)
    import_webdataset(tmp_path / "out", tmp_path / "back", settings=PrepareSettings())
    back = Store(tmp_path / "back")
    assert back.clips() == [short, chosen[1]]
    is_grey = [bool(np.all(back.frames("test/0").decode(i) == 128)) for i in range(20)]
    assert is_grey == [True] * 2 + [False] * 4 + [True] * 2 + [False] * 12
    assert set(back.boxes("test/0").frame.tolist()) == {*range(2, 6), *range(8, 20)}
    assert [line["reason"].split(":")[0] for line in lines_of(back.path)] == [
        "4 of its first 20 frames lie in no clip of the shards"
    ]


def test_a_damaged_clip_is_listed_and_costs_only_itself(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store", num_videos=1, clips_per_video=4)
    export_webdataset(store.path, tmp_path / "out", settings=MJPEG)
    shard = tmp_path / "out" / "00000.tar"
    with tarfile.open(shard) as tar:
        member = tar.getmember("000001.mp4")
    content = bytearray(shard.read_bytes())
    content[member.offset_data : member.offset_data + member.size] = bytes(member.size)
    shard.write_bytes(content)
    report = import_webdataset(shard, tmp_path / "back", settings=PrepareSettings())
    assert (report.num_clips, report.failed) == (3, ())
    assert [line["what"] for line in lines_of(tmp_path / "back")] == ["test/0#1"]
    assert Store(tmp_path / "back").verify() == []


@pytest.mark.parametrize("name", ["../out", "/etc/x", "a/../b", ".hidden", "", "a//b"])
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    store = write_store(tmp_path / "store", num_videos=1, clips_per_video=1)
    export_webdataset(store.path, tmp_path / "out", settings=MJPEG)
    shard = tmp_path / "out" / "00000.tar"
    wrong = json.dumps({"video": name})[1:-1].replace('": "', '":"').encode()
    with tarfile.open(shard) as tar:
        told = tar.extractfile("000000.json").read()  # type: ignore[union-attr]
    padded = told.replace(b'"video":"test/0"', wrong)
    padded += b" " * (len(told) - len(padded)) if len(padded) <= len(told) else b""
    rewritten = tmp_path / "shard.tar"
    with tarfile.open(shard) as old, tarfile.open(rewritten, "w") as new:
        for member in old.getmembers():
            content = padded if member.name.endswith(".json") else old.extractfile(member).read()  # type: ignore[union-attr]
            member.size = len(content)
            (tmp_path / "member").write_bytes(content)
            with (tmp_path / "member").open("rb") as file:
                new.addfile(member, file)
    with pytest.raises(MienError, match="can be no video's name"):
        import_webdataset(rewritten, tmp_path / "back", settings=PrepareSettings())
    assert not (tmp_path / "back").exists()


KILLED = """
import os, signal, sys, tarfile
from pathlib import Path
from mien.exchange import ExportSettings, export_webdataset, import_webdataset
from mien.media.frames import FrameWriter
from mien.prepare.settings import PrepareSettings

where, left = Path(sys.argv[1]), int(sys.argv[3])
added = {"tar": tarfile.TarFile.addfile, "frames": FrameWriter.add_jpeg}

def dies(self, *args, **kwargs):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    added[sys.argv[2]](self, *args, **kwargs)

if sys.argv[2] == "tar":
    tarfile.TarFile.addfile = dies
    export_webdataset(where / "store", where / "out", settings=ExportSettings(codec="mjpeg", clips_per_shard=5))
else:
    FrameWriter.add_jpeg = dies
    import_webdataset(where / "out", where / "back", settings=PrepareSettings())
"""


@pytest.mark.slow
@pytest.mark.parametrize(("left_in_tar", "left_in_frames"), [(8, 3), (35, 40)])
def test_killed_at_any_moment_the_same_call_finishes_the_rest(
    tmp_path: Path, left_in_tar: int, left_in_frames: int
) -> None:
    store = write_store(tmp_path / "store")
    for what, left, out in (("tar", left_in_tar, "out"), ("frames", left_in_frames, "back")):
        died = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), what, str(left)], check=False)
        assert died.returncode == -signal.SIGKILL
        whole = [path for path in (tmp_path / out).rglob("*") if path.is_file() and not path.name.endswith(".part")]
        export_webdataset(store.path, tmp_path / "out", settings=MJPEG)
        if what == "frames":
            import_webdataset(tmp_path / "out", tmp_path / "back", settings=PrepareSettings())
        export_webdataset(store.path, tmp_path / "clean" / "out", settings=MJPEG)
        import_webdataset(tmp_path / "clean" / "out", tmp_path / "clean" / "back", settings=PrepareSettings())
        for path in whole:  # what was there after the kill was whole already
            assert path.read_bytes() == (tmp_path / "clean" / path.relative_to(tmp_path)).read_bytes(), path
    for path in (tmp_path / "clean").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / path.relative_to(tmp_path / "clean")).read_bytes(), path


@pytest.mark.slow
def test_several_processes_write_the_same(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store")
    seen: list[tuple[int, int]] = []
    for workers in (1, 2):
        out, back = tmp_path / f"out{workers}", tmp_path / f"back{workers}"
        export_webdataset(store.path, out, settings=MJPEG, workers=workers, on_clip=lambda *at: seen.append(at))
        import_webdataset(out, back, settings=PrepareSettings(), workers=workers)
    assert seen[-1] == seen[3] == (12, 12)
    for kind in ("out", "back"):
        for path in (tmp_path / f"{kind}1").rglob("*.*"):
            other = tmp_path / f"{kind}2" / path.relative_to(tmp_path / f"{kind}1")
            assert path.read_bytes() == other.read_bytes(), path


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it leaves the tar open
def test_the_webdataset_package_reads_it(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset", reason="the package webdataset is not installed")
    store = write_store(tmp_path / "store", num_videos=1)
    export_webdataset(store.path, tmp_path / "out", settings=MJPEG)
    samples = list(webdataset.WebDataset(str(tmp_path / "out" / "00000.tar"), shardshuffle=False))
    assert [sample["__key__"] for sample in samples] == [f"00000{i}" for i in range(4)]
    assert [sample["txt"].decode() for sample in samples] == [clip.text for clip in store.clips()]


# ── the JSON ─────────────────────────────────────────────────────────────────────────────────────

FLOATS = st.floats(-1e6, 1e6, width=32)


@st.composite
def told_clips(draw: st.DrawFn) -> dict:
    """What a sample is made of. (The records themselves are made in the test: checking their shapes draws numbers.)"""
    start, count = draw(st.integers(0, 1000)), draw(st.integers(1, 6))
    frames = sorted(draw(st.lists(st.integers(start, start + count - 1), max_size=8)))
    n = len(frames)
    clip = {
        "id": draw(st.text()),
        "video": draw(st.text()),
        "start_frame": start,
        "end_frame": start + count,
        "start_s": draw(st.floats(0, 1e5)),
        "end_s": draw(st.floats(0, 1e5)),
        "text": draw(st.text()),
        "sentiment_logits": tuple(draw(st.lists(FLOATS, min_size=7, max_size=7))),
        "person_share": draw(st.floats(0, 1, width=32)),
    }
    boxes = {
        "frame": np.array(frames, np.int32),
        "xyxy": np.array(draw(st.lists(FLOATS, min_size=4 * n, max_size=4 * n)), np.float32).reshape(n, 4),
        "score": np.array(draw(st.lists(FLOATS, min_size=n, max_size=n)), np.float32),
        "track": np.array(draw(st.lists(st.integers(-1, 99), min_size=n, max_size=n)), np.int32),
        "speaking": np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)), np.bool_),
    }
    times = tuple(draw(st.lists(st.floats(0, 1e5), min_size=count, max_size=count)))
    points = draw(st.lists(FLOATS, min_size=10 * n, max_size=10 * n))
    faces = {name: boxes[name] for name in ("frame", "xyxy", "score", "track")}
    faces["landmarks"] = np.array(points, np.float32).reshape(n, 5, 2)
    return {
        "faces": draw(st.sampled_from([faces, None])),
        "clip": clip,
        "boxes": boxes,
        "times_s": times,
        "fps": draw(st.sampled_from([8.0, 5.0, 24000 / 1001])),
    }


@settings(max_examples=60, deadline=None)
@given(told_clips())
def test_nothing_of_a_clip_is_lost_in_its_json(told: dict) -> None:
    clip, boxes = Clip(**told["clip"]), BoxTable(**told["boxes"])
    faces = FaceTable(**told["faces"]) if told["faces"] else None
    info = VideoInfo(
        source="a.mp4",
        source_width=640,
        source_height=360,
        source_duration_s=12.3,
        width=455,
        height=256,
        fps=told["fps"],
        num_frames=clip.end_frame,
    )
    sample = ClipSample(
        clip=clip,
        info=info,
        codec="mjpeg",
        times_s=told["times_s"],
        boxes=boxes,
        faces=faces,
        about=About(models={"sentiment": "m"}),
        store_settings={"subject": "all"},
    )
    back = from_json(json.loads(to_json(sample, key="000000").model_dump_json()))
    assert_same_rows(back.boxes, boxes)
    assert (back.faces is None) == (faces is None)
    if back.faces and faces:
        assert_same_rows(back.faces, faces)
    assert back.clip == clip
    assert (back.info, back.times_s, back.about) == (info, sample.times_s, sample.about)


def test_json_that_contradicts_itself_is_an_error() -> None:
    with pytest.raises(MienError, match="not that of a clip"):
        from_json({"mien": 1, "sentiment_logits": []})


def test_urls_are_refused_and_make_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = write_store(tmp_path / "store")
    with pytest.raises(MienError, match="is a URL"):
        export_webdataset(store.path, Path("s3://bucket/shards"), settings=ExportSettings())
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
