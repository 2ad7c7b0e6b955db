"""Making a data card: the numbers of a store, added up video by video, and the page that shows them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from mien.data.card import StoreCard
from mien.language.sentiment import softmax
from mien.lengths import told_length
from mien.prepare.clips import MOST_PERSONS, RULES
from mien.prepare.summary import VideoSummary
from mien.types import EMOTIONS


class CardMaker:
    """Adds videos up to a card: `add` each, then `card`."""

    def __init__(self, *, num_duplicates: int = 0, num_failed: int = 0, num_excluded: int = 0) -> None:
        self.videos_left_out = {
            "num_duplicates": num_duplicates,
            "num_failed": num_failed,
            "num_excluded": num_excluded,
        }
        self.counts: Counter[str] = Counter()
        self.sums = {"seconds": 0.0, "speech_s": 0.0, "clip_s": 0.0}
        self.by: dict[str, Counter[str]] = {
            name: Counter()
            for name in ("left_out", "durations", "persons", "languages", "words_from", "sources", "licenses")
        }
        self.emotions = np.zeros(len(EMOTIONS), np.int64)
        self.probability = np.zeros(len(EMOTIONS))
        self.models: dict[str, Counter[str]] = defaultdict(Counter)

    def add(self, video: VideoSummary, clips: pa.Table) -> None:
        """A video and the rows of the index that are its clips."""
        self.counts.update(
            videos=1, sentences=video.num_sentences, words=video.num_words, tracks=video.people.num_tracks,
            wordless=int(video.num_words == 0), clips=len(clips), cut_off=int(video.is_cut_off),
            without_sidecar=int(video.lacks_sidecar),
        )  # fmt: skip
        self.sums["seconds"] += video.seconds
        self.sums["speech_s"] += video.speech_s
        self.by["left_out"].update(video.left_out)
        self.by["persons"].update(video.people.persons_per_frame)
        for group, value in (
            ("languages", video.language), ("words_from", video.words_from), ("sources", video.source),
            ("licenses", video.license),
        ):  # fmt: skip
            self.by[group][value] += 1
        for role, model in video.models.items():
            self.models[role][model] += 1
        if len(clips):
            self._add_clips(clips)

    def _add_clips(self, clips: pa.Table) -> None:
        seconds = clips["end_s"].to_numpy() - clips["start_s"].to_numpy()
        self.sums["clip_s"] += float(seconds.sum())
        self.by["durations"].update(str(int(s)) for s in seconds.tolist())
        logits = np.array(clips["sentiment_logits"].to_pylist(), np.float64)  # n 7
        probability = softmax(logits)
        self.probability += probability.sum(axis=0)
        self.emotions += np.bincount(logits.argmax(axis=1), minlength=len(EMOTIONS))

    def card(self) -> StoreCard:
        """The card of all videos added."""
        mean = self.probability / max(1, self.counts["clips"])
        persons = [*(str(n) for n in range(MOST_PERSONS)), f"{MOST_PERSONS}+"]
        return StoreCard(
            num_videos=self.counts["videos"],
            hours=_hours(self.sums["seconds"]),
            num_sentences=self.counts["sentences"],
            num_words=self.counts["words"],
            speech_hours=_hours(self.sums["speech_s"]),
            num_clips=self.counts["clips"],
            clip_hours=_hours(self.sums["clip_s"]),
            left_out={rule: self.by["left_out"][rule] for rule in RULES},
            clip_durations=dict(sorted(self.by["durations"].items(), key=lambda item: int(item[0]))),
            emotions=dict(zip(EMOTIONS, self.emotions.tolist(), strict=True)),
            mean_emotions={name: round(p, 6) for name, p in zip(EMOTIONS, mean.tolist(), strict=True)},
            persons_per_frame={name: self.by["persons"][name] for name in persons if self.by["persons"][name]},
            num_tracks=self.counts["tracks"],
            num_videos_without_words=self.counts["wordless"],
            num_cut_off=self.counts["cut_off"],
            num_videos_without_sidecar=self.counts["without_sidecar"],
            **self.videos_left_out,
            languages=_falling(self.by["languages"]),
            words_from=_falling(self.by["words_from"]),
            sources=_falling(self.by["sources"]),
            licenses=_falling(self.by["licenses"]),
            models={role: ", ".join(_falling(ids)) for role, ids in self.models.items()},
        )


def card_page(card: StoreCard) -> str:
    """The card in Markdown."""
    numbers = {
        "videos": f"{card.num_videos:,}",
        "pictures": told_length(card.hours),
        "clips": f"{card.num_clips:,} ({told_length(card.clip_hours)})",
        "sentences": f"{card.num_sentences:,} ({told_length(card.speech_hours)}, {card.num_words:,} words)",
        "persons followed": f"{card.num_tracks:,}",
        "videos without words": f"{card.num_videos_without_words:,}",
        "videos cut off: kept as far as they decode": f"{card.num_cut_off:,}",
        "videos without the side-car their boxes were to come from": f"{card.num_videos_without_sidecar:,}",
        "videos left out: copies of others": f"{card.num_duplicates:,}",
        "videos left out: excluded": f"{card.num_excluded:,}",
        "videos left out: failed": f"{card.num_failed:,}",
    }
    parts = [
        "# Data card",
        "Emotions are those of the *words*, as a model scores them: apparent, not felt.",
        _table(("what", "how much"), numbers),
        "## Sentences that make no clip, by rule",
        _table(("rule", "sentences"), card.left_out),
        "## Clips by emotion of their sentence",
        _table(
            ("emotion", "clips", "mean probability"),
            {name: f"{card.emotions[name]:,} | {card.mean_emotions[name]:.3f}" for name in card.emotions},
        ),
        "## Clips by length in seconds",
        _table(("from", "clips"), card.clip_durations),
        "## Pictures by number of persons",
        _table(("persons", "pictures"), card.persons_per_frame),
        "## Videos",
        *(
            _table((title, "videos"), counts)
            for title, counts in (
                ("language", card.languages), ("words from", card.words_from), ("source", card.sources),
                ("licence", card.licenses),
            )
        ),
        "## Models",
        _table(("of", "model"), card.models),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _table(header: tuple[str, ...], rows: Mapping[str, object]) -> str:
    lines = [" | ".join(header), " | ".join("---" for _ in header)]
    for name, value in rows.items():
        cell = " ".join(name.split()).replace("|", "\\|")  # sources and licences are named by others
        lines.append(f"{cell} | {value:,}" if isinstance(value, int) else f"{cell} | {value}")
    return "\n".join(f"| {line} |" for line in lines)


def _hours(seconds: float) -> float:
    return round(seconds / 3600, 6)


def _falling(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
