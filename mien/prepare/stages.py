"""The stages of one video in order: what each writes, from what, and how."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mien.data.store import BOXES_FILE, CLIPS_FILE, FACES_FILE, FORMAT, FRAMES_FILE, SENTENCES_FILE
from mien.data.tables import (
    NO_BOXES,
    NO_FACES,
    ScoredSentences,
    made_with,
    read_boxes,
    read_faces,
    read_sentences,
    write_boxes,
    write_clips,
    write_faces,
    write_sentences,
)
from mien.file_digest import sha256_of
from mien.language.sentences import split_sentences
from mien.language.subtitles import describe_subtitles, find_subtitles
from mien.media.frames import FrameReader
from mien.prepare.boxes import annotated_boxes, detect_boxes
from mien.prepare.clips import clips_of, count_people
from mien.prepare.duplicates import picture_hashes
from mien.prepare.faces import detect_faces, mark_speakers
from mien.prepare.frames import make_frames, missing_part
from mien.prepare.models import detector_for, punctuator_for, recogniser_for, sentiment_for
from mien.prepare.origin import Origin
from mien.prepare.settings import PrepareSettings
from mien.prepare.sidecar import SUFFIX, sidecar_of
from mien.prepare.summary import summarise
from mien.prepare.videos import NamedVideo, VideoFiles
from mien.prepare.words import find_words
from mien.types import UNKNOWN, Skipped

OnFraction = Callable[[float], None]
"""Told how much of a stage is done, in [0, 1]."""

OUTPUTS = (FRAMES_FILE, SENTENCES_FILE, BOXES_FILE, FACES_FILE, CLIPS_FILE)
"""The files of a video in a store, in the order in which they are made."""

WORD_RULES = 1  # to be raised when captions become sentences in another way, so that they do anew
HEARING_RULE = 2  # to be raised when words are heard in another way, so that those not of subtitles are heard anew
FACES_RULE = 2  # to be raised when faces are given to persons in another way, so that they are anew
SPEAKING_RULE = 1  # to be raised when who speaks is told in another way, so that it is told anew


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One output of a video: its name, its file, what that is to be made with, and how.

    `wanted` is compared with what the file says of itself; where they agree the stage need not run.
    """

    name: str
    file: str
    wanted: dict[str, Any]
    make: Callable[[OnFraction], None]


class Stages:
    """The stages of one video. Outputs go to `folder`; nothing is done before a stage is made."""

    def __init__(
        self,
        video: NamedVideo,
        files: VideoFiles,
        origin: Origin,
        folder: Path,
        *,
        settings: PrepareSettings,
        threads: int,
    ) -> None:
        self.video = video
        self.files = files
        self.origin = origin
        self.folder = folder
        self.settings = settings
        self.threads = threads
        self.subtitles = find_subtitles(files.there, beside=files.beside, language=settings.words.language)
        self.sidecar = sidecar_of(video.stem, files.beside) if settings.boxes.source == "sidecar" else None

    def all(self) -> list[Stage]:
        """In the order in which they need each other; what the last is made with tells of all the others."""
        stages = [self.frames, self.sentences, self.boxes]
        if self.settings.faces.source == "detector":
            stages.append(self.faces)
        if self.settings.subject == "speaking" and self.settings.boxes.source == "detector":
            stages.append(self.speaking)
        return [*stages, self._clips(stages)]

    @cached_property
    def reader(self) -> FrameReader:
        return FrameReader(self.folder / FRAMES_FILE)

    @cached_property
    def frames(self) -> Stage:
        settings = self.settings.frames
        wanted = _wanted(settings.model_dump(mode="json"), {"bytes": self.video.num_bytes})
        out = self.folder / FRAMES_FILE

        def make(on_fraction: OnFraction) -> None:
            video = self.files.path
            make_frames(video, out, settings=settings, made_with=wanted, threads=self.threads, on_fraction=on_fraction)

        return Stage(name="frames", file=FRAMES_FILE, wanted=wanted, make=make)

    @cached_property
    def sentences(self) -> Stage:
        words = self.settings.words
        model, punctuator = sentiment_for(words.sentiment), punctuator_for(words.punctuation)
        recogniser = recogniser_for(words.asr, self.threads) if words.asr and self.subtitles is None else None
        ids = {
            "rules": WORD_RULES,
            "sentiment": model.id,
            "punctuation": punctuator.id if punctuator else None,
            "asr": recogniser.id if recogniser else None,
        }
        heard = {"rule": HEARING_RULE, "bytes": self.video.num_bytes, "language": words.language} if recogniser else {}
        told = describe_subtitles(self.subtitles, video=self.files.there) if self.subtitles else None
        about_file = {"kind": told.kind, "language": told.language} if told else {}
        wanted = _wanted(ids, {"subtitles": _digest(self.subtitles)} | about_file | heard)

        def make(on_fraction: OnFraction) -> None:
            found = find_words(told, video=self.files, recogniser=recogniser, language=words.language)
            on_fraction(0.5)
            sentences, unspoken = split_sentences(found.captions, punctuator=punctuator)
            scored = ScoredSentences(sentences=sentences, logits=model.logits([s.text for s in sentences]))
            skipped = [asdict(s) for s in (*found.skipped, *unspoken)]
            about = {"skipped": skipped, "words_from": found.kind, "language": found.language}
            write_sentences(self.folder / SENTENCES_FILE, scored, made_with=wanted | about)

        return Stage(name="sentences", file=SENTENCES_FILE, wanted=wanted, make=make)

    @cached_property
    def boxes(self) -> Stage:
        settings = self.settings.boxes
        own: dict[str, Any] = {"source": settings.source}  # side-car boxes stay when a detector's settings change
        if settings.source == "detector":
            own = settings.model_dump(mode="json") | {"detector": detector_for(settings.detector, self.threads).id}
        wanted = _wanted(own, {"frames": _mark(self.frames), "sidecar": _digest(self.sidecar)})

        def make(on_fraction: OnFraction) -> None:
            match settings.source:
                case "detector":
                    detector = detector_for(settings.detector, self.threads)
                    table = detect_boxes(self.reader, detector, settings=settings, on_fraction=on_fraction)
                case "sidecar":
                    table = annotated_boxes(self.reader, self.sidecar)
                case "none":
                    table = NO_BOXES
            write_boxes(self.folder / BOXES_FILE, table, made_with=wanted)

        return Stage(name="boxes", file=BOXES_FILE, wanted=wanted, make=make)

    @cached_property
    def faces(self) -> Stage:
        settings = self.settings.faces
        detector = detector_for(settings.detector, self.threads)
        own = settings.model_dump(mode="json") | {"detector": detector.id, "rule": FACES_RULE}
        wanted = _wanted(own, {"frames": _mark(self.frames), "boxes": _mark(self.boxes)})

        def make(on_fraction: OnFraction) -> None:
            boxes = read_boxes(self.folder / BOXES_FILE)
            faces = detect_faces(self.reader, detector, boxes, settings=settings, on_fraction=on_fraction)
            write_faces(self.folder / FACES_FILE, faces, made_with=wanted)

        return Stage(name="faces", file=FACES_FILE, wanted=wanted, make=make)

    @cached_property
    def speaking(self) -> Stage:
        """Writes who speaks into the boxes, which say so under a key of their own, and are up to date without it."""
        has_faces = self.settings.faces.source == "detector"
        inputs = {stage.name: _mark(stage) for stage in (self.sentences, *([self.faces] if has_faces else []))}
        wanted = self.boxes.wanted | {"speaking": {"rule": SPEAKING_RULE, "inputs": inputs}}

        def make(on_fraction: OnFraction) -> None:
            boxes, sentences = read_boxes(self.folder / BOXES_FILE), read_sentences(self.folder / SENTENCES_FILE)
            faces = read_faces(self.folder / FACES_FILE) if has_faces else NO_FACES
            marked = mark_speakers(self.reader, boxes, faces, sentences.sentences, on_fraction=on_fraction)
            write_boxes(self.folder / BOXES_FILE, marked, made_with=wanted)

        return Stage(name="speaking", file=BOXES_FILE, wanted=wanted, make=make)

    def _clips(self, before: list[Stage]) -> Stage:
        settings = self.settings.index
        inputs = {stage.name: _mark(stage) for stage in before} | {"origin": asdict(self.origin)}
        wanted = _wanted(settings.model_dump(mode="json"), inputs)

        def make(on_fraction: OnFraction) -> None:
            boxes, scored = read_boxes(self.folder / BOXES_FILE), read_sentences(self.folder / SENTENCES_FILE)
            words = made_with(self.folder / SENTENCES_FILE) or {}
            clips, unfit = clips_of(self.video.name, self.reader, boxes, scored, settings=settings)
            on_fraction(0.3)
            summary = summarise(
                self.reader.info,
                sentences=scored.sentences,
                clips=clips,
                unfit=unfit,
                people=count_people(boxes, num_frames=len(self.reader), min_score=settings.min_box_score),
                lacks_sidecar=self._lacks_sidecar,
                origin=self.origin,
                language=_known(words["language"], self.origin.language),
                words_from=words["words_from"],
                models=self._models(),
                hashes=picture_hashes(self.reader).tolist(),
            )
            skipped = [*self._left_out(unread=words["skipped"]), *(u.as_skipped() for u in unfit)]
            about = {"summary": summary.model_dump(mode="json"), "skipped": [asdict(s) for s in skipped]}
            write_clips(self.folder / CLIPS_FILE, clips, made_with=wanted | about)

        return Stage(name="clips", file=CLIPS_FILE, wanted=wanted, make=make)

    @property
    def _lacks_sidecar(self) -> bool:
        return self.settings.boxes.source == "sidecar" and self.sidecar is None

    def _models(self) -> dict[str, str]:
        words = self.sentences.wanted["settings"]
        models = {role: words[role] for role in ("asr", "punctuation", "sentiment") if words[role]}
        if detector := self.boxes.wanted["settings"].get("detector"):
            models["boxes"] = detector
        if self.settings.faces.source == "detector":
            models["faces"] = self.faces.wanted["settings"]["detector"]
        return models

    def _left_out(self, *, unread: Sequence[dict[str, str]]) -> list[Skipped]:
        """What of the video makes nothing, apart from sentences that break a rule of the index.

        `unread` is what of its words makes no sentence: rows of `what` and `reason`.
        """
        name = self.video.name
        skipped = []
        if missing := missing_part(self.reader, video=name):
            skipped.append(missing)
        if self.subtitles is None and not self.settings.words.asr and self.settings.expect_words:
            skipped.append(Skipped(what=name, reason="no subtitles beside it: it makes no clips"))
        if self._lacks_sidecar:
            skipped.append(Skipped(what=name, reason=f"no '{self.video.stem}{SUFFIX}' beside it: it has no boxes"))
        return skipped + [Skipped(what=f"{name}: {line['what']}", reason=line["reason"]) for line in unread]


def _known(*languages: str) -> str:
    """The first that is known."""
    return next((language for language in languages if language not in ("", UNKNOWN)), UNKNOWN)


def _wanted(settings: dict[str, Any], inputs: dict[str, Any]) -> dict[str, Any]:
    return {"format": FORMAT, "settings": settings, "inputs": inputs}


def _mark(stage: Stage) -> str:
    """Changes whenever what a stage is made with does."""
    return hashlib.sha256(json.dumps(stage.wanted, sort_keys=True).encode()).hexdigest()[:16]


def _digest(path: Path | None) -> str | None:
    return sha256_of([path]) if path else None
