"""Uploads go to the disk as they come, within limits, and are gone afterwards whatever happens."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st

from mien.serve import uploads
from mien.serve.refusal import Refused
from mien.serve.settings import Limits
from mien.serve.uploads import Upload, harmless, received, received_json

LIMITS = Limits(upload_bytes=100_000, upload_s=0.5)
BOUNDARY = "xyz"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


def part(name: str, content: bytes, *, file_name: str | None = None) -> bytes:
    named = f'; filename="{file_name}"' if file_name is not None else ""
    return f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'.encode() + content + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()
FILE = part("file", b"abc", file_name="film.mp4")


def request(
    body: bytes, *, chunk: int = 1000, content_type: str = FORM, then: str = "end", length: str | None = None
) -> Request:
    """As a server gives it. then: what follows the body: its end, nothing for ever, or that the client goes away."""
    chunks: Iterator[bytes] = iter([body[i : i + chunk] for i in range(0, len(body), chunk)])

    async def receive() -> dict[str, Any]:
        piece = next(chunks, None)
        if piece is not None:
            return {"type": "http.request", "body": piece, "more_body": True}
        if then == "stall":
            await asyncio.sleep(60)
        return {"type": "http.disconnect"} if then == "gone" else {"type": "http.request", "body": b""}

    headers = [(b"content-type", content_type.encode())]
    headers += [(b"content-length", length.encode())] if length else []
    return Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, receive)


def receive(
    asked: Request, root: Path, *, use: Callable[[Upload], Any] = lambda upload: None, limits: Limits = LIMITS
) -> Any:
    async def main() -> Any:
        async with received(asked, root, limits=limits) as upload:
            return use(upload)

    try:
        return asyncio.run(main())
    finally:
        assert list(root.iterdir()) == []


@pytest.mark.parametrize("chunk", [1, 7, 100_000])
def test_file_and_words_arrive_however_they_are_cut(chunk: int, tmp_path: Path) -> None:
    content = bytes(range(256)) * 20 + b"\r\n--xy\r\n--xyzz"
    body = part("words", "joy, größe".encode()) + part("file", content, file_name="a/b/My film.mp4") + END

    def use(upload: Upload) -> tuple:
        assert upload.path.parent.parent == tmp_path
        return upload.path.read_bytes() == content, upload.path.name, upload.fields

    got = receive(request(body, chunk=chunk), tmp_path, use=use)
    assert got == (True, "My-film", {"words": "joy, größe"})


def test_folder_is_gone_when_the_work_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        receive(request(FILE + END), tmp_path, use=lambda upload: 1 / 0)


@pytest.mark.parametrize(
    ("asked", "status", "why"),
    [
        (request(part("file", bytes(100_001), file_name="x") + END), 413, "larger than 100,000 bytes"),
        (request(b"", length="999999999"), 413, "999,999,999 bytes are too many"),
        (request(FILE + part("words", bytes(20_000)) + END), 413, "words are longer"),
        (request(FILE), 400, "ends before its last boundary"),
        (request(FILE, then="gone"), 400, "the client went away"),
        (request(FILE, then="stall"), 408, r"longer than 0\.5 s"),
        (request(b"nonsense"), 400, "no multipart form"),
        (request(b"", content_type="text/plain"), 415, "send a form"),
        (request(b"", content_type="multipart/form-data"), 400, "no boundary"),
        (request(part("words", b"joy") + END), 422, "no file"),
        (request(part("file", b"not a file") + END), 422, "with a file name"),
        (request(part("other", b"x", file_name="x") + END), 422, "field `file`"),
        (request(FILE + FILE + END), 422, "'file' comes twice"),
        (request(FILE + part("words", b"a") + part("words", b"b") + END), 422, "'words' comes twice"),
        (request(FILE + part("words", b"\xff") + END), 422, "not UTF-8"),
    ],
)
def test_what_is_refused_says_why_and_leaves_nothing(asked: Request, status: int, why: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=why) as refused:
        receive(asked, tmp_path)
    assert refused.value.status == status


def test_nothing_is_taken_where_the_disk_is_nearly_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "SPARE_BYTES", 10**18)
    with pytest.raises(Refused, match="no room") as refused:
        receive(request(FILE + END), tmp_path)
    assert refused.value.headers["Retry-After"] == "60"


def test_large_file_is_never_held_in_memory(tmp_path: Path) -> None:
    import tracemalloc

    body = part("file", bytes(30 * 2**20), file_name="x") + END
    asked = request(body, chunk=2**16)
    tracemalloc.start()
    receive(asked, tmp_path, limits=Limits(), use=lambda upload: upload.path.stat().st_size)
    assert tracemalloc.get_traced_memory()[1] < 35 * 2**20  # the body's pieces are 30 of them
    tracemalloc.stop()


def test_json_is_read_up_to_a_limit() -> None:
    assert asyncio.run(received_json(request(b"[1]", content_type="application/json"), limits=Limits())) == b"[1]"
    with pytest.raises(Refused, match="larger than"):
        asyncio.run(received_json(request(bytes(2**20 + 1), chunk=2**16), limits=Limits()))


@given(st.text() | st.sampled_from(["../../etc/passwd", "..", "C:\\x\\..\\y.mp4", "a/b\0c.mp4", "%d.mp4", "-rf"]))
def test_harmless_name_is_one_plain_word(name: str) -> None:
    assert re.fullmatch(r"[\w][\w-]{0,59}", harmless(name))


def test_harmless_name_keeps_what_tells() -> None:
    assert harmless("C:\\films\\My film (1).mp4") == "My-film-1"
    assert harmless("../../etc/passwd") == "passwd"
    assert harmless("...") == "upload"


def test_a_form_of_very_many_fields_is_refused(tmp_path: Path) -> None:
    fields = b"".join(part(f"field{number}", b"") for number in range(uploads.MOST_FIELDS + 1))
    with pytest.raises(Refused, match="at most 16 fields"):
        receive(request(FILE + fields + END), tmp_path)
