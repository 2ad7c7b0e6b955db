"""The project's vocabulary: frozen records that cross file boundaries, and the names they speak of.

Conventions, everywhere: times are seconds (float); boxes are absolute pixels of the frame as it is
displayed (after its rotation flag), `x0 y0 x1 y1`, half-open; images are RGB uint8.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Int32, Int64, UInt8
from torch import Tensor

from mien.errors import MienError

EMOTIONS = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
"""The seven utterance emotions of EmotionCLIP (§3.3), in the order of every 7-vector here."""

UNKNOWN = "unknown"
"""The language, source or licence of what does not tell it."""

CATEGORIES = (
    "Peace", "Affection", "Esteem", "Anticipation", "Engagement", "Confidence", "Happiness", "Pleasure",
    "Excitement", "Surprise", "Sympathy", "Doubt/Confusion", "Disconnection", "Fatigue", "Embarrassment",
    "Yearning", "Disapproval", "Aversion", "Annoyance", "Anger", "Sensitivity", "Sadness", "Disquietment",
    "Fear", "Pain", "Suffering",
)  # fmt: skip
"""The 26 emotional categories of BoLD and EMOTIC, in BoLD's column order."""


# ── words ────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """One spoken word, its punctuation attached, with its time."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Caption:
    """One subtitle line as it stands in the file, markup removed.

    `words` are the line's words with times of their own, where the file has them; then `text` is these, joined by
    spaces.
    """

    start_s: float
    end_s: float
    text: str
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Sentence:
    """One spoken sentence with its time."""

    start_s: float
    end_s: float
    text: str


# ── pictures ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, kw_only=True, slots=True)
class Detections:
    """What a detector found in one frame, in that frame's pixels, highest score first.

    Faces have five `landmarks` (x, y): the eye on the picture's left, the one on its right, the tip of the nose, the
    corner of the mouth on the left, the one on the right.
    """

    xyxy: Float32[np.ndarray, "n 4"]
    score: Float32[np.ndarray, "n"]
    landmarks: Float32[np.ndarray, "n 5 2"] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BoxTable:
    """The persons of a whole video, one row a person and frame, sorted by frame.

    `xyxy` is in pixels of the *source* video as displayed. `track` numbers a person through the video, -1 where
    unknown. `speaking` is true where that person is known to be the one who speaks.
    """

    frame: Int32[np.ndarray, "n"]
    xyxy: Float32[np.ndarray, "n 4"]
    score: Float32[np.ndarray, "n"]
    track: Int32[np.ndarray, "n"]
    speaking: Bool[np.ndarray, "n"]

    def __len__(self) -> int:
        return len(self.frame)


@dataclass(frozen=True, kw_only=True, slots=True)
class FaceTable:
    """The faces of a whole video, one row a face and frame, sorted by frame.

    `xyxy` and `landmarks` (as in Detections) are in pixels of the *source* video as displayed. `track` is the number
    of the person in the BoxTable whose face it is; of a face that belongs to none, a number after the persons', which
    stays with it through a shot. Stores of elsewhere may have -1 there.
    """

    frame: Int32[np.ndarray, "n"]
    xyxy: Float32[np.ndarray, "n 4"]
    landmarks: Float32[np.ndarray, "n 5 2"]
    score: Float32[np.ndarray, "n"]
    track: Int32[np.ndarray, "n"]

    def __len__(self) -> int:
        return len(self.frame)


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoInfo:
    """What a frame store knows of the video it was made from.

    `width`, `height` are the stored frames'; `source_width`, `source_height` the video's as displayed.
    """

    source: str
    source_width: int
    source_height: int
    source_duration_s: float
    width: int
    height: int
    fps: float
    num_frames: int

    @property
    def stored_per_source(self) -> tuple[float, float]:
        """The pixels of a stored frame, across and down, that a pixel of the source is: 0.5, 0.5 at half the size."""
        return self.width / self.source_width, self.height / self.source_height

    @property
    def source_per_stored(self) -> tuple[float, float]:
        """The pixels of the source, across and down, that a pixel of a stored frame is."""
        return self.source_width / self.width, self.source_height / self.height


# ── samples ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, kw_only=True, slots=True)
class Clip:
    """One line of a store's index: a stretch of a video and what is said in it.

    Frames `start_frame` to `end_frame` (half-open) of `video` in the store. `sentiment_logits` are unnormalised
    scores over `EMOTIONS`. `person_share` is the share of the frames that show at least one person.
    """

    id: str
    video: str
    start_frame: int
    end_frame: int
    start_s: float
    end_s: float
    text: str
    sentiment_logits: tuple[float, ...]
    person_share: float

    @property
    def num_frames(self) -> int:
        return self.end_frame - self.start_frame


@dataclass(frozen=True, kw_only=True, slots=True)
class Labels:
    """What annotators say of one clip; whatever a benchmark does not have is None.

    `category` indexes the benchmark's classes; `scores` is one number in [0, 1] a class (multi-label);
    `vad` is valence, arousal, dominance on the benchmark's own scale, or as many of them as it has.
    """

    category: int | None = None
    scores: tuple[float, ...] | None = None
    vad: tuple[float, ...] | None = None


LabelKind = Literal["category", "scores", "vad"]
"""The fields of `Labels`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LabeledClip:
    """One benchmark sample: a stretch of a video of a store, and its labels."""

    clip: Clip
    labels: Labels
    group: str = ""
    """What it hangs together with: the film, the dialogue."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """The subject's, as annotated: gender, age, …"""


AnyBatch = TypeVar("AnyBatch", bound="ClipBatch")


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipBatch:
    """What a method is given: B clips of T frames, and what is said in them.

    `boxes` are the subjects' boxes in pixels of `frames`, padded to K a frame with empty boxes (all zero).
    `token_ids` are padded to the longest text of the batch with the tokenizer's end-of-text id.
    """

    frames: UInt8[Tensor, "b t 3 h w"]
    boxes: Float[Tensor, "b t k 4"]
    token_ids: Int64[Tensor, "b l"]
    sentiment_logits: Float[Tensor, "b 7"]
    ids: tuple[str, ...]

    def to(self: AnyBatch, device: str) -> AnyBatch:
        return self._with(lambda x: x.to(device, non_blocking=True))

    def pin_memory(self: AnyBatch) -> AnyBatch:
        """A copy in memory that a GPU reads by itself; torch's loader calls it."""
        return self._with(lambda x: x.pin_memory())

    def _with(self: AnyBatch, change: Callable[[Tensor], Tensor]) -> AnyBatch:
        every: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        moved: dict[str, Any] = {name: change(x) for name, x in every.items() if isinstance(x, Tensor)}
        return replace(self, **moved)


@dataclass(frozen=True, kw_only=True, slots=True)
class CaptionBatch(ClipBatch):
    """B clips (of one frame where they are pictures) and their captions, up to K local sentences each.

    `token_ids` are the global sentences'. All texts are padded to the batch's longest. Of the local ones those count
    that are `present`. `votes` are the shares of the judges by emotion, in an order that the whole run keeps; a row of
    zeros where they are not known. `naming_ids` name each emotion in a prompt, in the same order and padded alike.
    """

    summary_ids: Int64[Tensor, "b l"]
    local_ids: Int64[Tensor, "b s l"]
    present: Bool[Tensor, "b s"]
    votes: Float[Tensor, "b c"]
    naming_ids: Int64[Tensor, "b c m"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ViewBatch(ClipBatch):
    """B pictures seen twice: `frames` (T = 1) hold the scene, `person` its largest person, whose box in the scene is in
    `boxes`, or where `has_person` is False another cut of the scene. `patch_order` says in which order the patches of
    scene and person (V = 2) count: the first are seen, the others masked."""

    person: UInt8[Tensor, "b 3 h w"]
    has_person: Bool[Tensor, "b"]
    patch_order: Int64[Tensor, "b v n"]


@dataclass(frozen=True, kw_only=True, slots=True)
class MixedBatch(ClipBatch):
    """B mixtures of two clips: of the labels, `share` are those of `ids`, the rest those of `partner_ids`."""

    partner_ids: tuple[str, ...]
    share: Float[Tensor, "b"]


@dataclass(frozen=True, kw_only=True, slots=True)
class StepOutput:
    """What a method returns: the loss to optimise, and detached scalars to log."""

    loss: Float[Tensor, ""]
    logs: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Skipped:
    """Something that was left out, and why; lists of these are shown and saved, never swallowed."""

    what: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Features:
    """Frozen features of a split and their labels, row by row."""

    x: Float32[np.ndarray, "n e"]
    category: Int[np.ndarray, "n"] | None
    scores: Float32[np.ndarray, "n c"] | None
    vad: Float32[np.ndarray, "n d"] | None
    ids: tuple[str, ...]
    groups: tuple[str, ...] = ()
    """What each row hangs together with, the film or the dialogue; none told where empty."""
    attributes: tuple[Mapping[str, str], ...] = ()
    """Each row's, as annotated; none told where empty."""


ASSETS = Path(__file__).parent / "assets"
"""Model files shipped with the package; origin and licence of each in NOTICE."""

__all__ = [
    "ASSETS", "CATEGORIES", "EMOTIONS", "UNKNOWN", "BoxTable", "Caption", "CaptionBatch", "Clip", "ClipBatch",
    "Detections", "FaceTable", "Features", "LabelKind", "LabeledClip", "Labels", "MienError", "MixedBatch", "Sentence",
    "Skipped", "StepOutput", "UInt8", "VideoInfo", "ViewBatch", "Word",
]  # fmt: skip
