"""Files that are lists of other files are not followed."""

from __future__ import annotations

import io
from pathlib import Path

import av
import pytest
from made_videos import write_video

from mien.media.container import open_media
from mien.media.sound import sound_pieces
from mien.media.video import probe_video, read_frames
from mien.types import MienError

LISTS = {
    "concat": "ffconcat version 1.0\nfile secret.mp4\n",
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nsecret.mp4\n#EXT-X-ENDLIST\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration='
    '"PT2S"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>secret.mp4'
    "</BaseURL></Representation></AdaptationSet></Period></MPD>",
}


def test_ffmpeg_left_to_itself_would_follow_a_list(tmp_path: Path) -> None:
    """Else the tests below tell nothing."""
    write_video(tmp_path / "secret.mp4")
    (tmp_path / "upload.mp4").write_text(LISTS["concat"])
    with av.open(str(tmp_path / "upload.mp4")) as container:
        assert len(list(container.decode(video=0))) == 16


@pytest.mark.parametrize("name", ["upload.mp4", "upload.m3u8", "upload.jpg"])
@pytest.mark.parametrize("kind", LISTS)
def test_list_of_other_files_is_no_video(kind: str, name: str, tmp_path: Path) -> None:
    write_video(tmp_path / "secret.mp4")
    path = tmp_path / name
    path.write_text(LISTS[kind])
    with pytest.raises(MienError, match=r"cannot be read as a video|not one picture"):
        probe_video(path)
    with pytest.raises(MienError, match=r"cannot be read as a video|not one picture"):
        list(read_frames(path, fps=None, short_side=None))
    with pytest.raises(MienError):
        list(sound_pieces(path))
    with pytest.raises(av.error.FFmpegError):
        open_media(io.BytesIO(LISTS[kind].encode()))


def test_file_whose_name_begins_like_an_address_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_video(tmp_path / "plain.mp4").rename(tmp_path / "concat:plain.mp4")
    monkeypatch.chdir(tmp_path)
    assert probe_video(Path("concat:plain.mp4")).width == 64
