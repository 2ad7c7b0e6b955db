"""The record of an analysis, `analysis.json`: what was asked, by which models, of what video, and the sums of it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from mien.analyze.settings import AnalyzeSettings
from mien.config import Config
from mien.hub_fetch import told_name
from mien.types import MienError
from mien.whole_file import write_whole

FILE = "analysis.json"
Source = Literal["face", "person"]


class VideoFacts(Config):
    """The file that was looked at; sizes are as displayed. A picture has no duration and no rate."""

    path: str
    name: str
    num_bytes: int
    duration_s: float
    width: int
    height: int
    fps: float
    is_picture: bool


class ModelFacts(Config):
    """A model that scored something: what it was asked for as, a fingerprint of its weights, and on what terms."""

    name: str
    weights_hash: str
    weights_license: str
    trained_on: str
    templates: tuple[str, ...]
    """Empty where a fitted head scored."""


class HeadFacts(Config):
    """A fitted head, and what its columns are."""

    path: str
    sha256: str
    kind: Literal["multinomial", "one_vs_rest", "ridge"]
    classes: tuple[str, ...]


class Shot(Config):
    """A stretch without a cut."""

    start_s: float
    end_s: float


class Peak(Config):
    """When a word was most probable of a person, among the moments at which it was the answer."""

    word: str
    time_s: float
    probability: float


class Person(Config):
    """One person, or one face that no person's box holds, as far as it could be followed: never across a cut.

    seconds: samples at which this one was scored, times the step, none beyond the video's end. shares: of these
    samples, that of each answer, "uncertain" among them; they sum to one. means: the mean of each word's probability,
    and of each number.
    """

    track: int
    source: Source
    has_body: bool
    shot: int
    start_s: float
    end_s: float
    num_samples: int
    seconds: float
    shares: dict[str, float]
    means: dict[str, float]
    peaks: tuple[Peak, ...]


class Utterance(Config):
    """A sentence of the subtitles, and what a model of *texts* takes its emotion for."""

    start_s: float
    end_s: float
    text: str
    emotion: str
    probability: float


class Left(Config):
    """What was left out, and why."""

    what: str
    reason: str


class Analysis(Config):
    """All of `analysis.json`.

    A person has an entry a source that scored it. `files` are the names of what lies beside this record.
    """

    format: Literal[1] = 1
    version: str
    """mien's."""
    fingerprint: str
    """Of all that the analysis depends on; the same call with the same has nothing to do."""
    video: VideoFacts
    settings: AnalyzeSettings
    words: tuple[str, ...]
    """The columns of the timeline that are probabilities."""
    numbers: tuple[str, ...]
    """Those that are none: valence and arousal, say."""
    step_s: float
    """Seconds between samples; 0 of a picture."""
    num_samples: int
    """Moments at which the video was looked at, whether or not there was anybody."""
    models: dict[Source, ModelFacts]
    heads: tuple[HeadFacts, ...]
    detectors: dict[Source, str]
    shots: tuple[Shot, ...]
    persons: tuple[Person, ...]
    utterances: tuple[Utterance, ...]
    skipped: tuple[Left, ...]
    files: tuple[str, ...]

    def without_folders(self) -> Analysis:
        """The same for others to read: files and models by name, but not where on this machine they lie."""
        asked = self.settings
        short = {
            "face_model": asked.face_model and told_name(asked.face_model),
            "model": asked.model and told_name(asked.model),
            "head": asked.head and Path(asked.head.name),
        }
        changed = {
            "video": self.video.model_copy(update={"path": self.video.name}),
            "settings": asked.model_copy(update=short),
            "heads": tuple(head.model_copy(update={"path": Path(head.path).name}) for head in self.heads),
        }
        return self.model_copy(update=changed)

    def save(self, folder: Path) -> None:
        """Writes `analysis.json` into the folder."""
        write_whole(folder / FILE, self.model_dump_json(indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Analysis:
        """The record in a folder. Raises MienError where there is none, or one of another version."""
        try:
            return cls.model_validate_json((folder / FILE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise MienError(f"no {FILE} in {folder}; `mien analyze` writes one") from None
        except (ValidationError, UnicodeDecodeError) as error:
            raise MienError(f"{folder / FILE} is damaged or of another version; run `mien analyze` again") from error
