"""The data card: what a store holds, in numbers, as `card.json` (for machines) and `card.md` (to read)."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from mien.config import Config, describe
from mien.types import MienError

CARD_FILE, CARD_PAGE = "card.json", "card.md"


class StoreCard(Config):
    """What a store holds. Counts by name are in falling order of the count; `unknown` where nothing says it."""

    num_videos: int
    hours: float
    """Of stored pictures."""
    num_sentences: int
    num_words: int
    speech_hours: float
    """Of sentences."""
    num_clips: int
    clip_hours: float
    left_out: dict[str, int]
    """Sentences that make no clip, by the rule that left them out, in the order in which the rules are tried."""
    clip_durations: dict[str, int]
    """Clips by length in whole seconds: "2" are those of 2 to 3 s."""
    emotions: dict[str, int]
    """Clips by the most probable emotion of their sentence, in the order of EMOTIONS."""
    mean_emotions: dict[str, float]
    """The mean probability of each emotion over all clips."""
    persons_per_frame: dict[str, int]
    """Stored pictures by the number of persons in them: "0", "1", …, "5+"."""
    num_tracks: int
    num_videos_without_words: int
    num_cut_off: int = 0
    """Videos of which only a part decoded; that is kept, and skipped.jsonl says how much it is."""
    num_videos_without_sidecar: int = 0
    """Videos whose boxes were to come from a side-car, and that have none."""
    num_failed: int = 0
    """Videos that could not be prepared, or shards not be read: skipped.jsonl says why."""
    num_excluded: int = 0
    """Videos on a list of ids, or samples of an import that make none."""
    num_duplicates: int
    """Videos left out since another shows the same pictures."""
    languages: dict[str, int]
    """Videos by the language of their words, as their file names or files say it."""
    words_from: dict[str, int]
    """Videos by where their words come from: srt, vtt, json3, …, speech recognition."""
    sources: dict[str, int]
    """Videos by origin: what a downloader's NAME.info.json calls `extractor_key`, else the folder they lie in."""
    licenses: dict[str, int]
    """Videos by what NAME.info.json calls `license`."""
    models: dict[str, str]
    """The id of the model that made boxes, faces, punctuation, sentiment and recognised words (`asr`).

    Where videos were made by several, all, joined by ", ", that of the most videos first."""


def read_card(store: Path) -> StoreCard:
    """The card of the store in the folder `store`. Raises MienError where there is none."""
    path = store / CARD_FILE
    if not path.is_file():
        raise MienError(f"no {CARD_FILE} in {store}; run `mien prepare` to make it")
    try:
        return StoreCard.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise MienError(f"{path} is not a data card:\n{describe(error)}\nrun `mien prepare` again") from None
