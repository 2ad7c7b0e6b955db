"""A moment of a file: the pictures around a second, who is in them, and their faces, as a temporary store.

Of a long film only that is looked at by detectors; all before it is decoded and let go.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from mien.data.store import BOXES_FILE, FACES_FILE, FORMAT, FRAMES_FILE, SETTINGS_FILE, Store
from mien.data.tables import write_boxes, write_faces
from mien.media.frames import FrameReader, FrameWriter
from mien.media.video import IMAGE_SUFFIXES, TIME_TOLERANCE_S, pictures_at, probe_video, read_frames
from mien.perception.detector import build_detector
from mien.prepare.boxes import BoxSettings, annotated_boxes, detect_boxes
from mien.prepare.faces import FaceSettings, detect_faces
from mien.prepare.frames import FrameSettings
from mien.prepare.settings import PrepareSettings
from mien.prepare.sidecar import SUFFIX
from mien.types import BoxTable, MienError, VideoInfo


@dataclass(frozen=True, kw_only=True, slots=True)
class PreparedMoment:
    """The store holds the stretch as a video of its own, `video`, which begins at `start_s` of the file."""

    store: Store
    video: str
    start_s: float
    end_s: float


@contextmanager
def prepared_moment(
    path: Path, *, at_s: float | None = None, window_s: float, frames: FrameSettings
) -> Iterator[PreparedMoment]:
    """The `window_s` seconds around `at_s`, moved to lie in the video; its middle by default. Of a picture, all.

    Persons come from the side-car beside the file, if there is one, and who speaks then is the subject; else from the
    embedded detector, and all are. The store is deleted when the block ends. Raises MienError where the file cannot be
    read, or has ended by then.
    """
    first, count = _frames_wanted(path, at_s, window_s, fps=frames.fps)
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / "videos" / path.stem
        folder.mkdir(parents=True)
        _write_frames(path, folder / FRAMES_FILE, first=first, count=count, settings=frames)
        reader = FrameReader(folder / FRAMES_FILE)
        sidecar = path.with_name(path.stem + SUFFIX)
        has_sidecar = sidecar.is_file()
        boxes = annotated_boxes(reader, sidecar) if has_sidecar else _detected(reader)
        write_boxes(folder / BOXES_FILE, boxes, made_with={})
        settings = FaceSettings(source="detector")
        faces = detect_faces(reader, build_detector(settings.detector), boxes, settings=settings)
        write_faces(folder / FACES_FILE, faces, made_with={})
        made = PrepareSettings(
            frames=frames,
            boxes=BoxSettings(source="sidecar" if has_sidecar else "detector"),
            faces=settings,
            subject="speaking" if boxes.speaking.any() else "all",
        )
        described = {"format": FORMAT, "settings": made.model_dump(mode="json")}
        (Path(root) / SETTINGS_FILE).write_text(json.dumps(described), encoding="utf-8")
        start_s, length_s = first / frames.fps, len(reader) / frames.fps
        yield PreparedMoment(store=Store(Path(root)), video=path.stem, start_s=start_s, end_s=start_s + length_s)


def _frames_wanted(path: Path, at_s: float | None, window_s: float, *, fps: float) -> tuple[int, int]:
    """The first frame of the stretch, and how many."""
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return 0, 1
    length_s = probe_video(path).duration_s  # 0 where the header does not tell
    at_s = length_s / 2 if at_s is None else at_s
    if at_s < 0 or (length_s and at_s >= length_s):
        raise MienError(
            f"{path} lasts {length_s:.1f} s, so there is nothing at {at_s:g} s; name a second before its end"
        )
    latest_s = max(0.0, length_s - window_s) if length_s else at_s
    start_s = min(max(0.0, at_s - window_s / 2), latest_s)
    return round(start_s * fps), max(1, round(window_s * fps))


def _write_frames(path: Path, out: Path, *, first: int, count: int, settings: FrameSettings) -> None:
    probe = probe_video(path)
    times_s = [i / settings.fps for i in range(first, first + count)]
    if probe.duration_s:  # what lies before is leapt over
        shown_s = [time_s for time_s in times_s if time_s < probe.duration_s - TIME_TOLERANCE_S] or times_s[:1]
        pictures = list(pictures_at(path, shown_s, short_side=settings.short_side))
    else:  # where it ends is found by decoding it
        decoded = read_frames(path, fps=settings.fps, short_side=settings.short_side)
        pictures = list(islice(decoded, first, first + count))
    if not pictures:
        raise MienError(f"{path} has ended by {first / settings.fps:.1f} s; name an earlier second")
    info = VideoInfo(
        source=path.name,
        source_width=probe.width,
        source_height=probe.height,
        source_duration_s=len(pictures) / settings.fps,
        width=pictures[0].rgb.shape[1],
        height=pictures[0].rgb.shape[0],
        fps=settings.fps,
        num_frames=len(pictures),
    )
    with FrameWriter(out, info=info, made_with={}, quality=settings.jpeg_quality) as writer:
        for picture in pictures:
            writer.add(picture.rgb, time_s=picture.time_s)


def _detected(reader: FrameReader) -> BoxTable:
    settings = BoxSettings()
    return detect_boxes(reader, build_detector(settings.detector), settings=settings)
