"""Faces drawn: a picture with everyone's box in a colour of their own; some moments of a video."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from made_videos import write_video

from mien.analyze.drawing import COLOURS, Colour
from mien.face_moments import FaceMoment
from mien.face_pictures import draw_faces
from mien.types import MienError


def moment(seen_s: float, *, person: int = 0, x0: float = 20.0) -> FaceMoment:
    return FaceMoment(
        video="video", person=person, start_s=seen_s, end_s=seen_s, seen_s=seen_s, xyxy=(x0, 20.0, x0 + 40, 60.0),
        num_faces=1, embedding=np.zeros(2, np.float32), scores={"happiness": 0.8, "fear": 0.2},
    )  # fmt: skip


def share_of(colour: Colour, drawn: Path) -> float:
    """The share of a picture's pixels that have nearly this colour."""
    pixels = cv2.cvtColor(cv2.imread(str(drawn)), cv2.COLOR_BGR2RGB).astype(int)
    return float((np.abs(pixels - np.array(colour)).max(axis=2) < 6).mean())


def test_everyone_has_a_box_in_a_colour_of_their_own(tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    cv2.imwrite(str(picture), np.full((120, 160, 3), 128, np.uint8))
    drawn = draw_faces(picture, [moment(0.0), moment(0.0, person=1, x0=90.0)], tmp_path / "drawn.png")
    assert drawn == (1, 1)
    for colour in COLOURS[:2]:
        assert share_of(colour, tmp_path / "drawn.png") > 0.003
    draw_faces(picture, [], tmp_path / "nobody.png")
    assert share_of(COLOURS[0], tmp_path / "nobody.png") == 0


def test_moments_of_a_video_are_drawn_side_by_side_up_to_a_number(tmp_path: Path) -> None:
    video = tmp_path / "video.mp4"
    write_video(video, num_frames=24, width=96, height=64)
    sizes = {}
    for count in (1, 4):
        draw_faces(video, [moment(s, x0=30) for s in (0.0, 1.0, 2.0)], tmp_path / f"{count}.png", at_most=count)
        sizes[count] = cv2.imread(str(tmp_path / f"{count}.png")).shape
    assert sizes[1][0] / sizes[1][1] == pytest.approx(64 / 96, abs=0.1)  # one picture fills it
    assert sizes[4][0] > sizes[4][1] * 0.6  # two by two


def test_a_name_that_is_no_picture_s_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MienError, match=r"faces\.txt is, by its name, no picture; end it in one of \.png"):
        draw_faces(tmp_path / "a.png", [], tmp_path / "faces.txt")
