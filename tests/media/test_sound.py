"""The sound of a file: what is heard of it, and where it is cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from jaxtyping import Float32
from made_sounds import write_sound
from made_videos import write_video

from mien.media.sound import SAMPLE_RATE, cut_where_quiet, quietest_point, sound_pieces
from mien.types import MienError


def whole_sound(path: Path) -> Float32[np.ndarray, "n"]:
    return np.concatenate(list(sound_pieces(path)))


@pytest.mark.parametrize(
    ("sound", "pause", "point"),
    [
        ([9, 9, 0, 0, 9], 2, 3),
        ([9, -9, 1, -1, 9], 2, 3),  # loudness has no sign
        ([0, 9, 9, 2, 1, 2, 9], 3, 4),  # a moment of silence is no pause
        ([5, 5, 5, 5], 2, 1),
        ([9, 0, 9, 9, 0, 9], 1, 1),
        ([-32768, -32768, 32767], 2, 2),  # the loudest there is does not overflow
        ([3, 2], 2, 1),
    ],
)
def test_quietest_point_is_the_middle_of_the_quietest_stretch(sound: list[int], pause: int, point: int) -> None:
    assert quietest_point(np.array(sound, dtype=np.int16), pause=pause) == point


@pytest.mark.parametrize(
    ("parts", "pieces"),
    [
        ([], []),
        ([[7, 7, 7]], [[7, 7, 7]]),
        ([[7, 7, 0, 0], [7, 7]], [[7, 7, 0, 0, 7, 7]]),  # as long as a piece may be
        ([[7, 7, 0, 0], [7, 7], [7]], [[7, 7, 0], [0, 7, 7, 7]]),
        ([[7, 7, 0, 0, 7, 7, 7, 0, 0, 7, 7, 7, 7]], [[7, 7, 0], [0, 7, 7, 7, 0], [0, 7, 7, 7, 7]]),
        ([[0, 0, 7, 7], [7, 1, 1, 7]], [[0, 0, 7, 7, 7], [1, 1, 7]]),  # no earlier than looked back
    ],
)
def test_sound_is_cut_where_it_is_quiet(parts: list[list[int]], pieces: list[list[int]]) -> None:
    arrays = [np.array(part, dtype=np.int16) for part in parts]
    cut = cut_where_quiet(arrays, at_most=6, look_back=4, pause=2)
    assert [piece.tolist() for piece in cut] == pieces


@pytest.mark.parametrize("part", [1, 7, 1000])
def test_pieces_joined_are_the_sound_however_it_comes(part: int) -> None:
    sound = np.random.default_rng(0).integers(-500, 500, 1000).astype(np.int16)
    parts = [sound[first : first + part] for first in range(0, len(sound), part)]
    pieces = list(cut_where_quiet(parts, at_most=100, look_back=30, pause=5))
    assert np.array_equal(np.concatenate(pieces), sound)
    assert all(72 <= len(piece) <= 98 for piece in pieces[:-1])  # half a pause within the 30
    assert len(pieces[-1]) <= 100


def test_pieces_of_a_file_are_decoded_as_they_are_asked_for_and_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_sound(tmp_path / "late.mkv", seconds=3.0, start_s=2.5, with_video=True)
    whole = whole_sound(path)
    monkeypatch.setattr("mien.media.sound.PIECE_S", 1.0)
    monkeypatch.setattr("mien.media.sound.LOOK_BACK_S", 0.6)
    pieces = list(sound_pieces(path))
    assert len(pieces) > 5
    assert not pieces[0].any()
    assert np.array_equal(np.concatenate(pieces), whole)


@pytest.mark.parametrize("name", ["tone.wav", "tone.mp4", "tone.mkv"])
def test_sound_is_mono_and_as_long_and_high_as_in_the_file(tmp_path: Path, name: str) -> None:
    sound = whole_sound(write_sound(tmp_path / name, seconds=2.0))
    assert len(sound) / SAMPLE_RATE == pytest.approx(2.0, abs=0.1)
    spectrum = np.abs(np.fft.rfft(sound))
    assert spectrum.argmax() * SAMPLE_RATE / len(sound) == pytest.approx(440, abs=1)
    assert np.abs(sound).max() == pytest.approx(0.5, abs=0.1)


def test_sound_that_begins_late_is_preceded_by_silence(tmp_path: Path) -> None:
    sound = whole_sound(write_sound(tmp_path / "late.mkv", seconds=1.0, start_s=1.5, with_video=True))
    assert len(sound) / SAMPLE_RATE == pytest.approx(2.5, abs=0.01)
    assert np.flatnonzero(np.abs(sound) > 0.1)[0] / SAMPLE_RATE == pytest.approx(1.5, abs=0.01)


def test_sound_that_begins_absurdly_late_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.media.sound.MAX_LATE_S", 1.0)
    late = write_sound(tmp_path / "late.mkv", seconds=1.0, start_s=1.5, with_video=True)
    with pytest.raises(MienError, match=r"late\.mkv: its sound begins 2 s after the file"):
        whole_sound(late)


def test_sound_whose_rate_changes_midway_is_read_to_its_end(tmp_path: Path) -> None:
    parts = [write_sound(tmp_path / f"{rate}.aac", seconds=1.0, rate=rate) for rate in (44_100, 22_050)]
    (tmp_path / "both.aac").write_bytes(b"".join(part.read_bytes() for part in parts))
    sound = whole_sound(tmp_path / "both.aac")
    assert len(sound) / SAMPLE_RATE == pytest.approx(2.0, abs=0.2)
    last_second = np.abs(np.fft.rfft(sound[-SAMPLE_RATE:]))
    assert last_second.argmax() == pytest.approx(440, abs=2)


def test_sound_of_a_file_that_breaks_off_is_kept(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "tone.wav", seconds=2.0)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 + 1])
    assert len(whole_sound(path)) / SAMPLE_RATE == pytest.approx(1.0, abs=0.1)


def test_file_without_sound_is_named(tmp_path: Path) -> None:
    with pytest.raises(MienError, match=r"no video at .*missing\.mp4"):
        whole_sound(tmp_path / "missing.mp4")
    with pytest.raises(MienError, match=r"mute\.mp4 has no sound"):
        whole_sound(write_video(tmp_path / "mute.mp4"))
    with pytest.raises(MienError, match=r"mute\.wav: its audio track is empty or silent"):
        whole_sound(write_sound(tmp_path / "mute.wav", amplitude=0.0))
    (tmp_path / "text.mp4").write_text("not this")
    with pytest.raises(MienError, match=r"text\.mp4 cannot be read"):
        whole_sound(tmp_path / "text.mp4")
