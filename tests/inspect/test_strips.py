from pathlib import Path

import cv2
import numpy as np
import pytest
from tiny_store import FRAMES, HEIGHT, WIDTH, write_store

from mien.data.store import BOXES_FILE, FACES_FILE, SENTENCES_FILE, Store
from mien.data.tables import ScoredSentences, write_boxes, write_faces, write_sentences
from mien.inspect.cards import TRACK_COLOURS, UNTRACKED, card, clock, track_colour
from mien.inspect.strips import COUNTS_FROM, read_strip
from mien.inspect.timeline import draw_timeline, presences_of, read_timeline
from mien.types import EMOTIONS, BoxTable, Clip, FaceTable, MienError, Sentence


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return write_store(tmp_path / "store")


def first(store: Store) -> Clip:
    return store.clips()[0]


def table(rows: list[tuple[int, int, float, bool, tuple[float, float, float, float]]]) -> BoxTable:
    """Rows of (frame, track, score, speaking, box)."""
    return BoxTable(
        frame=np.array([r[0] for r in rows], np.int32),
        track=np.array([r[1] for r in rows], np.int32),
        score=np.array([r[2] for r in rows], np.float32),
        speaking=np.array([r[3] for r in rows], np.bool_),
        xyxy=np.array([r[4] for r in rows], np.float32).reshape(-1, 4),
    )


def with_boxes(store: Store, boxes: BoxTable) -> Store:
    write_boxes(store.folder("train/0") / BOXES_FILE, boxes, made_with={})
    return Store(store.path)


def test_boxes_lie_over_the_person_they_stand_for(store: Store) -> None:
    """The bright rectangle of each small picture is where the box of track 1, in per cent, says it is."""
    strip = read_strip(store, first(store), count=8, area=1_000_000)
    assert (strip.width, strip.height) == (WIDTH, HEIGHT)
    for picture in strip.pictures:
        rgb = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)
        speaker = next(mark for mark in picture.persons if mark.track == 1)
        left, top, right, bottom = np.array(speaker.box) / 100 * (WIDTH, HEIGHT, WIDTH, HEIGHT)
        assert rgb[int(top) + 3 : int(bottom) - 3, int(left) + 3 : int(right) - 3].min() > 180
        assert speaker.is_speaking
        assert not next(mark for mark in picture.persons if mark.track == 2).is_speaking
    assert strip.num_persons == 2
    assert strip.has_speaker


def test_strip_has_few_small_frames_evenly_from_first_to_last(store: Store) -> None:
    strip = read_strip(store, first(store), count=3, area=1000)
    assert [p.time_s for p in strip.pictures] == [0.0, 5 / 8, 11 / 8]
    assert strip.width * strip.height <= 1.1 * 1000
    assert strip.width / strip.height == pytest.approx(WIDTH / HEIGHT, rel=0.05)


def test_picture_shows_its_frame_once_even_in_the_shortest_clip(store: Store) -> None:
    clip = store.clip("train/0", start_s=1.0, end_s=1.1)
    assert [p.time_s for p in read_strip(store, clip, count=8, area=38_400).pictures] == [1.0]


def test_largest_counts_area_over_the_clip_and_faint_boxes_are_marked(store: Store) -> None:
    rows = [(f, 5, 0.9, False, (0.0, 0.0, 50.0, 50.0)) for f in range(12)]
    rows += [(3, 6, 0.9, False, (0.0, 0.0, 90.0, 90.0)), (3, 7, 0.1, False, (0.0, 0.0, 20.0, 20.0))]
    opened = with_boxes(store, table(sorted(rows, key=lambda r: r[0])))
    strip = read_strip(opened, first(opened), count=12, area=38_400)
    assert {mark.track for p in strip.pictures for mark in p.persons if mark.is_largest} == {5}
    assert [(m.track, m.counts) for m in strip.pictures[3].persons] == [(7, False), (5, True), (6, True)]
    assert strip.num_persons == 2
    assert not strip.has_speaker


def test_boxes_are_cut_at_the_borders_and_dropped_outside(store: Store) -> None:
    rows = [(0, 1, 0.9, False, (-40.0, -10.0, 80.0, 64.0)), (0, 2, 0.9, False, (500.0, 0.0, 600.0, 50.0))]
    opened = with_boxes(store, table(rows))
    (mark,) = read_strip(opened, first(opened), count=1, area=38_400).pictures[0].persons
    assert mark.box == (0.0, 0.0, 50.0, 50.0)


def test_faces_are_drawn_where_the_store_has_them(store: Store) -> None:
    faces = FaceTable(
        frame=np.array([0], np.int32), xyxy=np.array([[16.0, 32.0, 48.0, 64.0]], np.float32),
        landmarks=np.full((1, 5, 2), 32.0, np.float32), score=np.array([0.8], np.float32),
        track=np.array([1], np.int32),
    )  # fmt: skip
    assert "face" not in card(read_strip(store, first(store), count=2, area=38_400), number=1).split("said")[-1]
    write_faces(store.folder("train/0") / FACES_FILE, faces, made_with={})
    drawn = read_strip(store, first(store), count=2, area=38_400)
    (face,) = drawn.pictures[0].faces
    assert face.box == (10.0, 25.0, 30.0, 50.0)
    assert face.landmarks == ((20.0, 25.0),) * 5
    assert drawn.pictures[1].faces == ()
    page = card(drawn, number=1)
    assert page.count('class="face"') == 1
    assert page.count('class="point"') == 5
    assert 'title="face .80, of person 1"' in page


def test_clip_beyond_its_video_is_an_error_that_says_so(store: Store) -> None:
    beyond = Clip(
        id="x", video="train/0", start_frame=15, end_frame=FRAMES + 9, start_s=0, end_s=4, text="",
        sentiment_logits=(0.0,) * 7, person_share=0,
    )  # fmt: skip
    with pytest.raises(MienError, match="has no frame"):
        read_strip(store, beyond, count=4, area=38_400)


def luminance(colour: str) -> float:
    """Relative luminance after WCAG 2.2."""
    c = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return float(np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ (0.2126, 0.7152, 0.0722))


def test_labels_are_legible_on_every_track_colour() -> None:
    for colour in (*TRACK_COLOURS, UNTRACKED):
        assert (luminance(colour) + 0.05) / (luminance("#111111") + 0.05) > 7
    assert track_colour(-1) == UNTRACKED
    assert len({track_colour(t) for t in range(len(TRACK_COLOURS))}) == len(TRACK_COLOURS)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "00:00:00.000"), (59.9996, "00:01:00.000"), (3661.25, "01:01:01.250")]
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


# ── the timeline ─────────────────────────────────────────────────────────────────────────────────


def test_presence_ends_where_a_frame_is_missing_or_speaking_changes() -> None:
    spoken = {0: False, 1: False, 2: True, 3: True, 6: True}
    rows = [(f, 1, 0.9, speaks, (0.0, 0.0, 9.0, 9.0)) for f, speaks in spoken.items()]
    rows += [(4, 1, COUNTS_FROM - 0.1, True, (0.0, 0.0, 9.0, 9.0))]
    (presence,) = presences_of(table(sorted(rows, key=lambda r: r[0])), fps=2.0, start_s=0.0, end_s=9.0)
    assert presence.stretches == ((0.0, 1.0, False), (1.0, 2.0, True), (3.0, 3.5, True))
    assert presence.seconds == 2.5


def test_timeline_leads_from_a_sentence_to_its_card(store: Store) -> None:
    said = [Sentence(start_s=0.5, end_s=1.5, text="1 < 2"), Sentence(start_s=1.5, end_s=9.0, text="No!")]
    logits = np.eye(7, dtype=np.float32)[[EMOTIONS.index("joy"), EMOTIONS.index("fear")]]
    scored = ScoredSentences(sentences=said, logits=logits)
    write_sentences(store.folder("train/0") / SENTENCES_FILE, scored, made_with={})
    timeline = read_timeline(store, "train/0", around_s=1.0)
    assert (timeline.start_s, timeline.end_s) == (0.0, FRAMES / 8)
    assert [p.track for p in timeline.presences] == [1, 2]
    assert [(s.id, s.emotion) for s in timeline.said] == [("train/0#0", "joy"), ("train/0#1", "fear")]
    page = draw_timeline(timeline, cards={"train/0#1": "#clip-7"})
    assert page.count('href="#clip-7"') == page.count("<a ") == 1
    assert "1 &lt; 2" in page
    assert page.count("span there") == 2
    assert page.count("speaking") == 2  # the class and the words
    assert "left:20.000%;width:40.000%" in page


def test_long_video_is_drawn_around_the_clip(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.inspect.timeline.WINDOW_S", 1.0)
    spans = [read_timeline(store, "train/0", around_s=t) for t in (0.0, 1.25, 2.5)]
    assert [(s.start_s, s.end_s) for s in spans] == [(0.0, 1.0), (0.75, 1.75), (1.5, 2.5)]
    assert "00:00:00.750 to 00:00:01.750 of 00:00:02.500" in draw_timeline(spans[1], cards={})
