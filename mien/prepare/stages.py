"""All that is done to one video, in order, each stage skipped if its output is up to date."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import model_validator

from mien.config import Config
from mien.data.store import BOXES_FILE, FORMAT, FRAMES_FILE, SENTENCES_FILE
from mien.data.tables import NO_BOXES, ScoredSentences, made_with, up_to_date, write_boxes, write_sentences
from mien.language.sentences import split_sentences
from mien.language.sentiment import UtteranceModel
from mien.language.subtitles import find_subtitles, read_captions
from mien.media.frames import DiskFullError, FrameReader
from mien.perception.detector import Detector, build_detector
from mien.prepare.boxes import BoxSettings, annotated_boxes, detect_boxes
from mien.prepare.frames import FrameSettings, make_frames, missing_part
from mien.prepare.index import IndexSettings
from mien.prepare.sidecar import SUFFIX, sidecar_of
from mien.prepare.videos import NamedVideo
from mien.types import MienError, Skipped

OnProgress = Callable[[str, str, float], None]
"""Called with a video's name, the stage's, and how much of that stage is done, in [0, 1]."""


class PrepareSettings(Config):
    """Everything that decides what a store holds."""

    frames: FrameSettings = FrameSettings()
    boxes: BoxSettings = BoxSettings()
    index: IndexSettings = IndexSettings()
    subject: Literal["all", "speaker"] = "all"
    """Whose boxes form the subject area; a store keeps everyone's, and who speaks, so this decides how it is read."""
    images: bool = False
    """Take pictures for videos of one frame."""
    exclude: tuple[str, ...] = ("bold_sources",)
    """Lists of video ids to leave out."""

    @model_validator(mode="after")
    def _speaker_is_known(self) -> PrepareSettings:
        if self.subject == "speaker" and self.boxes.source != "sidecar":
            raise ValueError(
                f"subject speaker needs boxes from side-cars, which say who speaks, not {self.boxes.source}"
            )
        return self


@dataclass(frozen=True, kw_only=True, slots=True)
class PreparedVideo:
    """What became of one video: the stages that had to run, what was left out, and why it failed, if it did."""

    name: str
    stages_run: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    failure: Skipped | None = None


def prepare_video(
    video: NamedVideo, folder: Path, *, settings: PrepareSettings, threads: int, on_progress: OnProgress
) -> PreparedVideo:
    """Bring one video's files in `folder` up to date. What is wrong with this video alone is returned, not raised."""
    work = _Video(video, folder, threads=threads, on_progress=on_progress)
    try:
        work.frames(settings.frames)
        work.boxes(settings.boxes)
        work.sentences()
    except DiskFullError:
        raise
    except (MienError, OSError) as error:
        work.failure = Skipped(what=video.name, reason=str(error))
    return PreparedVideo(
        name=video.name, stages_run=tuple(work.stages_run), skipped=tuple(work.skipped), failure=work.failure
    )


class _Video:
    """One video on its way through the stages."""

    def __init__(self, video: NamedVideo, folder: Path, *, threads: int, on_progress: OnProgress) -> None:
        self.video = video
        self.folder = folder
        self.threads = threads
        self.on_progress = on_progress
        self.stages_run: list[str] = []
        self.skipped: list[Skipped] = []
        self.failure: Skipped | None = None

    def frames(self, settings: FrameSettings) -> None:
        out = self.folder / FRAMES_FILE
        wanted = _made_with(settings.model_dump(mode="json"), {"bytes": self.video.path.stat().st_size})
        if not up_to_date(out, wanted):
            on_fraction = self._start("frames")
            make_frames(
                self.video.path,
                out,
                settings=settings,
                made_with=wanted,
                threads=self.threads,
                on_fraction=on_fraction,
            )
            on_fraction(1.0)
        if missing := missing_part(FrameReader(out), video=self.video.name):
            self.skipped.append(missing)

    def boxes(self, settings: BoxSettings) -> None:
        out, reader = self.folder / BOXES_FILE, FrameReader(self.folder / FRAMES_FILE)
        sidecar = sidecar_of(self.video.path) if settings.source == "sidecar" else None
        own: dict[str, Any] = {"source": settings.source}  # side-car boxes stay when a detector's settings change
        if settings.source == "detector":
            own = settings.model_dump(mode="json") | {"detector": _detector(settings.detector, self.threads).id}
        frames = {key: reader.made_with[key] for key in ("settings", "inputs")}
        wanted = _made_with(own, {"frames": frames, "sidecar": _digest(sidecar)})
        if settings.source == "sidecar" and sidecar is None:
            self.skipped.append(
                Skipped(what=self.video.name, reason=f"no {self.video.path.stem}{SUFFIX} beside it: it has no boxes")
            )
        if up_to_date(out, wanted):
            return
        on_fraction = self._start("boxes")
        match settings.source:
            case "detector":
                detector = _detector(settings.detector, self.threads)
                table = detect_boxes(reader, detector, settings=settings, on_fraction=on_fraction)
            case "sidecar":
                table = annotated_boxes(reader, sidecar)
            case "none":
                table = NO_BOXES
        write_boxes(out, table, made_with=wanted)
        on_fraction(1.0)

    def sentences(self) -> None:
        out, model = self.folder / SENTENCES_FILE, _utterance_model()
        subtitles = find_subtitles(self.video.path)
        wanted = _made_with({"model": model.id}, {"subtitles": _digest(subtitles)})
        if not up_to_date(out, wanted):
            on_fraction = self._start("sentences")
            captions, unread = read_captions(subtitles) if subtitles else ([], [])
            sentences, unspoken = split_sentences(captions)
            scored = ScoredSentences(sentences=sentences, logits=model.logits([s.text for s in sentences]))
            skipped = [asdict(s) for s in (*unread, *unspoken)]
            write_sentences(out, scored, made_with=wanted | {"skipped": skipped})
            on_fraction(1.0)
        if subtitles is None:
            self.skipped.append(Skipped(what=self.video.name, reason="no subtitles beside it: it makes no clips"))
        for skipped_line in (made_with(out) or {})["skipped"]:
            self.skipped.append(
                Skipped(what=f"{self.video.name}: {skipped_line['what']}", reason=skipped_line["reason"])
            )

    def _start(self, stage: str) -> Callable[[float], None]:
        self.stages_run.append(stage)
        self.on_progress(self.video.name, stage, 0.0)
        return lambda fraction: self.on_progress(self.video.name, stage, fraction)


def _made_with(settings: dict[str, Any], inputs: dict[str, Any]) -> dict[str, Any]:
    return {"format": FORMAT, "settings": settings, "inputs": inputs}


def _digest(path: Path | None) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path else None


def require_models(settings: PrepareSettings) -> None:
    """Raise MienError now, not once a video, if a model that the stages need is not there."""
    _utterance_model()
    if settings.boxes.source == "detector":
        build_detector(settings.boxes.detector)


@cache  # loaded once a process, which may prepare thousands of videos
def _detector(name: str, threads: int) -> Detector:
    return build_detector(name, threads=threads)


@cache
def _utterance_model() -> UtteranceModel:
    return UtteranceModel.load()
