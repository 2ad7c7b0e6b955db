"""A video put together again from its exported clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from jaxtyping import UInt8

from mien.data.store import FRAMES_FILE
from mien.data.tables import ScoredSentences, Table, rows_between
from mien.exchange.clip_video import decoded_pictures, stored_jpegs
from mien.exchange.finish import ImportedVideo, grey_jpeg, is_made, write_tables
from mien.exchange.sample import ClipSample, from_json
from mien.exchange.tar_samples import TarSample
from mien.media.frames import FrameWriter
from mien.types import EMOTIONS, Clip, MienError, Sentence, Skipped
from mien.whole_file import remove_left_parts


def join_clips(
    name: str,
    samples: Sequence[TarSample],
    folder: Path,
    *,
    made_with: dict[str, Any],
    min_box_score: float,
    quality: int,
) -> ImportedVideo:
    """Make the files of video `name` from its clips. Frames, boxes and times lie where they lay in the original.

    What lies in no clip is grey, without persons, and listed; nothing follows the last clip. A clip that makes no sense
    is left out and listed; raises MienError if none makes any. Memory holds the pictures of one clip at a time.
    """
    if is_made(folder, made_with):
        return ImportedVideo(name=name)
    remove_left_parts(folder)
    clips, skipped = _read(samples)
    with FrameWriter(folder / FRAMES_FILE, info=clips[0].told.info, made_with=made_with, quality=quality) as writer:
        whole, missing = _write_frames(writer, clips, name=name)
    with_faces = [(clip.told.clip, clip.told.faces) for clip in whole if clip.told.faces is not None]
    write_tables(
        folder,
        boxes=_joined([(clip.told.clip, clip.told.boxes) for clip in whole]),
        faces=_joined(with_faces) if with_faces else None,
        scored=_sentences(whole),
        clips=[clip.told.clip for clip in whole],
        unfit=(),
        skipped=[*skipped, *missing],
        about=whole[0].told.about,
        min_box_score=min_box_score,
        made_with=made_with,
    )
    return ImportedVideo(name=name, is_new=True)


@dataclass(frozen=True, kw_only=True, eq=False)
class _TravelledClip:
    """A clip's JSON, and where its video is."""

    told: ClipSample
    sample: TarSample

    def pictures(self) -> list[bytes | UInt8[np.ndarray, "h w 3"]]:
        """The clip's pictures, JPEGs or RGB. Raises MienError if they are not those its JSON tells of."""
        info, end = self.told.info, self.sample.video
        if end is None:
            raise MienError("it has no video; export it again")
        mp4 = self.sample.read(end)
        found: list[bytes | np.ndarray]
        if self.told.codec == "mjpeg":
            found = [*stored_jpegs(mp4)]
        else:
            found = [*decoded_pictures(mp4, width=info.width, height=info.height)]
        sizes = {_size(picture) for picture in found}
        if len(found) != self.told.clip.num_frames or sizes != {(info.height, info.width)}:
            raise MienError(
                f"its video has {len(found)} pictures of (height, width) {sizes}, its JSON tells of "
                f"{self.told.clip.num_frames} of {info.height, info.width}; export it again"
            )
        return found


def _size(picture: bytes | UInt8[np.ndarray, "h w 3"]) -> tuple[int, int]:
    if isinstance(picture, np.ndarray):
        return picture.shape[0], picture.shape[1]
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(picture)
    except ValueError as error:
        raise MienError(f"one of its pictures is damaged ({error}); fetch it again") from error
    return height, width


def _read(samples: Sequence[TarSample]) -> tuple[list[_TravelledClip], list[Skipped]]:
    """The clips in the order of the shards, each once, all of one video; and those that are left out."""
    clips: list[_TravelledClip] = []
    skipped: list[Skipped] = []
    seen: set[str] = set()
    for sample in samples:
        try:
            clip = _TravelledClip(told=from_json(sample.json()), sample=sample)
            first = clips[0].told if clips else clip.told
            if clip.told.clip.id in seen:
                raise MienError(f"clip {clip.told.clip.id} comes twice")
            if clip.told.info != first.info:
                raise MienError(f"its video is {clip.told.info}, that of {first.clip.id} is {first.info}")
        except MienError as error:
            skipped.append(Skipped(what=sample.name, reason=str(error)))
            continue
        seen.add(clip.told.clip.id)
        clips.append(clip)
    if not clips:
        raise MienError("; ".join(line.reason for line in skipped))
    return clips, skipped


def _write_frames(
    writer: FrameWriter, clips: Sequence[_TravelledClip], *, name: str
) -> tuple[list[_TravelledClip], list[Skipped]]:
    """Every frame up to the last clip's end, each once. Returns the clips that are whole, and what is not there."""
    broken: list[_TravelledClip] = []
    skipped: list[Skipped] = []
    info, num_grey = clips[0].told.info, 0
    grey = grey_jpeg(width=info.width, height=info.height)
    for clip in sorted(clips, key=lambda c: c.told.clip.start_frame):
        told = clip.told.clip
        try:
            pictures = clip.pictures()
        except MienError as error:
            broken.append(clip)
            skipped.append(Skipped(what=told.id, reason=str(error)))
            continue
        for frame in range(writer.num_frames, told.start_frame):
            writer.add_jpeg(grey, time_s=frame / info.fps)
            num_grey += 1
        new = slice(writer.num_frames - told.start_frame, None)  # clips may overlap
        for picture, time_s in zip(pictures[new], clip.told.times_s[new], strict=True):
            if isinstance(picture, bytes):
                writer.add_jpeg(picture, time_s=time_s)
            else:
                writer.add(picture, time_s=time_s)
    if len(broken) == len(clips):
        raise MienError("; ".join(line.reason for line in skipped))
    if num_grey:
        reason = f"{num_grey} of its first {writer.num_frames} frames lie in no clip of the shards: they are grey"
        skipped.append(Skipped(what=name, reason=reason))
    return [clip for clip in clips if clip not in broken], skipped


def _sentences(clips: Sequence[_TravelledClip]) -> ScoredSentences:
    told = [clip.told.clip for clip in clips]
    return ScoredSentences(
        sentences=[Sentence(start_s=c.start_s, end_s=c.end_s, text=c.text) for c in told],
        logits=np.array([c.sentiment_logits for c in told], np.float32).reshape(-1, len(EMOTIONS)),
    )


def _joined(tables: Sequence[tuple[Clip, Table]]) -> Table:
    """The clips' boxes or faces in one table, those of frames in several clips once."""
    parts: list[Table] = []
    done = 0
    for clip, table in sorted(tables, key=lambda pair: pair[0].start_frame):
        parts.append(rows_between(table, done, max(done, clip.end_frame)))
        done = max(done, clip.end_frame)
    return replace(
        parts[0], **{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(parts[0])}
    )
