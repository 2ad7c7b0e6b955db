"""The words of the released data: cleaned transcripts, and the index whose rows the sentiment logits go with."""

from __future__ import annotations

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from mien.types import EMOTIONS, MienError, Sentence, Skipped

FPS = 8.0
"""At which the released pipeline takes pictures, and by which its index counts."""

Key = tuple[str, int, int]
"""A sentence as the index knows it: its text, its first and its last frame number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleasedLogits:
    """The logits of one video's sentences, by what the index says of each; `digest` changes whenever they do."""

    rows: dict[Key, tuple[float, ...]]
    digest: str

    def find(self, sentence: Sentence) -> tuple[float, ...] | None:
        """The logits of a sentence; None if the index does not have it."""
        first, last = math.ceil(sentence.start_s * FPS), math.floor(sentence.end_s * FPS)
        return self.rows.get((sentence.text, first, last))


class ReleasedIndex:
    """The logits of all videos, those of one at a time to be asked for."""

    def __init__(self, videos: Mapping[str, dict[Key, int]], logits: Float32[np.ndarray, "n 7"]) -> None:
        self._videos = videos
        self._logits = logits

    def of(self, video: str) -> ReleasedLogits:
        rows = {key: tuple(self._logits[row].tolist()) for key, row in self._videos.get(video, {}).items()}
        return ReleasedLogits(rows=rows, digest=hashlib.sha256(repr(sorted(rows.items())).encode()).hexdigest()[:16])


def read_index(index: Path, logits: Path) -> ReleasedIndex:
    """The released index (JSON) with its logits (`.npy`, a row a sample, over EMOTIONS in their order).

    Raises MienError where one of them is not that, or they do not belong together.
    """
    samples = _read_list(index)
    try:
        values = np.load(logits, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise MienError(f"{logits} cannot be read as an array ({error}); name the .npy with the logits") from error
    if values.shape != (len(samples), len(EMOTIONS)):
        raise MienError(
            f"{logits} has shape {values.shape}, but {index} has {len(samples)} samples, for which it must be "
            f"{(len(samples), len(EMOTIONS))}: name the index that the logits were made from"
        )
    videos: dict[str, dict[Key, int]] = defaultdict(dict)
    for row, sample in enumerate(samples):
        try:
            key = (str(sample["text"]), int(sample["start_frame"]), int(sample["end_frame"]))
            videos[str(sample["video_id"])][key] = row
        except (KeyError, TypeError, ValueError) as error:
            wanted = "video_id, text, start_frame and end_frame"
            raise MienError(f"{index}: its entry {row} is {str(sample)[:80]!r}, but must have {wanted}") from error
    return ReleasedIndex(dict(videos), np.asarray(values, np.float32))


def read_transcript(path: Path | None) -> tuple[list[Sentence], list[Skipped]]:
    """The sentences of a `transcript_cleaned.json` by their time, and those that make no sense.

    Raises MienError where the file is no list.
    """
    sentences: list[Sentence] = []
    skipped: list[Skipped] = []
    for number, entry in enumerate(_read_list(path) if path else []):
        try:
            sentences.append(_sentence(entry))
        except (KeyError, TypeError, ValueError):
            what = f"entry {number} of the transcript"
            skipped.append(Skipped(what=what, reason=f"{str(entry)[:80]!r} has no text, start and end in order"))
    return sorted(sentences, key=lambda s: s.start_s), skipped


def _sentence(entry: Mapping[str, Any]) -> Sentence:
    """Raises ValueError, KeyError or TypeError if it is none."""
    start_s = float(entry["start"])
    end_s = float(entry["end"]) if "end" in entry else start_s + float(entry["duration"])
    text = entry["text"]
    if not isinstance(text, str) or not text.strip() or not 0 <= start_s <= end_s < math.inf:
        raise ValueError
    return Sentence(start_s=start_s, end_s=end_s, text=text)


def _read_list(path: Path) -> list[Any]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MienError(f"no {path} to read ({error})") from error
    except ValueError as error:
        raise MienError(f"{path} is not JSON ({error}); copy it again") from error
    if not isinstance(told, list):
        raise MienError(f"{path} must hold a list, not a {type(told).__name__}; is it the file of the pipeline?")
    return told
