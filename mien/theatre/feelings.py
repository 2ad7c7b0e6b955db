"""What annotators would say of an emotion: the 26 categories of BoLD, and valence, arousal, dominance."""

from __future__ import annotations

import numpy as np

from mien.types import CATEGORIES, EMOTIONS

_CATEGORIES: dict[str, dict[str, float]] = {
    "anger": {"Anger": 1.0, "Annoyance": 0.9, "Disapproval": 0.8, "Confidence": 0.4, "Aversion": 0.4,
              "Engagement": 0.4},
    "disgust": {"Aversion": 1.0, "Disapproval": 0.7, "Annoyance": 0.5, "Disquietment": 0.4, "Disconnection": 0.3},
    "fear": {"Fear": 1.0, "Disquietment": 0.9, "Doubt/Confusion": 0.4, "Sensitivity": 0.4, "Anticipation": 0.3,
             "Suffering": 0.3},
    "joy": {"Happiness": 1.0, "Pleasure": 0.8, "Excitement": 0.7, "Engagement": 0.6, "Affection": 0.5,
            "Confidence": 0.5, "Esteem": 0.4},
    "neutral": {"Peace": 0.7, "Engagement": 0.5, "Disconnection": 0.3, "Confidence": 0.3},
    "sadness": {"Sadness": 1.0, "Suffering": 0.7, "Pain": 0.5, "Sensitivity": 0.5, "Fatigue": 0.4, "Sympathy": 0.3,
                "Yearning": 0.3, "Disconnection": 0.3},
    "surprise": {"Surprise": 1.0, "Doubt/Confusion": 0.5, "Excitement": 0.5, "Anticipation": 0.4, "Engagement": 0.4},
}  # fmt: skip
_VAD: dict[str, tuple[float, float, float]] = {
    "anger": (-0.6, 0.7, 0.6),
    "disgust": (-0.7, 0.2, 0.1),
    "fear": (-0.7, 0.7, -0.7),
    "joy": (0.9, 0.6, 0.4),
    "neutral": (0.05, -0.4, 0.05),
    "sadness": (-0.8, -0.5, -0.5),
    "surprise": (0.2, 0.8, -0.2),
}
_JITTER = 0.08  # annotators' disagreement

TABLE = np.array([[_CATEGORIES[emotion].get(name, 0.0) for name in CATEGORIES] for emotion in EMOTIONS])


def judge(
    emotion: str, intensity: float, rng: np.random.Generator
) -> tuple[tuple[float, ...], tuple[float, float, float]]:
    """26 scores in [0, 1] in the order of `CATEGORIES`, and valence, arousal, dominance in [-1, 1]."""
    # Who shows little is judged as calm besides.
    ideal = TABLE[EMOTIONS.index(emotion)] * intensity + TABLE[EMOTIONS.index("neutral")] * (1 - intensity)
    scores = np.clip(ideal + rng.normal(0, _JITTER, len(CATEGORIES)) * (ideal > 0), 0, 1)
    calm = np.array(_VAD["neutral"])
    vad = np.clip(calm + (np.array(_VAD[emotion]) - calm) * intensity + rng.normal(0, _JITTER, 3), -1, 1)
    v, a, d = vad.round(3).tolist()
    return tuple(scores.round(3).tolist()), (v, a, d)
