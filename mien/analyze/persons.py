"""Each person's summary: for how long which word was the answer, and when it was at its most probable."""

from __future__ import annotations

from collections import Counter

import numpy as np

from mien.analyze.record import Peak, Person, Source
from mien.analyze.smoothing import groups_of
from mien.analyze.timeline import UNCERTAIN, Timeline

SOURCES: tuple[Source, ...] = ("face", "person")


def summarise_persons(timeline: Timeline, *, step_s: float, end_s: float, num_persons: int) -> tuple[Person, ...]:
    """Everyone in the timeline, a record a source, longest seen first; tracks below `num_persons` have bodies.

    end_s: the video's; nobody is seen for longer."""
    table = timeline.table
    track, time_s = table["track"].to_numpy(), table["time_s"].to_numpy()
    source = np.array([SOURCES.index(name) for name in table["source"].to_pylist()], np.int32)
    shot, top = table["shot"].to_numpy(), np.array(table["top"].to_pylist(), dtype=object)
    scores = {name: table[name].to_numpy() for name in (*timeline.words, *timeline.numbers)}
    persons = []
    for rows in groups_of(track, source, order=np.argsort(np.argsort(time_s, kind="stable"))):
        counts = Counter(top[rows].tolist())
        told = [word for word in (*timeline.words, UNCERTAIN) if counts[word]]
        persons.append(
            Person(
                track=int(track[rows[0]]),
                source=SOURCES[source[rows[0]]],
                has_body=bool(track[rows[0]] < num_persons),
                shot=int(shot[rows[0]]),
                start_s=float(time_s[rows[0]]),
                end_s=round(max(float(time_s[rows[-1]]), min(float(time_s[rows[-1]]) + step_s, end_s)), 6),
                num_samples=len(rows),
                seconds=round(float(np.clip(end_s - time_s[rows], 0.0, step_s).sum()), 6),
                shares={word: round(counts[word] / len(rows), 6) for word in told},
                means={name: round(float(values[rows].mean()), 6) for name, values in scores.items()},
                peaks=tuple(
                    _peak(word, rows[top[rows] == word], time_s, scores[word]) for word in told if word != UNCERTAIN
                ),
            )
        )
    return tuple(sorted(persons, key=lambda person: (-person.num_samples, person.track, person.source)))


def _peak(word: str, rows: np.ndarray, time_s: np.ndarray, probability: np.ndarray) -> Peak:
    best = rows[probability[rows].argmax()]
    return Peak(word=word, time_s=float(time_s[best]), probability=round(float(probability[best]), 6))
