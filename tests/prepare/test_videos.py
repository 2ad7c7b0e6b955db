from pathlib import Path

import pytest

from mien.prepare.videos import excluded_ids, find_videos
from mien.types import MienError


def make(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def test_videos_are_found_in_all_folders_and_named_by_their_path(tmp_path: Path) -> None:
    make(tmp_path, "b.mp4", "a/b.MKV", "a/c.d.webm", "a/notes.txt", ".hidden/x.mp4", "a/._b.mkv", "p.jpg")
    found = find_videos(tmp_path)
    assert [video.name for video in found.videos] == ["a/b", "a/c.d", "b"]
    assert found.videos[0].file == "a/b.MKV"


def test_pictures_count_only_when_asked_for(tmp_path: Path) -> None:
    make(tmp_path, "b.mp4", "p.jpg", "q.PNG")
    assert [video.name for video in find_videos(tmp_path, images=True).videos] == ["b", "p", "q"]


def test_a_single_file_will_do(tmp_path: Path) -> None:
    make(tmp_path, "a.mp4", "b.mp4")
    assert [video.name for video in find_videos(tmp_path / "b.mp4").videos] == ["b"]


def test_sound_that_goes_with_no_video_is_listed(tmp_path: Path) -> None:
    make(tmp_path, "a.mp4", "a.wav", "b/audio.MP3", "ab.flac", ".c.wav")
    (tmp_path / "caf\udce9.wav").touch()
    assert [each.what for each in find_videos(tmp_path).sound] == ["ab.flac", "b/audio.MP3", "caf\\udce9.wav"]
    assert find_videos(tmp_path / "a.mp4").sound == []


def test_two_files_of_one_name_are_both_left_out(tmp_path: Path) -> None:
    found = find_videos(make(tmp_path, "a.mp4", "a.mkv", "b.mp4"))
    assert [video.name for video in found.videos] == ["b"]
    assert found.ambiguous[0].reason == "a.mkv and a.mp4 would both be video 'a'; rename or remove all but one"


@pytest.mark.parametrize(
    "name", ["7YpF6DntOYw.mp4", "x/7YpF6DntOYw.mkv", "Some title [_mAfwH6i90E].webm", "T-_a9SWtcaNj8.mp4"]
)
def test_sources_of_bold_are_excluded(tmp_path: Path, name: str) -> None:
    found = find_videos(make(tmp_path, name, "other.mp4"), excluded=("bold_sources",))
    assert [video.name for video in found.videos] == ["other"]
    assert "bold_sources" in found.excluded[0].reason
    assert len(find_videos(tmp_path).videos) == 2


def test_the_list_of_bold_has_eleven_ids_and_lists_of_ones_own_are_read(tmp_path: Path) -> None:
    assert len(excluded_ids(["bold_sources"])) == 11
    own = tmp_path / "mine.txt"
    own.write_text("# not these\n\nabc\n def \n")
    assert excluded_ids([str(own)]) == {"abc": str(own), "def": str(own)}
    with pytest.raises(MienError, match=r"no list of excluded videos at nope; .*bold_sources"):
        excluded_ids(["nope"])


def test_folders_without_videos_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(MienError, match="no folder of videos"):
        find_videos(tmp_path / "absent")
    with pytest.raises(MienError, match=r"holds no videos: looked for .*\.mp4"):
        find_videos(make(tmp_path, "a.txt"))


def test_addresses_in_a_list_are_ids(tmp_path: Path) -> None:
    own = tmp_path / "mine.txt"
    own.write_text("https://youtu.be/bcdefghijkl?t=3\nhttps://www.youtube.com/watch?v=_a9SWtcaNj8&t=1\nplain\n")
    assert set(excluded_ids([str(own)])) == {"bcdefghijkl", "_a9SWtcaNj8", "plain"}
    own.write_bytes(b"caf\xe9\n")
    with pytest.raises(MienError, match="no list of ids"):
        excluded_ids([str(own)])


def test_a_name_that_is_not_utf_8_fails_alone(tmp_path: Path) -> None:
    make(tmp_path, "a.mp4")
    (tmp_path / "caf\udce9.mp4").touch()
    found = find_videos(tmp_path)
    assert [video.name for video in found.videos] == ["a"]
    assert [(failed.what, failed.reason) for failed in found.ambiguous] == [
        ("caf\\udce9", "its name is not UTF-8; rename it")
    ]
