"""The project's vocabulary: frozen records that cross file boundaries, and the names they speak of.

Conventions, everywhere: times are seconds (float); boxes are absolute pixels of the frame as it is
displayed (after its rotation flag), `x0 y0 x1 y1`, half-open; images are RGB uint8.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

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
    of the person in the BoxTable whose face it is, -1 where no person's box holds it.
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


@dataclass(frozen=True, kw_only=True, slots=True)
class LabeledClip:
    """One benchmark sample: a stretch of a video of a store, and its labels."""

    clip: Clip
    labels: Labels
    group: str = ""
    """What it hangs together with: the film, the dialogue."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """The subject's, as annotated: gender, age, …"""


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

    def to(self, device: str) -> ClipBatch:
        return ClipBatch(
            frames=self.frames.to(device, non_blocking=True),
            boxes=self.boxes.to(device, non_blocking=True),
            token_ids=self.token_ids.to(device, non_blocking=True),
            sentiment_logits=self.sentiment_logits.to(device, non_blocking=True),
            ids=self.ids,
        )

    def pin_memory(self) -> ClipBatch:
        """A copy in memory that a GPU reads by itself; torch's loader calls it."""
        return ClipBatch(
            frames=self.frames.pin_memory(),
            boxes=self.boxes.pin_memory(),
            token_ids=self.token_ids.pin_memory(),
            sentiment_logits=self.sentiment_logits.pin_memory(),
            ids=self.ids,
        )


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
    "ASSETS", "CATEGORIES", "EMOTIONS", "UNKNOWN", "BoxTable", "Caption", "Clip", "ClipBatch", "Detections",
    "FaceTable", "Features", "LabeledClip", "Labels", "MienError", "Sentence", "Skipped", "StepOutput", "UInt8",
    "VideoInfo", "Word",
]  # fmt: skip
