"""What working processes do: look at an upload, classify or embed it, embed texts, analyse a video.

Such a process has the models in memory, and its own temporary folder; it is given nothing but these records.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mien.serve.refusal import Refused
from mien.serve.settings import Limits
from mien.serve.workers import OnProgress

if TYPE_CHECKING:
    from mien.inference import Mien
    from mien.serve.media_check import MediaFacts

AnalyzeVideo = Callable[[Path, Path, dict[str, Any], OnProgress], None]
"""Analyses the first path's video into the second's folder, under the settings; what `analysis.analyze_video` does."""

ModelName = Literal["face", "video"]


@dataclass(frozen=True, kw_only=True, slots=True)
class WarmUp:
    """Load the face model, so that the first request need not wait, and a wrong name is told at the start."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """Tell what an upload is. The result is the path under which it is worked on: its ending is right."""

    path: Path
    at_most_s: float
    analysis: dict[str, Any] | None = None
    """Settings that are looked at too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Classify:
    """Find faces, and score the words for each."""

    path: Path
    at_most_s: float
    words: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class EmbedPicture:
    """Embed the faces of a picture, or all of it."""

    path: Path
    model: ModelName
    of: Literal["faces", "picture"]


@dataclass(frozen=True, kw_only=True, slots=True)
class EmbedTexts:
    """Embed texts, so that they can be compared with pictures."""

    texts: tuple[str, ...]
    model: ModelName


@dataclass(frozen=True, kw_only=True, slots=True)
class Analyze:
    """Analyse a video or picture that was looked at before."""

    path: Path
    out: Path
    settings: dict[str, Any]


Task = WarmUp | Look | Classify | EmbedPicture | EmbedTexts | Analyze


@dataclass(kw_only=True, slots=True)
class Hands:
    """Does tasks; keeps what models it has loaded. Sent to its process empty."""

    limits: Limits
    models: dict[ModelName, str]
    threads: int
    analyze: AnalyzeVideo
    _loaded: dict[str, Mien] = field(default_factory=dict)

    def __call__(self, task: Task, tell: OnProgress) -> Any:
        match task:
            case WarmUp():
                self._model("face")
                return None
            case Look():
                if task.analysis is not None:
                    from mien.serve.analysis import require_settings

                    require_settings(task.analysis)
                return self._look(task.path, at_most_s=task.at_most_s)[0]
            case Classify():
                return self._classify(task)
            case EmbedPicture():
                return self._embed_picture(task)
            case EmbedTexts():
                model = self._model(task.model)
                return model.encode_text(list(task.texts), normalize=True).float().cpu().tolist()
            case Analyze():
                self._limit_threads()
                return self.analyze(task.path, task.out, task.settings, tell)

    def _look(self, path: Path, *, at_most_s: float) -> tuple[Path, MediaFacts]:
        from mien.serve.media_check import check_media

        facts = check_media(path, limits=self.limits, at_most_s=at_most_s)
        return path.rename(path.with_suffix(facts.suffix)), facts

    def _classify(self, task: Classify) -> list[dict[str, Any]]:
        from mien.face_moments import classify_faces

        path, facts = self._look(task.path, at_most_s=task.at_most_s)
        found = classify_faces(self._model("face"), path, task.words)
        return [
            {
                "box": [round(x, 2) for x in face.xyxy],
                "scores": face.scores,
                "top": max(face.scores, key=lambda word: face.scores[word]),
                "person": face.person,
                **({"start_s": face.start_s, "end_s": face.end_s} if facts.kind == "video" else {}),
            }
            for face in found
        ]

    def _embed_picture(self, task: EmbedPicture) -> list[dict[str, Any]]:
        from mien.face_moments import classify_faces

        path, facts = self._look(task.path, at_most_s=self.limits.classify_s)
        if facts.kind != "picture":
            raise Refused(415, "this is a video; /v1/embed takes pictures, and /v1/analyze takes videos")
        model = self._model(task.model)
        if task.of == "faces":
            found = classify_faces(model, path, [])
            return [{"embedding": face.embedding.tolist(), "box": [round(x, 2) for x in face.xyxy]} for face in found]
        # a model of faces takes the whole picture as one; of scenes, people are found in it
        embedding = model.embed(path, cropped=model.config.shown == "faces")[0]
        return [{"embedding": (embedding / (embedding**2).sum() ** 0.5).tolist(), "box": None}]

    def _model(self, name: ModelName) -> Mien:
        if name not in self.models:
            raise Refused(422, f"no {name} model is served here; `mien serve --model FOLDER` serves one")
        if name not in self._loaded:
            from mien.inference import Mien

            self._limit_threads()
            self._loaded[name] = Mien.from_pretrained(self.models[name])
        return self._loaded[name]

    def _limit_threads(self) -> None:
        import torch

        torch.set_num_threads(self.threads)
