"""A store: the folder that `mien prepare` writes and everything else reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from mien.data.tables import ScoredSentences, read_boxes, read_faces, read_index, read_sentences
from mien.media.frames import FrameReader
from mien.media.sampling import frame_range
from mien.types import EMOTIONS, BoxTable, Clip, FaceTable, MienError, Skipped

FORMAT = 2
OPEN_VIDEOS = 256  # each holds a file descriptor, of which a process commonly has 1,024

FRAMES_FILE, BOXES_FILE, SENTENCES_FILE = "frames.arrow", "boxes.arrow", "sentences.parquet"
FACES_FILE = "faces.arrow"
CLIPS_FILE = "clips.parquet"
INDEX_FILE, SETTINGS_FILE, SKIPPED_FILE = "index.parquet", "store.json", "skipped.jsonl"
CUT_OFF = "decoded only"
"""How the reason begins, in skipped.jsonl, of a video that is kept though a part of it did not decode."""


class Store:
    """The videos and clips in one folder. Opens files when asked, in each process anew; pickles as its path."""

    def __init__(self, path: Path) -> None:
        if not (path / SETTINGS_FILE).is_file():
            raise MienError(
                f"{path} is not a store (no {SETTINGS_FILE} in it)"
                if path.is_dir()
                else f"no store at {path}; make one with `mien prepare VIDEOS --out {path}`"
            )
        self.path = path
        self.frames = lru_cache(maxsize=OPEN_VIDEOS)(self._read_frames)
        self.boxes = lru_cache(maxsize=OPEN_VIDEOS)(self._read_boxes)
        self.faces = lru_cache(maxsize=OPEN_VIDEOS)(self._read_faces)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What the store was made with: the fields of PrepareSettings."""
        try:
            described = json.loads((self.path / SETTINGS_FILE).read_text(encoding="utf-8"))
        except ValueError as error:
            raise MienError(f"{self.path / SETTINGS_FILE} is damaged ({error}); run `mien prepare` again") from error
        if described["format"] != FORMAT:
            raise MienError(
                f"{self.path} has format {described['format']}, this version of mien reads {FORMAT}; prepare it again"
            )
        return dict(described["settings"])

    @property
    def videos(self) -> list[str]:
        """The names of all videos that have frames, in order."""
        root = self.path / "videos"
        return sorted(file.parent.relative_to(root).as_posix() for file in root.rglob(FRAMES_FILE))

    def clips(self) -> list[Clip]:
        """Every clip of the index, in its order."""
        return read_index(self.path / INDEX_FILE)

    def skipped(self) -> Iterator[Skipped]:
        """What preparation left out, whole videos and single sentences, and why; nothing where there is no list."""
        path = self.path / SKIPPED_FILE
        if not path.is_file():
            return
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                told = json.loads(line)
                yield Skipped(what=told["what"], reason=told["reason"])

    def folder(self, video: str) -> Path:
        return self.path / "videos" / video

    def _read_frames(self, video: str) -> FrameReader:
        """The pictures of `video` (call it as `frames`; readers are kept open)."""
        self._require(video, FRAMES_FILE)
        return FrameReader(self.folder(video) / FRAMES_FILE)

    def _read_boxes(self, video: str) -> BoxTable:
        """The persons of `video` (call it as `boxes`), in pixels of the source."""
        self._require(video, BOXES_FILE)
        return read_boxes(self.folder(video) / BOXES_FILE)

    def _read_faces(self, video: str) -> FaceTable:
        """The faces of `video` (call it as `faces`), in pixels of the source.

        Raises MienError if it was prepared without faces.
        """
        if self.folder(video).is_dir() and not (self.folder(video) / FACES_FILE).is_file():
            raise MienError(f"{self.path} has no faces of video {video!r}; run `mien prepare` with faces")
        self._require(video, FACES_FILE)
        return read_faces(self.folder(video) / FACES_FILE)

    def sentences(self, video: str) -> ScoredSentences:
        """What is said in `video`, whether or not it makes a clip."""
        self._require(video, SENTENCES_FILE)
        return read_sentences(self.folder(video) / SENTENCES_FILE)

    def clip(
        self,
        video: str,
        *,
        start_s: float,
        end_s: float,
        text: str = "",
        id: str | None = None,
        sentiment_logits: tuple[float, ...] = (0.0,) * len(EMOTIONS),
        person_share: float = 0.0,
    ) -> Clip:
        """Any stretch of a video as a clip, whatever the index has: for evaluation and inference.

        It holds the frames whose time lies in [start_s, end_s), at least one, and none beyond the video's end.
        """
        info = self.frames(video).info
        start, end = frame_range(start_s, end_s, fps=info.fps)
        if not 0 <= start < info.num_frames or end_s < start_s:
            raise MienError(
                f"{video}: no stretch {start_s} to {end_s} s in its {info.num_frames / info.fps:.3f} s of frames"
            )
        return Clip(
            id=id or f"{video}@{start_s:.3f}-{end_s:.3f}",
            video=video,
            start_frame=start,
            end_frame=min(max(end, start + 1), info.num_frames),
            start_s=start_s,
            end_s=end_s,
            text=text,
            sentiment_logits=sentiment_logits,
            person_share=person_share,
        )

    def whole_clip(self, video: str) -> Clip:
        """All of a video, or a picture, as a clip."""
        info = self.frames(video).info
        return self.clip(video, start_s=0.0, end_s=info.num_frames / info.fps, id=video)

    def verify(self) -> list[Skipped]:
        """What is wrong: files that are missing or damaged, clips that reach beyond their video. Empty if nothing."""
        return [*self._broken_videos(), *self._broken_clips()]

    def _broken_videos(self) -> Iterator[Skipped]:
        for video in self.videos:
            has_faces = (self.folder(video) / FACES_FILE).is_file()
            readers = [self._read_frames, self._read_boxes, self.sentences]
            for read in [*readers, self._read_faces] if has_faces else readers:
                try:
                    table = read(video)
                    if isinstance(table, FrameReader) and len(table) == 0:
                        raise MienError(f"{table.path} has no frames; delete it and run `mien prepare` again")
                except MienError as error:
                    yield Skipped(what=video, reason=str(error))

    def _broken_clips(self) -> Iterator[Skipped]:
        for clip in self.clips():
            try:
                count = len(self.frames(clip.video))
            except MienError as error:
                yield Skipped(what=clip.id, reason=str(error))
                continue
            if not 0 <= clip.start_frame < clip.end_frame <= count:
                yield Skipped(
                    what=clip.id,
                    reason=f"frames {clip.start_frame} to {clip.end_frame} of {count}; run `mien prepare` again",
                )

    def _require(self, video: str, file: str) -> None:
        if not (self.folder(video) / file).is_file():
            raise MienError(
                f"{self.path} has no {file} of video {video!r}; run `mien prepare` again"
                if self.folder(video).is_dir()
                else f"{self.path} has no video {video!r}; names are paths in the input folder without their suffix"
            )

    def __reduce__(self) -> tuple[type[Store], tuple[Path]]:
        return Store, (self.path,)
