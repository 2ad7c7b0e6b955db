"""Files that should not be sent to a server, by name."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from made_videos import write_video
from PIL import Image

SECRET = "secret.mp4"
"""A video beside the uploads, which lists of files name."""


def hostile_files(folder: Path) -> dict[str, bytes]:
    """The files' contents; `folder` is for making them."""
    good = write_video(folder / "good.mp4").read_bytes()
    picture = io.BytesIO()
    Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(picture, "png")
    png = picture.getvalue()
    secret = (folder / SECRET).absolute()
    return {
        "empty.mp4": b"",
        "random.mp4": np.random.default_rng(0).bytes(100_000),
        "random.jpg": b"\xff\xd8\xff\xe0" + np.random.default_rng(1).bytes(10_000),
        "text.png": b"this is a text\n" * 100,
        "cut.mp4": good[: len(good) // 2],
        "head.mp4": good[:40],
        "tail.mp4": good[200:],
        "cut.png": png[:60],
        "header_only.png": png[:33],
        "no_pictures.wav": _sound(),
        "cartoon.gif": _saved("gif"),
        "icon.ico": _saved("ico"),
        "huge.png": png_of(60_000, 60_000),
        "wide.png": png_of(2_000_000, 2),
        "flat.png": png_of(64, 0),
        "bomb.png": png_of(64, 48, pixels=zlib.compress(bytes(50_000_000), 9)),
        "text_bomb.png": png_of(64, 48, text=zlib.compress(bytes(300_000_000), 9)),
        "huge.bmp": b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 50_000, 50_000, 1, 24, 0, 0, 0, 0, 0, 0),
        "huge.webp": _huge_webp(),
        "huge.tif": _huge_tiff(),
        "huge.jpg": _huge_jpeg(),
        "many_frames.mp4": write_video(folder / "m.mp4", num_frames=300, fps=100, width=16, height=16).read_bytes(),
        "long.mp4": write_video(folder / "l.mp4", num_frames=3, times_ms=[0, 1000, 90_000]).read_bytes(),
        "jumping.mkv": write_video(folder / "j.mkv", num_frames=3, times_ms=[0, 100, 10**9]).read_bytes(),
        "large.mp4": write_video(folder / "w.mp4", num_frames=1, width=1024, height=1024).read_bytes(),
        "external.svg": b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
        b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text>&x;</text></svg>',
        "archive.zip": _zip(),
        "page.html": b"<html><script>alert(1)</script></html>",
        "list.m3u8": b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n" + str(secret).encode() + b"\n#EXT-X-ENDLIST\n",
        "list.mp4": b"ffconcat version 1.0\nfile secret.mp4\n",
        "absolute_list.mp4": f"ffconcat version 1.0\nfile '{secret}'\n".encode(),
        "address.mp4": b"ffconcat version 1.0\nfile http://127.0.0.1:9/secret.mp4\n",
        "address.m3u8": b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n",
        "session.sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n"
        b"a=rtpmap:96 H264/90000\n",
    }


def png_of(width: int, height: int, *, pixels: bytes = b"", text: bytes = b"") -> bytes:
    """A PNG whose header says so, whatever follows."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), *([(b"zTXt", b"k\0\0" + text)] if text else []), (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def _saved(kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(file, kind)
    return file.getvalue()


def _huge_jpeg() -> bytes:
    file = bytearray(_saved("jpeg"))
    frame = file.index(b"\xff\xc0")
    file[frame + 5 : frame + 9] = struct.pack(">HH", 60_000, 60_000)
    return bytes(file)


def _huge_tiff() -> bytes:
    entries = [(256, 4, 50_000), (257, 4, 50_000), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8), (279, 4, 1)]
    directory = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + struct.pack("<I", 0)


def _huge_webp() -> bytes:
    body = struct.pack("<I", 0) + (16_382).to_bytes(3, "little") + (16_382).to_bytes(3, "little")
    chunk = b"VP8X" + struct.pack("<I", 10) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def _sound() -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="wav") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
        frame.rate, frame.pts, frame.time_base = 8000, 0, Fraction(1, 8000)
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../x", bytes(1_000_000))
    return file.getvalue()
