from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.prepare.sidecar import SidecarRow, boxes_at, read_sidecar
from mien.types import BoxTable, MienError

HEADER = "time_s,track,x0,y0,x1,y1,score,speaking\n"


def read(tmp_path: Path, text: str, *, header: str = HEADER) -> list[SidecarRow]:
    path = tmp_path / "a.boxes.csv"
    path.write_text(header + text, encoding="utf-8")
    return read_sidecar(path)


def at_8_fps(rows: list[SidecarRow], *, num_frames: int) -> BoxTable:
    return boxes_at(rows, np.arange(num_frames) / 8, fps=8.0, width=320, height=256)


def test_rows_are_read_in_any_order_with_defaults(tmp_path: Path) -> None:
    rows = read(tmp_path, "0.5,2,1,2,3.5,4\n0,2,-1,2,3,4\n", header="time_s,track,x0,y0,x1,y1\n")
    assert [row.time_s for row in rows] == [0.0, 0.5]
    assert rows[1] == SidecarRow(time_s=0.5, track=2, xyxy=(1, 2, 3.5, 4), score=1.0, speaking=False)
    assert read(tmp_path, "") == []


def test_columns_may_come_in_another_order_and_with_a_byte_order_mark(tmp_path: Path) -> None:
    (row,) = read(tmp_path, "1,0.25,7,1,2,3,4\n", header="\ufeffspeaking,time_s,track,x0,y0,x1,y1\n")
    assert (row.time_s, row.track, row.speaking) == (0.25, 7, True)


def test_boxes_move_linearly_and_speaking_is_the_earlier_rows(tmp_path: Path) -> None:
    table = at_8_fps(read(tmp_path, "0,1,0,0,100,100,1.0,1\n0.5,1,40,0,140,100,0.5,0\n"), num_frames=8)
    assert table.frame.tolist() == [0, 1, 2, 3, 4]
    assert table.xyxy[:, 0].tolist() == [0, 10, 20, 30, 40]
    assert table.score.tolist() == [1.0, 0.875, 0.75, 0.625, 0.5]
    assert table.speaking.tolist() == [True, True, True, True, False]
    assert table.track.tolist() == [1] * 5


def test_one_second_is_bridged_and_more_is_not(tmp_path: Path) -> None:
    rows = read(tmp_path, "0,1,0,0,9,9,1,0\n1.0,1,0,0,9,9,1,0\n2.01,1,0,0,9,9,1,0\n")
    assert at_8_fps(rows, num_frames=20).frame.tolist() == [*range(9), 16]


def test_a_row_between_two_frames_is_in_the_nearest(tmp_path: Path) -> None:
    assert at_8_fps(read(tmp_path, "0.3,1,0,0,9,9,1,0\n"), num_frames=8).frame.tolist() == [2]


def test_boxes_wholly_outside_the_picture_are_left_out(tmp_path: Path) -> None:
    text = "0,1,-50,0,-1,9,1,0\n0,2,-50,0,1,9,1,0\n0,3,320,0,400,9,1,0\n"
    table = at_8_fps(read(tmp_path, text), num_frames=1)
    assert table.track.tolist() == [2]
    assert table.xyxy.tolist() == [[-50, 0, 1, 9]]


def test_rows_of_a_table_are_in_order_of_frame(tmp_path: Path) -> None:
    text = "0,5,0,0,9,9,1,0\n0.25,5,0,0,9,9,1,0\n0,3,0,0,9,9,1,0\n0.25,3,0,0,9,9,1,0\n"
    table = at_8_fps(read(tmp_path, text), num_frames=3)
    assert table.frame.tolist() == [0, 0, 1, 1, 2, 2]
    assert table.track.tolist() == [3, 5, 3, 5, 3, 5]


def test_no_rows_give_an_empty_table() -> None:
    assert len(at_8_fps([], num_frames=4)) == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0,1,0,0,9,9,1,0\n0,x,0,0,9,9,1,0\n", "line 3: track is 'x', not a number"),
        ("0,1.5,0,0,9,9,1,0\n", "line 2: track is '1.5'; it must be a whole number"),
        ("-1,1,0,0,9,9,1,0\n", r"line 2: time_s is -1\.0"),
        ("0,1,9,0,9,9,1,0\n", r"line 2: the box 9\.0 0\.0 9\.0 9\.0 is empty"),
        ("0,1,0,0,nan,9,1,0\n", "line 2: x1 is 'nan', not a number"),
        ("0,1,0,0,9,9,2,0\n", r"line 2: score is 2\.0"),
        ("0,1,0,0,9,9,1,yes\n", "line 2: speaking is 'yes'"),
        ("0,1,0,0,9\n", "line 2: the row has not as many values"),
        ("0,1,0,0,9,9,1,0,7\n", "line 2: the row has not as many values"),
        ("0,1,0,0,9,9,1,0\n0,1,0,0,9,9,1,0\n", r"track 1 is twice at 0\.0 s"),
    ],
)
def test_rows_that_make_no_sense_are_named_with_their_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(MienError, match=said):
        read(tmp_path, text)


@pytest.mark.parametrize("header", ["", "time_s,track,x0,y0,x1\n", "time_s,track,x0,y0,x1,y1,colour\n"])
def test_wrong_columns_are_named(tmp_path: Path, header: str) -> None:
    with pytest.raises(MienError, match=r"line 1: the columns are .*they must be time_s, track"):
        read(tmp_path, "", header=header)


ROWS = st.builds(
    SidecarRow,
    time_s=st.integers(0, 400).map(lambda centiseconds: centiseconds / 100),
    track=st.integers(0, 2),
    xyxy=st.tuples(*[st.floats(0, 100)] * 2, *[st.floats(101, 200)] * 2),
    score=st.floats(0, 1),
    speaking=st.booleans(),
)


@given(rows=st.lists(ROWS, max_size=12, unique_by=lambda row: (row.track, row.time_s)))
def test_every_visible_row_is_in_some_frame_and_no_person_twice_in_one(rows: list[SidecarRow]) -> None:
    rows.sort(key=lambda row: (row.track, row.time_s))
    table = at_8_fps(rows, num_frames=33)
    present = list(zip(table.frame.tolist(), table.track.tolist(), strict=True))
    assert len(set(present)) == len(present)
    assert present == sorted(present)
    assert {row.track for row in rows} == set(table.track.tolist())
