"""People as they are drawn: the box is what they cover, and each emotion looks different."""

import numpy as np
import pytest

from mien.theatre.canvas import Canvas
from mien.theatre.face import draw_face, draw_hair_behind
from mien.theatre.person import Person, draw_arms, draw_body, skeleton
from mien.theatre.pose import NAMES, REST, Manner, animate, num_ways, show
from mien.types import EMOTIONS

GREY = 127


def draw(emotion: str, seed: int, *, way: int = 0, t: float = 1.0) -> tuple[np.ndarray, Canvas]:
    rng = np.random.default_rng(seed)
    person, manner = Person.draw(rng), Manner.draw(rng)
    image = np.full((256, 256, 3), GREY, np.uint8)
    canvas = Canvas(image, gain=45.0, origin=128 + 240j)
    vector = show(emotion, way=way, mirror=False, intensity=1.0, manner=manner)
    pose = animate(vector, t=t, since_s=1.0, speech=0.0, manner=manner)
    joints = skeleton(person, pose)
    draw_hair_behind(canvas, person, joints.head, 0j, 1.0)
    draw_body(canvas, person, pose, joints, 0j, 1.0)
    draw_face(canvas, person, pose, joints.head, 0j, 1.0, t=t)
    draw_arms(canvas, person, pose, joints, 0j, 1.0)
    return image, canvas


@pytest.mark.parametrize("seed", range(6))
def test_box_is_what_the_person_covers(seed: int) -> None:
    image, canvas = draw(EMOTIONS[seed], seed)
    covered = np.argwhere((image != GREY).any(2))
    (y0, x0), (y1, x1) = covered.min(0), covered.max(0) + 1
    box = canvas.take_box()
    assert box is not None
    np.testing.assert_allclose(box, (x0, y0, x1, y1), atol=2.5)
    assert canvas.take_box() is None


def test_every_way_of_every_emotion_looks_different() -> None:
    images = [draw(emotion, 3, way=way)[0] for emotion in EMOTIONS for way in range(num_ways(emotion))]
    for k, a in enumerate(images):
        for b in images[k + 1 :]:
            assert (np.abs(a.astype(int) - b) > 30).any(2).mean() > 0.01


def test_mirrored_pose_swaps_the_arms() -> None:
    plain, mirrored = (
        dict(zip(NAMES, show("anger", way=1, mirror=m, intensity=1.0, manner=Manner()), strict=True))
        for m in (False, True)
    )
    assert plain["left_hand_y"] == mirrored["right_hand_y"] != plain["right_hand_y"]
    assert plain["lean"] == -mirrored["lean"]


def test_neutral_at_ease_is_rest() -> None:
    np.testing.assert_array_equal(show("neutral", way=0, mirror=False, intensity=1.0, manner=Manner()), REST)


def test_speaking_opens_the_mouth() -> None:
    silent, speaking = (
        animate(REST, t=1.0, since_s=1.0, speech=speech, manner=Manner()).mouth_open for speech in (0.0, 0.8)
    )
    assert silent < 0.1 < speaking
