from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from mien.perception.speaking import (
    FACE_MARKS,
    MOUTH_OF_FACE,
    MouthMotion,
    find_speakers,
    frames_to_watch,
    lay_face,
    lay_head,
    mouth_motion,
    speaking_rows,
    watch_mouths,
)
from mien.types import BoxTable, FaceTable, Sentence

FPS = 8.0
MARKS = np.array([[-12, -10], [12, -10], [0, 3], [-9, 16], [9, 16]], np.float32)


def boxes_of(rows: Sequence[tuple[int, int]], *, sides: Sequence[float] | None = None) -> BoxTable:
    """Rows of frame and track; each track's box at its own place."""
    sides = sides or [60.0] * len(rows)
    xyxy = [[100 * t, 0, 100 * t + side, side] for (_, t), side in zip(rows, sides, strict=True)]
    return BoxTable(
        frame=np.array([f for f, _ in rows], np.int32),
        xyxy=np.array(xyxy, np.float32).reshape(-1, 4),
        score=np.ones(len(rows), np.float32),
        track=np.array([t for _, t in rows], np.int32),
        speaking=np.zeros(len(rows), np.bool_),
    )


def motion_of(boxes: BoxTable, lively: dict[int, float], *, heads: dict[int, float] | None = None) -> MouthMotion:
    by_face = np.array([lively.get(t, np.nan) for t in boxes.track.tolist()], np.float32)
    by_head = np.array([(heads or {}).get(t, np.nan) for t in boxes.track.tolist()], np.float32)
    return MouthMotion(by_face=by_face, by_head=by_head)


def said(start_s: float, end_s: float) -> Sentence:
    return Sentence(start_s=start_s, end_s=end_s, text="so")


def together(frames: range, tracks: Sequence[int]) -> list[tuple[int, int]]:
    return [(f, t) for f in frames for t in tracks]


def test_the_liveliest_mouth_speaks_in_the_frames_of_the_sentence() -> None:
    boxes = boxes_of(together(range(24), (0, 1, 2)))
    motion = motion_of(boxes, {0: 0.1, 1: 0.5, 2: 0.2})
    (speaker,) = find_speakers(boxes, motion, said(1.0, 2.0), fps=FPS)
    assert (speaker.track, speaker.start_frame, speaker.end_frame, speaker.num_visible) == (1, 8, 16, 3)
    assert speaker.confidence == pytest.approx(0.5 / 0.7)
    rows = speaking_rows(boxes, motion, [said(1.0, 2.0)], fps=FPS)
    assert set(boxes.track[rows].tolist()) == {1}
    assert boxes.frame[rows].tolist() == list(range(8, 16))


def test_nobody_speaks_where_mouths_move_alike() -> None:
    boxes = boxes_of(together(range(16), (0, 1)))
    motion = motion_of(boxes, {0: 0.30, 1: 0.29})
    (speaker,) = find_speakers(boxes, motion, said(0.0, 2.0), fps=FPS)
    assert speaker.track == -1
    assert speaker.confidence < 0.55
    assert not speaking_rows(boxes, motion, [said(0.0, 2.0)], fps=FPS).any()
    (bold,) = find_speakers(boxes, motion, said(0.0, 2.0), fps=FPS, min_confidence=0.5)
    assert bold.track == 0


def test_who_is_visible_alone_speaks_and_of_nobody_nobody() -> None:
    boxes = boxes_of(together(range(8), (4,)))
    motion = motion_of(boxes, {})
    (speaker,) = find_speakers(boxes, motion, said(0.0, 1.0), fps=FPS)
    assert (speaker.track, speaker.confidence) == (4, 1.0)
    assert find_speakers(boxes, motion, said(1.0, 2.0), fps=FPS) == []
    assert speaking_rows(boxes, motion, [], fps=FPS).tolist() == [False] * 8


def test_who_is_seen_briefly_does_not_count() -> None:
    boxes = boxes_of(sorted(together(range(16), (0,)) + together(range(3), (1,))))
    (speaker,) = find_speakers(boxes, motion_of(boxes, {0: 0.1, 1: 0.9}), said(0.0, 2.0), fps=FPS)
    assert (speaker.track, speaker.num_visible) == (0, 1)


def test_heads_are_compared_where_somebody_has_no_face() -> None:
    boxes = boxes_of(together(range(16), (0, 1)))
    motion = motion_of(boxes, {0: 0.9}, heads={0: 0.1, 1: 0.4})
    (speaker,) = find_speakers(boxes, motion, said(0.0, 2.0), fps=FPS)
    assert speaker.track == 1
    (unknown,) = find_speakers(boxes, motion_of(boxes, {0: 0.9}), said(0.0, 2.0), fps=FPS)
    assert (unknown.track, unknown.confidence) == (-1, 0.0)


def test_both_sides_of_a_cut_are_judged_on_their_own() -> None:
    boxes = boxes_of(together(range(8), (0, 1)) + together(range(8, 16), (2, 3)))
    motion = motion_of(boxes, {0: 0.9, 1: 0.1, 2: 0.2, 3: 0.6})
    speakers = find_speakers(boxes, motion, said(0.0, 2.0), fps=FPS)
    assert [(s.track, s.start_frame, s.end_frame) for s in speakers] == [(0, 0, 8), (3, 8, 16)]


def test_rows_without_a_track_never_speak() -> None:
    boxes = boxes_of([(f, -1) for f in range(8)])
    assert find_speakers(boxes, motion_of(boxes, {}), said(0.0, 1.0), fps=FPS) == []
    assert not speaking_rows(boxes, motion_of(boxes, {}), [said(0.0, 1.0)], fps=FPS).any()


@given(
    rows=st.lists(st.tuples(st.integers(0, 20), st.integers(-1, 3)), unique=True, max_size=40),
    times=st.lists(st.tuples(st.floats(0, 3), st.floats(0, 3)), max_size=4),
    seed=st.integers(0, 99),
)
def test_at_most_one_speaks_in_a_frame_of_one_sentence(
    rows: list[tuple[int, int]], times: list[tuple[float, float]], seed: int
) -> None:
    boxes = boxes_of(sorted(rows))
    motion = np.random.default_rng(seed).uniform(0, 1, (2, len(rows))).astype(np.float32)
    motion[motion < 0.1] = np.nan
    watched = MouthMotion(by_face=motion[0], by_head=motion[1])
    for start_s, end_s in times:
        sentence = said(min(start_s, end_s), max(start_s, end_s))
        speaking = speaking_rows(boxes, watched, [sentence], fps=FPS)
        frames = boxes.frame[speaking].tolist()
        assert len(frames) == len(set(frames))
        assert all(sentence.start_s - 1e-5 <= f / FPS < sentence.end_s for f in frames)
        assert (boxes.track[speaking] >= 0).all()


def test_frames_are_watched_where_something_is_said_by_one_of_several() -> None:
    boxes = boxes_of(sorted([*together(range(10), (0,)), *together(range(4, 8), (1,)), *together(range(8, 10), (-1,))]))
    watched = frames_to_watch(boxes, [said(0.0, 0.75)], fps=FPS)
    assert watched.tolist() == [False] * 4 + [True] * 2 + [False] * 4
    assert len(frames_to_watch(boxes_of([]), [said(0.0, 1.0)], fps=FPS)) == 0


# ── pixels ───────────────────────────────────────────────────────────────────────────────────────


def draw(picture: np.ndarray, centre: tuple[float, float], *, opening: float, size: float = 1.0) -> np.ndarray:
    """A face on the picture; its landmarks come back."""
    x, y = centre
    cv2.ellipse(picture, (round(x), round(y)), (round(26 * size), round(32 * size)), 0, 0, 360, (220, 190, 170), -1)
    marks = MARKS * size + np.array(centre, np.float32)
    for eye in marks[:2]:
        cv2.circle(picture, (round(eye[0]), round(eye[1])), round(4 * size), (20, 20, 20), -1)
    cv2.circle(picture, (round(marks[2, 0]), round(marks[2, 1])), round(2 * size), (120, 90, 80), -1)
    mouth = (round(x), round(y + 16 * size))
    cv2.ellipse(picture, mouth, (round(9 * size), round((1 + 7 * opening) * size)), 0, 0, 360, (90, 20, 30), -1)
    return marks


def scene(frame: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """The left one nods and walks with a still mouth, the right one speaks."""
    picture = np.full((128, 256, 3), 60, np.uint8)
    walk = (60 + 2.0 * frame, 64 + 5 * np.sin(2.0 * frame))
    left = draw(picture, walk, opening=0.3)
    right = draw(picture, (200, 64), opening=0.5 + 0.5 * np.sin(1.9 * frame))
    return picture, [left, right]


def tables(frames: range, *, with_faces: bool = True) -> tuple[BoxTable, FaceTable]:
    marks = np.stack([m for f in frames for m in scene(f)[1]])
    middle = marks[:, 2] - [0, 3]
    head_and_shoulders = np.array([-65, -36, 65, 130])
    xyxy = (np.tile(middle, 2) + head_and_shoulders).astype(np.float32)
    frame, track = np.repeat(np.array(frames, np.int32), 2), np.tile(np.array([0, 1], np.int32), len(frames))
    score, speaking = np.ones(len(frame), np.float32), np.zeros(len(frame), np.bool_)
    keep = slice(None) if with_faces else slice(0, 0)
    faces = FaceTable(
        frame=frame[keep],
        xyxy=xyxy[keep],
        landmarks=marks[keep].astype(np.float32),
        score=score[keep],
        track=track[keep],
    )
    return BoxTable(frame=frame, xyxy=xyxy, score=score, track=track, speaking=speaking), faces


@pytest.mark.parametrize("with_faces", [True, False])
def test_a_moving_mouth_is_told_from_a_moving_head(with_faces: bool) -> None:
    boxes, faces = tables(range(16), with_faces=with_faces)
    motion = watch_mouths(boxes, faces, lambda i: scene(i)[0], np.ones(16, np.bool_), scale=(1.0, 1.0))
    assert np.isnan(motion.by_head[:2]).all()  # nothing before the first
    assert not np.isnan(motion.by_head[2:]).any()
    assert np.isnan(motion.by_face).all() == (not with_faces)
    (speaker,) = find_speakers(boxes, motion, said(0.0, 2.0), fps=FPS)
    assert speaker.track == 1


def test_tables_in_larger_pixels_than_the_pictures_make_no_difference() -> None:
    boxes, faces = tables(range(6))
    double = np.array([2.0, 3.0], np.float32)
    far_boxes = BoxTable(
        frame=boxes.frame, xyxy=boxes.xyxy * np.tile(double, 2), score=boxes.score, track=boxes.track,
        speaking=boxes.speaking,
    )  # fmt: skip
    far_faces = FaceTable(
        frame=faces.frame, xyxy=faces.xyxy * np.tile(double, 2), landmarks=faces.landmarks * double, score=faces.score,
        track=faces.track,
    )  # fmt: skip
    watched = np.ones(6, np.bool_)
    near = watch_mouths(boxes, faces, lambda i: scene(i)[0], watched, scale=(1.0, 1.0))
    far = watch_mouths(far_boxes, far_faces, lambda i: scene(i)[0], watched, scale=(1 / 2, 1 / 3))
    assert_allclose(far.by_face, near.by_face, atol=0.02)
    assert_allclose(far.by_head, near.by_head, atol=0.02)


def test_only_the_frames_that_matter_are_looked_at() -> None:
    boxes, faces = tables(range(12))
    looked: list[int] = []

    def picture(i: int) -> np.ndarray:
        looked.append(i)
        return scene(i)[0]

    wanted = np.zeros(12, np.bool_)
    wanted[[4, 5, 9]] = True
    motion = watch_mouths(boxes, faces, picture, wanted, scale=(1.0, 1.0))
    assert looked == [3, 4, 5, 8, 9]
    assert boxes.frame[~np.isnan(motion.by_head)].tolist() == [4, 4, 5, 5, 9, 9]


@given(dx=st.integers(-4, 4), dy=st.integers(-4, 4), seed=st.integers(0, 20))
def test_a_shift_is_no_motion(dx: int, dy: int, seed: int) -> None:
    picture = np.random.default_rng(seed).integers(0, 256, (64, 64), np.uint8)
    before = picture[8:56, 8:56]
    after = picture[8 + dy : 56 + dy, 8 + dx : 56 + dx]
    assert mouth_motion(before, after, mouth=MOUTH_OF_FACE) == pytest.approx(0, abs=0.01)
    other = np.random.default_rng(seed + 1000).integers(0, 256, (48, 48), np.uint8)
    assert mouth_motion(before, other, mouth=MOUTH_OF_FACE) > 0.5


@pytest.mark.parametrize(("angle", "size"), [(0, 1.0), (20, 1.5), (-35, 0.8)])
def test_a_turned_face_is_laid_straight(angle: float, size: float) -> None:
    picture = np.full((200, 200, 3), 60, np.uint8)
    marks = draw(picture, (100, 100), opening=0.5, size=1.5)
    turn = cv2.getRotationMatrix2D((100, 100), angle, size)
    turned = cv2.warpAffine(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), turn, (200, 200), borderValue=60)
    there = marks @ turn[:, :2].T + turn[:, 2]
    straight = lay_face(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), marks)
    laid = lay_face(turned, there)
    assert np.abs(laid.astype(float) - straight).mean() < 6
    eyes = [straight[round(y), round(x)] for x, y in FACE_MARKS[:2]]
    assert max(eyes) < 60 < straight[24, 12]


def test_degenerate_boxes_and_landmarks_are_laid_somehow() -> None:
    grey = np.zeros((20, 20), np.uint8)
    assert lay_head(grey, np.array([5, 5, 5, 5], np.float32)).shape == (48, 48)
    assert lay_face(grey, np.full((5, 2), 7, np.float32)).shape == (48, 48)
