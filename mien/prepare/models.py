"""The models that the stages use, loaded once a process, which may prepare thousands of videos."""

from __future__ import annotations

from functools import cache

from mien.language.punctuation import Punctuator, build_punctuator
from mien.language.sentiment import SentimentModel, build_sentiment
from mien.language.transcribe import SpeechRecogniser
from mien.perception.detector import Detector, build_detector
from mien.prepare.settings import PrepareSettings
from mien.types import MienError


@cache
def detector_for(name: str, threads: int) -> Detector:
    return build_detector(name, threads=threads)


@cache
def sentiment_for(name: str) -> SentimentModel:
    return build_sentiment(name)


@cache
def punctuator_for(name: str) -> Punctuator | None:
    return None if name == "none" else build_punctuator(name)


@cache
def recogniser_for(name: str, threads: int) -> SpeechRecogniser:
    return SpeechRecogniser.load(name, threads=threads)


def require_models(settings: PrepareSettings) -> None:
    """Raise MienError now, not once a video, if a model that the stages need is not there."""
    sentiment_for(settings.words.sentiment)
    punctuator_for(settings.words.punctuation)
    if settings.words.asr:
        recogniser_for(settings.words.asr, 0)
    for finds, chosen in (("persons", settings.boxes), ("faces", settings.faces)):
        if chosen.source == "detector" and (detector := build_detector(chosen.detector)).finds != finds:
            raise MienError(f"{chosen.detector} finds {detector.finds}, not {finds}; choose another detector")


def model_ids(settings: PrepareSettings, *, threads: int) -> dict[str, str]:
    """The ids of the models that score sentences and find boxes and faces, by what they do."""
    ids = {"sentiment": sentiment_for(settings.words.sentiment).id}
    for role, chosen in (("boxes", settings.boxes), ("faces", settings.faces)):
        if chosen.source == "detector":
            ids[role] = detector_for(chosen.detector, threads).id
    return ids
