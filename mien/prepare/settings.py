"""Everything that decides what a store holds."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import model_validator

from mien.config import Config
from mien.perception.detector import DETECTORS
from mien.prepare.boxes import BoxSettings
from mien.prepare.clips import IndexSettings
from mien.prepare.faces import FaceSettings
from mien.prepare.frames import FrameSettings

Subject = Literal["all", "largest", "speaking"]
"""Whose boxes form the subject area: everyone's (as published), the largest person's, or the speaker's."""


class WordSettings(Config):
    """Where the words come from, and what is made of them."""

    language: str | None = None
    """Of subtitles in several languages, this one; None prefers English."""
    punctuation: str = "mien"
    """The model that restores missing full stops: the embedded one, `hf:ID`, or `none`."""
    sentiment: str = "mien"
    """The model that scores sentences: the embedded one, or `hf:ID`."""
    asr: str | None = None
    """The faster-whisper model (a folder or a hub id) that recognises speech where there are no subtitles."""


class PrepareSettings(Config):
    """The settings of every stage, and which videos there are."""

    frames: FrameSettings = FrameSettings()
    words: WordSettings = WordSettings()
    boxes: BoxSettings = BoxSettings()
    faces: FaceSettings = FaceSettings()
    index: IndexSettings = IndexSettings()
    subject: Subject = "all"
    """A store keeps everyone's boxes, and who speaks, so this decides how it is read."""
    images: bool = False
    """Take pictures for videos of one frame."""
    exclude: tuple[str, ...] = ("bold_sources",)
    """Lists of video ids to leave out: names of ours, or text files. What a store has of them is deleted."""
    expect_words: bool = True
    """List videos that have no subtitles; false where clips come from labels, which need none."""
    keep_duplicates: bool = False
    """Keep videos that show the same pictures as another."""

    @model_validator(mode="after")
    def _someone_can_speak(self) -> PrepareSettings:
        if self.subject != "all" and self.boxes.source == "none":
            raise ValueError(f"subject {self.subject} needs boxes, and boxes.source is none")
        return self


def with_absolute_paths(settings: PrepareSettings) -> PrepareSettings:
    """The same settings for whoever works in another folder: models and lists on this machine by their whole paths."""
    words, boxes, faces = settings.words, settings.boxes, settings.faces
    asr = _absolute(words.asr) if words.asr else None
    models = {
        "punctuation": _absolute(words.punctuation, "mien", "none"),
        "sentiment": _absolute(words.sentiment, "mien"),
        "asr": asr,
    }
    return settings.model_copy(
        update={
            "words": words.model_copy(update=models),
            "boxes": boxes.model_copy(update={"detector": _absolute(boxes.detector, *DETECTORS)}),
            "faces": faces.model_copy(update={"detector": _absolute(faces.detector, *DETECTORS)}),
            "exclude": tuple(_absolute(name, "bold_sources") for name in settings.exclude),
        }
    )


def _absolute(name: str, *ours: str) -> str:
    """`onnx:a.onnx` as `onnx:/…/a.onnx`, if there is such a file; what is called as one of `ours` stays."""
    kind, colon, path = name.rpartition(":")
    return f"{kind}{colon}{Path(path).absolute()}" if path and name not in ours and Path(path).exists() else name
