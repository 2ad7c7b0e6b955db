"""The import of the released EmotionCLIP pipeline's data as a store.

Layout, as its scripts write and read it (github.com/Xeaver/EmotionCLIP, `preprocessing/` and `src/datasets/`): a folder
a video, named by its YouTube id, with

- `frames.hdf5`: a dataset `00000001.jpg`, `00000002.jpg`, … a picture, the bytes of a JPEG as FFmpeg wrote it at 8 fps;
  pictures without speech may have been deleted;
- `human_boxes.json`: `[{"00000001.jpg": [[x0, y0, x1, y1, score], …]}, …]`, in pixels of YOLOv7's letterboxed picture;
- `transcript_cleaned.json`: `[{"text", "start", "end", "duration"}, …]`, sentences, in seconds;

and for all together an index, `[{"video_id", "start_frame", "end_frame", "text", …}, …]`, and beside it an array of
logits (`.npy`, [clips, 7], over anger, disgust, fear, joy, neutral, sadness, surprise), a row a sample.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from mien.config import Config
from mien.data.store import FORMAT, FRAMES_FILE
from mien.data.tables import ScoredSentences
from mien.exchange.finish import (
    ImportedVideo,
    ImportReport,
    claim_store,
    finish_import,
    give_up,
    is_made,
    write_tables,
)
from mien.exchange.letterbox import SIDE, STRIDE
from mien.exchange.released_boxes import read_human_boxes
from mien.exchange.released_frames import require_h5py, store_frames
from mien.exchange.released_words import FPS, ReleasedLogits, read_index, read_transcript
from mien.exchange.sample import About
from mien.language.sentiment import SentimentModel
from mien.media.frames import FrameReader
from mien.prepare.boxes import BoxSettings
from mien.prepare.clips import IndexSettings, clips_of
from mien.prepare.engines import OnProgress, run_local
from mien.prepare.frames import FrameSettings
from mien.prepare.models import sentiment_for
from mien.prepare.settings import PrepareSettings, WordSettings
from mien.prepare.video import failure_of
from mien.prepare.videos import excluded_ids, exclusion
from mien.types import EMOTIONS, Clip, MienError, Sentence, Skipped
from mien.whole_file import remove_left_parts

IMPORTED_FROM = "released"
FRAMES, BOXES, WORDS = "frames.hdf5", "human_boxes.json", "transcript_cleaned.json"
RELEASED_SENTIMENT = "j-hartmann/emotion-english-distilroberta-base"
YOLO_MIN_SCORE = 0.25
"""YOLOv7's own threshold: what the released script stores."""


class ReleasedSettings(Config):
    """How released data is read; the defaults are what the released scripts do."""

    short_side: int = Field(256, gt=0)
    jpeg_quality: int = Field(90, ge=1, le=100)
    """Of pictures that must be shrunk; smaller ones are kept byte for byte."""
    boxes_in: Literal["letterbox", "source"] = "letterbox"
    """What the boxes are pixels of: the letterboxed picture (as released), or the stored one."""
    letterbox_side: int = Field(SIDE, gt=0)
    letterbox_stride: int = Field(STRIDE, gt=0)
    index: IndexSettings = IndexSettings(min_box_score=0.5)
    """A box counts as a person from 0.5 on, as in the paper."""
    sentiment: str = "mien"
    """The model that scores sentences without released logits: ours, or `hf:` and the id of the one they are from."""
    exclude: tuple[str, ...] = ("bold_sources",)
    keep_duplicates: bool = False


def import_released(
    roots: Sequence[Path],
    out: Path,
    *,
    settings: ReleasedSettings,
    index: Path | None = None,
    logits: Path | None = None,
    workers: int = 1,
    on_video: Callable[[int, int], None] = lambda done, total: None,
) -> ImportReport:
    """Make the store `out` of released data; a video's three files may lie under different roots.

    With `index` and `logits`, sentences have the logits that were released with them; others are scored by our model,
    and listed. The same call goes on from where it was interrupted; a video that makes no sense is listed, and stops no
    other. Raises MienError where there is nothing to import, `out` is someone else's folder, or the disk is full.
    """
    if (index is None) != (logits is None):
        raise MienError("the released logits are rows of the released index: give both files, or neither")
    require_h5py()
    sentiment_for(settings.sentiment)  # missing models are told now, not once a video
    released = read_index(index, logits) if index and logits else None
    videos = _find(roots)
    ids = excluded_ids(settings.exclude)
    excluded = {
        name: Skipped(what=name, reason=reason) for name in videos if (reason := exclusion(_ids(name), ids)) is not None
    }
    claim_store(out, _store_settings(settings), imported_from=IMPORTED_FROM)
    chosen = [name for name in videos if name not in excluded]
    works = (  # the logits of one video at a time become numbers of Python
        _Work(name=name, files=videos[name], logits=released.of(name) if released else None) for name in chosen
    )
    job = partial(_make, out=out, settings=settings)
    done: list[ImportedVideo] = []
    on_video(0, len(chosen))
    for video in run_local(job, works, workers=min(workers, len(chosen)), give_up=give_up):
        done.append(video)
        on_video(len(done), len(chosen))
    return finish_import(out, done, keep_duplicates=settings.keep_duplicates, left_out=list(excluded.values()))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Work:
    """One video: its files by their names, and the released logits of its sentences."""

    name: str
    files: dict[str, Path]
    logits: ReleasedLogits | None


def _find(roots: Sequence[Path]) -> dict[str, dict[str, Path]]:
    """The files of each video that has frames, by its id; where several roots have one, the first counts."""
    videos: dict[str, dict[str, Path]] = {}
    for root in roots:
        if not root.is_dir():
            raise MienError(f"no folder {root}; it should hold a folder a video, with {FRAMES} in it")
        for folder in sorted(root.iterdir()):
            for file in (FRAMES, BOXES, WORDS):
                if (folder / file).is_file():
                    videos.setdefault(folder.name, {}).setdefault(file, folder / file)
    found = {name: files for name, files in sorted(videos.items()) if FRAMES in files}
    if not found:
        where = ", ".join(map(str, roots))
        raise MienError(f"{where} holds no {FRAMES}; it should hold a folder a video, with that file in it")
    return found


def _ids(name: str) -> tuple[str, str]:
    """What a folder may be called in a list of ids: its name, and that up to a `&` (`ID&list=…`)."""
    return name, name.partition("&")[0]


def _store_settings(settings: ReleasedSettings) -> dict[str, Any]:
    """What was done to the data before, in the terms of `mien prepare`."""
    boxes = BoxSettings(source="detector", detector="yolov7", min_score=YOLO_MIN_SCORE, every=1)
    frames = FrameSettings(fps=FPS, short_side=settings.short_side, jpeg_quality=settings.jpeg_quality)
    described = PrepareSettings(
        frames=frames,
        words=WordSettings(sentiment=settings.sentiment),
        boxes=boxes,
        index=settings.index,
        exclude=settings.exclude,
        keep_duplicates=settings.keep_duplicates,
    )
    return described.model_dump(mode="json")


def _make(work: _Work, on_progress: OnProgress, *, out: Path, settings: ReleasedSettings) -> ImportedVideo:
    """One video's files. What is wrong with it is returned, not raised; only a full disk concerns all."""
    try:
        return _import(work, out / "videos" / work.name, settings=settings)
    except Exception as error:
        return ImportedVideo(name=work.name, failure=failure_of(work.name, error))


def _import(work: _Work, folder: Path, *, settings: ReleasedSettings) -> ImportedVideo:
    model = sentiment_for(settings.sentiment)
    inputs: dict[str, Any] = {"logits": work.logits.digest if work.logits else None, "sentiment": model.id}
    for name, path in sorted(work.files.items()):
        inputs[name] = [path.stat().st_size, path.stat().st_mtime_ns]
    made_with = {
        "format": FORMAT,
        "settings": settings.model_dump(mode="json", exclude={"exclude", "keep_duplicates"}),
        "inputs": inputs,
    }
    if is_made(folder, made_with):
        return ImportedVideo(name=work.name)
    remove_left_parts(folder)
    skipped = [_without(work.name, file) for file in (BOXES, WORDS) if file not in work.files]
    stored = store_frames(
        work.files[FRAMES],
        folder / FRAMES_FILE,
        fps=FPS,
        short_side=settings.short_side,
        quality=settings.jpeg_quality,
        made_with=made_with,
    )
    reader = FrameReader(folder / FRAMES_FILE)
    boxes, unplaced = read_human_boxes(
        work.files.get(BOXES),
        reader.info,
        first_number=stored.first_number,
        letterbox=(settings.letterbox_side, settings.letterbox_stride) if settings.boxes_in == "letterbox" else None,
    )
    sentences, unread = read_transcript(work.files.get(WORDS))
    scored, scored_by, unscored = _score(sentences, work.logits, model)
    fit, unfit = clips_of(work.name, reader, boxes, scored, settings=settings.index)
    clips, frameless = _with_frames(fit, stored.missing)
    lines = [*stored.skipped, *unplaced, *unread, *unscored]
    skipped += [Skipped(what=f"{work.name}: {line.what}", reason=line.reason) for line in lines]
    write_tables(
        folder,
        boxes=boxes,
        scored=scored,
        clips=clips,
        unfit=unfit,
        skipped=[*skipped, *frameless],
        about=About(
            language="en",
            words_from="transcript_cleaned.json",
            source="youtube",
            models={"boxes": "yolov7", "sentiment": scored_by},
        ),
        min_box_score=settings.index.min_box_score,
        made_with=made_with,
    )
    return ImportedVideo(name=work.name, is_new=True)


def _without(name: str, file: str) -> Skipped:
    lacks = "nobody is known to be in its pictures" if file == BOXES else "it makes no clips"
    return Skipped(what=name, reason=f"no {file}: {lacks}")


def _score(
    sentences: Sequence[Sentence], released: ReleasedLogits | None, model: SentimentModel
) -> tuple[ScoredSentences, str, list[Skipped]]:
    """The released logits of each sentence that has some, our model's of the others, which are told of last.

    Between them the id of the model: ours only where no sentence has released logits.
    """
    found = [released.find(sentence) if released else None for sentence in sentences]
    missing = [i for i, row in enumerate(found) if row is None]
    logits = np.zeros((len(sentences), len(EMOTIONS)), np.float32)
    for i, row in enumerate(found):
        if row is not None:
            logits[i] = row
    logits[missing] = model.logits([sentences[i].text for i in missing])
    skipped = []
    if released and missing:
        reason = f"{len(missing)} of {len(sentences)} sentences are not in the index: scored by {model.id}"
        skipped.append(Skipped(what="logits", reason=reason))
    all_ours = released is None or 0 < len(missing) == len(sentences)
    scored_by = model.id if all_ours else RELEASED_SENTIMENT
    return ScoredSentences(sentences=list(sentences), logits=logits), scored_by, skipped


def _with_frames(clips: Sequence[Clip], missing: frozenset[int]) -> tuple[list[Clip], list[Skipped]]:
    """The clips all of whose pictures are there, as the paper wants it, and the others."""
    whole, skipped = [], []
    for clip in clips:
        lacks = sum(frame in missing for frame in range(clip.start_frame, clip.end_frame))
        if lacks:
            reason = f"{lacks} of its {clip.num_frames} frames are not in {FRAMES}, or damaged"
            skipped.append(Skipped(what=clip.id, reason=reason))
        else:
            whole.append(clip)
    return whole, skipped
