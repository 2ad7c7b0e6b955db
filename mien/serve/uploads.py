"""Uploads: a form's file goes to the disk as it comes, its words to memory, and neither beyond a limit."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from tempfile import mkdtemp
from typing import TYPE_CHECKING, BinaryIO

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from mien.serve.refusal import Refused, busy
from mien.serve.settings import Limits, MiB

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MOST_FIELDS = 16
FIELD_BYTES = 16 * 1024
"""All words of a form together."""
JSON_BYTES = MiB
HELD_BYTES = MiB
"""So much of a file is held in memory before it is written."""
SPARE_BYTES = 1024 * MiB
"""Left free on the disk, for what is made of uploads."""
FALLBACK_NAME = "upload"
NAME_CHARS = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Upload:
    """A form that was sent: its file, in a folder of its own, and its words."""

    folder: Path
    path: Path
    """Named after the client's file, as far as that is harmless; without its ending, which tells nothing."""
    fields: dict[str, str]


@asynccontextmanager
async def received(request: Request, root: Path, *, limits: Limits) -> AsyncIterator[Upload]:
    """The form of a request. Its folder, made in `root`, is gone when the block is left, whatever happens.

    Raises Refused for what is no such form or beyond the limits.
    """
    boundary = _boundary(request)
    _require_length(request, at_most=limits.upload_bytes + FIELD_BYTES)
    if shutil.disk_usage(root).free < limits.upload_bytes + SPARE_BYTES:
        raise busy("no room on the disk until earlier results expire", retry_s=60)
    folder = Path(mkdtemp(prefix="upload-", dir=root))
    try:
        incoming = folder / "incoming"
        with incoming.open("wb") as file:
            form = _Form(limit_bytes=limits.upload_bytes)
            try:
                async with asyncio.timeout(limits.upload_s):
                    await _read(request, MultipartParser(boundary, form.callbacks()), form, file)
            except TimeoutError:
                raise Refused(408, f"the upload took longer than {limits.upload_s:g} s") from None
            except ClientDisconnect:
                raise Refused(400, "the client went away") from None
            except FormParserError as error:
                raise Refused(400, f"this is no multipart form: {error}") from None
        if not form.has_ended:
            raise Refused(400, "the form ends before its last boundary")
        if form.file_name is None:
            raise Refused(422, "the form has no file; send one as the field `file`")
        yield Upload(folder=folder, path=incoming.rename(folder / harmless(form.file_name)), fields=form.fields)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def received_json(request: Request, *, limits: Limits) -> bytes:
    """A small body, as it is."""
    _require_length(request, at_most=JSON_BYTES)
    body = bytearray()
    try:
        async with asyncio.timeout(limits.upload_s):
            async for chunk in request.stream():
                body += chunk
                if len(body) > JSON_BYTES:
                    raise Refused(413, f"the body is larger than {JSON_BYTES:,} bytes")
    except TimeoutError:
        raise Refused(408, f"the body took longer than {limits.upload_s:g} s") from None
    except ClientDisconnect:
        raise Refused(400, "the client left before all of the body had come") from None
    return bytes(body)


def is_form(request: Request) -> bool:
    return parse_options_header(request.headers.get("content-type"))[0] == b"multipart/form-data"


def _boundary(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data":
        raise Refused(415, "send a form, Content-Type multipart/form-data, with the file in its field `file`")
    if not options.get(b"boundary"):
        raise Refused(400, "the Content-Type has no boundary")
    return options[b"boundary"]


def _require_length(request: Request, *, at_most: int) -> None:
    """Refuse what tells in advance that it is too long; the rest is counted as it comes."""
    told = request.headers.get("content-length", "0")
    if not told.isdecimal():
        raise Refused(400, f"Content-Length {told!r} is no number")
    if int(told) > at_most:
        raise Refused(413, f"{int(told):,} bytes are too many; at most {at_most:,} are taken")


async def _read(request: Request, parser: MultipartParser, form: _Form, file: BinaryIO) -> None:
    async for chunk in request.stream():
        parser.write(chunk)
        if len(form.held) >= HELD_BYTES:
            await asyncio.to_thread(file.write, form.take())
    await asyncio.to_thread(file.write, form.take())


@dataclass(slots=True)
class _Form:
    """What the parser has told of a form so far. `held` is what of the file is not written yet."""

    limit_bytes: int
    fields: dict[str, str] = field(default_factory=dict)
    file_name: str | None = None
    held: bytearray = field(default_factory=bytearray)
    has_ended: bool = False
    _headers: dict[bytes, bytes] = field(default_factory=dict)
    _header: bytes = b""
    _value: bytes = b""
    _part: str = ""
    _text: bytearray | None = None
    _file_bytes: int = 0
    _field_bytes: int = 0

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._headers.clear,
            "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_part_data": self._on_part_data,
            "on_part_end": self._on_part_end,
            "on_end": self._on_end,
        }

    def take(self) -> bytes:
        taken = bytes(self.held)
        self.held.clear()
        return taken

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[self._header.lower()] = self._value
        self._header = self._value = b""

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        self._part = options.get(b"name", b"").decode("utf-8", "replace")
        is_file = b"filename" in options
        if is_file != (self._part == "file"):
            raise Refused(422, "the file goes into the field `file`, with a file name, and nothing else does")
        if self._part in self.fields or (is_file and self.file_name is not None):
            raise Refused(422, f"the field {self._part!r} comes twice")
        if not is_file and len(self.fields) >= MOST_FIELDS:
            raise Refused(422, f"a form has at most {MOST_FIELDS} fields beside the file")
        if is_file:
            self.file_name = options[b"filename"].decode("utf-8", "replace")
        self._text = None if is_file else bytearray()

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._text is None:
            self._file_bytes += end - start
            if self._file_bytes > self.limit_bytes:
                raise Refused(413, f"the file is larger than {self.limit_bytes:,} bytes")
            self.held += data[start:end]
            return
        self._field_bytes += end - start
        if self._field_bytes > FIELD_BYTES:
            raise Refused(413, f"the form's words are longer than {FIELD_BYTES:,} bytes")
        self._text += data[start:end]

    def _on_part_end(self) -> None:
        if self._text is None:
            return
        try:
            self.fields[self._part] = self._text.decode()
        except UnicodeDecodeError:
            raise Refused(422, f"the field {self._part!r} is not UTF-8") from None

    def _on_end(self) -> None:
        self.has_ended = True


def harmless(name: str) -> str:
    """Of a client's file name the last part without its ending: letters, digits, - and _, and not too many.

    `../../etc/passwd` becomes `passwd`, `C:\\films\\My film (1).mp4` becomes `My-film-1`.
    """
    stem = PureWindowsPath(PurePosixPath(name).name).stem
    return re.sub(r"[^\w-]+", "-", stem)[:NAME_CHARS].strip("-") or FALLBACK_NAME
