"""Writing a theatre: videos, subtitles, boxes and ground truth, file by file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from mien.theatre.pictures import Pictures
from mien.theatre.play import Beat, write_play
from mien.theatre.render import Seen, num_frames, render
from mien.theatre.script import Script, open_script
from mien.theatre.settings import SPLITS, Split, TheatreSettings
from mien.types import MienError
from mien.whole_file import whole_file, write_whole

FORMAT = 1
_ENCODER = {
    "preset": "superfast",
    "crf": "21",
    "threads": "1",
    "bf": "0",
    "x264-params": "threads=1:lookahead-threads=1",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoName:
    """One video of a theatre: `out/split/0000.mp4`."""

    split: Split
    number: int

    def path(self, out: Path, suffix: str) -> Path:
        return out / self.split / f"{self.number:04d}{suffix}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Theatre:
    """What `write_theatre` did: the videos it made, and those that were there already."""

    out: Path
    made: tuple[VideoName, ...]
    kept: tuple[VideoName, ...]


def write_theatre(
    out: Path,
    *,
    settings: TheatreSettings,
    on_video: Callable[[VideoName], None] | None = None,
    workers: int = 1,
) -> Theatre:
    """Makes the theatre of `settings` in the folder `out`; what is there already is kept.

    `out/theatre.json` holds the settings; each video of `out/train` and `out/test` is an `.mp4` with `.srt`,
    `.boxes.csv` and `.truth.json` beside it. `on_video` is told each video as it is done, in order; `workers`
    processes share the work and change nothing in it.

    Raises MienError if `out` holds a theatre of other settings, or something the settings name is missing.
    """
    if workers < 1:
        raise MienError(f"{workers = } must be at least 1")
    for split in SPLITS:
        if settings.count(split):
            _open(settings, split)
    _claim(out, settings)
    names = [VideoName(split=split, number=k) for split in SPLITS for k in range(settings.count(split))]
    kept = tuple(name for name in names if name.path(out, ".truth.json").is_file())
    made = tuple(name for name in names if name not in set(kept))
    for name in _run(partial(write_video, out, settings), made, workers):
        if on_video is not None:
            on_video(name)
    return Theatre(out=out, made=made, kept=kept)


def write_video(out: Path, settings: TheatreSettings, name: VideoName) -> VideoName:
    """Makes one video and its side-cars; the ground truth comes last, so where it is, all is."""
    script, pictures = _open(settings, name.split)
    beats = write_play(settings, name.split, name.number, script=script, pictures=pictures)
    frames = render(beats, width=settings.width, height=settings.height, fps=settings.fps, pictures=pictures)
    path = name.path(out, ".mp4")
    with whole_file(path) as part:
        rows = encode(part, frames, width=settings.width, height=settings.height, fps=settings.fps)
    write_whole(name.path(out, ".srt"), _srt(beats))
    write_whole(name.path(out, ".boxes.csv"), _boxes_csv(rows, settings.fps))
    truth = {"format": FORMAT, "video": path.name, "fps": settings.fps, "width": settings.width,
             "height": settings.height, "num_frames": num_frames(beats, settings.fps), **_truth(beats)}  # fmt: skip
    write_whole(name.path(out, ".truth.json"), json.dumps(truth, indent=1) + "\n")
    return name


def _open(settings: TheatreSettings, split: Split) -> tuple[Script, Pictures | None]:
    pictures = None if settings.faces is None else Pictures(settings.faces, split)
    return open_script(settings.utterances, split, wordings=settings.wordings), pictures


def _run(work: Callable[[VideoName], VideoName], names: Sequence[VideoName], workers: int) -> Iterator[VideoName]:
    if workers == 1 or len(names) < 2:
        yield from map(work, names)
        return
    # Spawned, not forked: the caller may hold threads (torch, OpenCV), and forking those can deadlock.
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=cv2.setNumThreads, initargs=(1,)
    ) as pool:
        yield from pool.map(work, names, chunksize=2)


def _claim(out: Path, settings: TheatreSettings) -> None:
    """Writes the settings into `out`, unless a theatre of other ones is there."""
    path = out / "theatre.json"
    wanted = {"format": FORMAT, "settings": settings.model_dump(mode="json")}
    if path.is_file():
        try:
            found = _essence(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, KeyError, TypeError):
            raise MienError(f"{path} is not a theatre's; name another folder or remove it") from None
        here = _essence(wanted)
        if differing := [key for key in {**here, **found} if here.get(key) != found.get(key)]:
            what = ", ".join(f"{key}: {found.get(key)} there, {here.get(key)} here" for key in differing)
            raise MienError(f"{out} holds a theatre of other settings ({what}); name another folder or remove it")
    write_whole(path, json.dumps(wanted, indent=1) + "\n")


def _essence(theatre: dict[str, Any]) -> dict[str, Any]:
    """What the content of a video depends on; more videos are no other theatre."""
    counts = ("num_train", "num_test")
    return {
        "format": theatre["format"],
        **{key: value for key, value in theatre["settings"].items() if key not in counts},
    }


def encode(
    path: Path, frames: Iterator[tuple[np.ndarray, list[Seen]]], *, width: int, height: int, fps: int
) -> list[list[Seen]]:
    """Writes an H.264 mp4 of the frames; whom each of them shows."""
    rows = []
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps, options=dict(_ENCODER))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, fps)
        stream.codec_context.gop_size = 4 * fps
        for k, (image, seen) in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420), format="yuv420p")
            frame.pts, frame.time_base = k, Fraction(1, fps)
            container.mux(stream.encode(frame))
            rows.append(seen)
        container.mux(stream.encode(None))
    return rows


def _srt(beats: Sequence[Beat]) -> str:
    captions = [caption for beat in beats for caption in beat.line.captions]
    blocks = [
        f"{k}\n{_clock(caption.start_s)} --> {_clock(caption.end_s)}\n{caption.text}\n"
        for k, caption in enumerate(captions, start=1)
    ]
    return "\n".join(blocks)


def _clock(seconds: float) -> str:
    ms = round(seconds * 1000)
    return f"{ms // 3_600_000:02d}:{ms // 60_000 % 60:02d}:{ms // 1000 % 60:02d},{ms % 1000:03d}"


def _boxes_csv(rows: Sequence[Sequence[Seen]], fps: int) -> str:
    lines = ["time_s,track,x0,y0,x1,y1,score,speaking"]
    for k, row in enumerate(rows):
        for seen in row:
            corners = ",".join(f"{c:.1f}" for c in seen.box)
            lines.append(f"{k / fps:.3f},{seen.track},{corners},1.0,{int(seen.speaking)}")
    return "\n".join(lines) + "\n"


def _truth(beats: Sequence[Beat]) -> dict[str, Any]:
    utterances, shots = [], []
    persons: dict[int, dict[str, Any]] = {}
    for beat in beats:
        line, shown = beat.line, beat.shows[beat.line.speaker]
        utterances.append(
            {
                "start_s": line.start_s,
                "end_s": line.end_s,
                "text": line.text,
                "kind": line.kind,
                "speaker": beat.scene.parts[line.speaker].track,
                "emotion": shown.emotion,
                "intensity": round(shown.intensity, 3),
                "categories": list(line.categories),
                "vad": list(line.vad),
            }
        )
        shots.append({"start_s": beat.start_s, "end_s": beat.end_s, "setting": beat.scene.setting.name,
                      "framing": beat.shot.framing})  # fmt: skip
        for part, show in zip(beat.scene.parts, beat.shows, strict=True):
            look = {"hair_style": part.person.hair_style, "garment": part.person.garment}
            person = persons.setdefault(part.track, {"track": part.track, **look, "emotions": []})
            person["emotions"].append({"start_s": beat.start_s, "end_s": beat.end_s, "emotion": show.emotion,
                                       "intensity": round(show.intensity, 3)})  # fmt: skip
    return {"utterances": utterances, "shots": shots, "persons": [persons[track] for track in sorted(persons)]}
