"""Frames of a play: who is in them, who speaks, and what stays still."""

import math

import numpy as np

from mien.theatre.play import Beat, write_play
from mien.theatre.render import Seen, num_frames, render
from mien.theatre.script import open_script
from mien.theatre.settings import TheatreSettings

SETTINGS = TheatreSettings(min_utterances=2, max_utterances=2, width=160, height=128)


def frames(number: int, fps: int = 8, **changes: float) -> tuple[tuple[Beat, ...], list[tuple[np.ndarray, list[Seen]]]]:
    settings = SETTINGS.model_copy(update=changes)
    beats = write_play(settings, "train", number, script=open_script(None, "train"), pictures=None)
    return beats, list(render(beats, width=160, height=128, fps=fps, pictures=None))


def test_frames_are_rgb_pictures_for_the_whole_play() -> None:
    beats, shown = frames(0)
    assert len(shown) == num_frames(beats, 8) == math.floor(beats[-1].end_s * 8)
    assert all(image.shape == (128, 160, 3) and image.dtype == np.uint8 for image, _ in shown)


def test_speaker_is_seen_in_every_frame_of_the_line() -> None:
    for number in range(4):
        beats, shown = frames(number, alone_share=0.0)
        for k, (_, seen) in enumerate(shown):
            t = k / 8
            speaking = [beat for beat in beats if beat.line.start_s <= t < beat.line.end_s]
            tracks = [beat.scene.parts[beat.line.speaker].track for beat in speaking]
            assert [person.track for person in seen if person.speaking] == tracks


def test_more_frames_a_second_show_the_same_play() -> None:
    _, slow = frames(1)
    _, fast = frames(1, fps=24)
    for k, (image, seen) in enumerate(slow):
        same, persons = fast[3 * k]
        np.testing.assert_array_equal(image, same)
        assert seen == persons


def test_people_move_in_every_second() -> None:
    _, shown = frames(2)
    images = [image.astype(int) for image, _ in shown]
    for k in range(0, len(images) - 8, 8):
        assert max(np.abs(images[k] - images[k + j]).max() for j in range(1, 8)) > 20
