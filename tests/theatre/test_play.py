"""What is decided before a pixel is drawn: balance, independence, times."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from mien.config import validate
from mien.theatre.feelings import TABLE, judge
from mien.theatre.play import Beat, write_play
from mien.theatre.script import open_script
from mien.theatre.settings import Split, TheatreSettings
from mien.types import CATEGORIES, EMOTIONS, MienError


def plays(count: int, split: Split = "train", **settings: float) -> list[tuple[Beat, ...]]:
    chosen = validate(TheatreSettings, settings, source="test")
    script = open_script(None, split)
    return [write_play(chosen, split, k, script=script, pictures=None) for k in range(count)]


BEATS = [beat for play in plays(150) for beat in play]


def test_emotions_are_balanced() -> None:
    counts = Counter(beat.shows[beat.line.speaker].emotion for beat in BEATS)
    assert set(counts) == set(EMOTIONS)
    assert max(counts.values()) < 1.3 * min(counts.values())


def test_bystanders_emotion_is_independent_of_the_speakers() -> None:
    table = np.zeros((7, 7))
    for beat in BEATS:
        speaks = EMOTIONS.index(beat.shows[beat.line.speaker].emotion)
        for k, show in enumerate(beat.shows):
            if k != beat.line.speaker:
                table[speaks, EMOTIONS.index(show.emotion)] += 1
    expected = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / table.sum()
    chi_square = ((table - expected) ** 2 / expected).sum()
    assert chi_square < 67.98  # 36 degrees of freedom, p = 0.001


def test_speaker_stands_neither_left_nor_in_front_more_often() -> None:
    pairs = [beat for beat in BEATS if len(beat.shows) == 2]
    left = np.mean(
        [b.scene.parts[b.line.speaker].place.real < b.scene.parts[1 - b.line.speaker].place.real for b in pairs]
    )
    front = np.mean([b.line.speaker for b in pairs])
    assert abs(left - 0.5) < 0.12
    assert abs(front - 0.5) < 0.12


def test_share_of_scenes_with_one_person_follows_the_setting() -> None:
    assert all(len(beat.shows) == 1 for play in plays(5, alone_share=1.0) for beat in play)
    assert all(len(beat.shows) in (2, 3) for play in plays(5, alone_share=0.0) for beat in play)


def test_beats_follow_each_other_and_hold_their_lines() -> None:
    for play in plays(20):
        assert 8 <= len(play) <= 12
        assert play[0].start_s == 0.0
        for before, after in pairwise(play):
            assert before.end_s == after.start_s
        for beat in play:
            assert beat.start_s < beat.line.start_s < beat.line.end_s < beat.end_s
            assert 2.2 <= beat.line.end_s - beat.line.start_s + 1e-9 <= 4.5 + 2e-9
            assert beat.shot.start_s <= beat.start_s


def test_captions_say_the_line_in_its_time() -> None:
    for beat in BEATS:
        captions = beat.line.captions
        assert " ".join(caption.text for caption in captions) == beat.line.text
        assert captions[0].start_s == beat.line.start_s
        assert captions[-1].end_s == beat.line.end_s
    assert {len(beat.line.captions) for beat in BEATS} == {1, 2}


def test_sarcasm_hides_anger_and_disgust_only() -> None:
    bitter = [
        b for play in plays(30, sarcasm_share=1.0, small_talk_share=0.0) for b in play if b.line.kind == "sarcasm"
    ]
    assert {beat.shows[beat.line.speaker].emotion for beat in bitter} == {"anger", "disgust"}


def test_a_play_depends_on_seed_split_and_number_alone() -> None:
    first = plays(3)
    assert plays(3, num_train=7) == first
    lines = {play[0].line.text + str(play[0].line.start_s) for play in [*first, *plays(3, "test"), *plays(3, seed=1)]}
    assert len(lines) == 9


def test_place_tells_the_emotion_only_as_often_as_it_is_set_to() -> None:
    def suited(share: float) -> float:
        beats = [play[0] for play in plays(120, setting_informativeness=share)]
        return float(np.mean([b.shows[b.line.speaker].emotion in b.scene.setting.suits for b in beats]))

    assert suited(1.0) == 1.0
    assert suited(0.0) < 0.4


def test_judgement_lies_in_its_ranges_and_names_the_emotion() -> None:
    rng = np.random.default_rng(0)
    for emotion in EMOTIONS:
        categories, vad = judge(emotion, 1.0, rng)
        assert len(categories) == len(CATEGORIES)
        assert all(0 <= score <= 1 for score in categories)
        assert all(-1 <= value <= 1 for value in vad)
    assert CATEGORIES[int(TABLE[EMOTIONS.index("joy")].argmax())] == "Happiness"


def test_settings_out_of_order_are_refused() -> None:
    with pytest.raises(MienError, match="max_utterances"):
        validate(TheatreSettings, {"min_utterances": 5, "max_utterances": 4}, source="test")


def test_every_head_is_in_the_picture_throughout_the_shot() -> None:
    for beat in BEATS:
        for t in (beat.start_s, (beat.start_s + beat.end_s) / 2, beat.end_s):
            view = beat.shot.view(t)
            for part in beat.scene.parts:
                seen = part.head - view.centre
                assert abs(seen.real) < view.height * 320 / 256 / 2
                assert abs(seen.imag) < view.height / 2


def test_camera_moves_without_a_jump() -> None:
    for beat in BEATS[:200]:
        times = np.arange(beat.start_s, beat.end_s, 1 / 8)
        views = [beat.shot.view(float(t)) for t in times]
        for before, after in pairwise(views):
            assert abs(after.centre - before.centre) < 0.15
            assert abs(after.height - before.height) < 0.15
