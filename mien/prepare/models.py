"""The models that the stages use, loaded once a process, which may prepare thousands of videos."""

from __future__ import annotations

from functools import cache

from mien.language.sentiment import UtteranceModel
from mien.perception.detector import Detector, build_detector
from mien.prepare.settings import PrepareSettings


@cache
def detector_for(name: str, threads: int) -> Detector:
    return build_detector(name, threads=threads)


@cache
def sentiment_for(name: str) -> UtteranceModel:
    return UtteranceModel.load()


def require_models(settings: PrepareSettings) -> None:
    """Raise MienError now, not once a video, if a model that the stages need is not there."""
    sentiment_for(settings.words.sentiment)
    if settings.boxes.source == "detector":
        build_detector(settings.boxes.detector)
