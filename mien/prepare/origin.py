"""What a downloader says of a video: its `NAME.info.json`, as yt-dlp and youtube-dl write it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from mien.types import UNKNOWN, MienError

SUFFIX = ".info.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Where a video comes from and on what terms. `id` and `language` are empty where nothing says them."""

    source: str
    license: str
    id: str = ""
    language: str = ""


def origin_of(name: str, beside: Iterable[Path]) -> Origin:
    """The origin of the video `name` of a store, told by the notes among the files beside it.

    Without notes the source is the folder the video lies in, "(root)" for none. Raises MienError if they are not JSON.
    """
    folder = PurePosixPath(name).parent.as_posix() if "/" in name else "(root)"
    notes = next((path for path in beside if path.name == PurePosixPath(name).name + SUFFIX), None)
    if notes is None:
        return Origin(source=folder, license=UNKNOWN)
    try:
        told: dict[str, Any] = dict(json.loads(notes.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise MienError(
            f"{notes} is not a downloader's notes in JSON ({error}); fetch it again or remove it"
        ) from error
    return Origin(
        source=str(told.get("extractor_key") or told.get("extractor") or folder),
        license=str(told.get("license") or UNKNOWN),
        id=str(told.get("id") or ""),
        language=str(told.get("language") or ""),
    )
