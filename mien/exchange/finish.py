"""What every import ends with: a video's files in a store, and the store's index over all of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import simplejpeg

from mien.data.store import BOXES_FILE, CLIPS_FILE, FACES_FILE, FORMAT, FRAMES_FILE, SENTENCES_FILE, SETTINGS_FILE
from mien.data.tables import ScoredSentences, up_to_date, write_boxes, write_clips, write_faces, write_sentences
from mien.exchange.sample import About
from mien.media.frames import FrameReader
from mien.prepare.clips import Unfit, count_people
from mien.prepare.duplicates import picture_hashes
from mien.prepare.finish import finish_store
from mien.prepare.origin import Origin
from mien.prepare.places import Place
from mien.prepare.summary import summarise
from mien.types import BoxTable, Clip, FaceTable, MienError, Skipped
from mien.whole_file import write_whole

GREY = 128


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportReport:
    """What an import did. `failed` should set the exit status; `skipped.jsonl` tells everything that was left out."""

    num_videos: int
    num_new: int
    num_clips: int
    failed: tuple[Skipped, ...]
    num_skipped: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportedVideo:
    """What became of one video: whether it had to be made, or why it failed."""

    name: str
    is_new: bool = False
    failure: Skipped | None = None


def claim_store(out: Path, settings: dict[str, Any], *, imported_from: str) -> None:
    """Make `out` a store with these settings, unless it is something else: a prepared store is not imported into."""
    require_local(out)
    file = out / SETTINGS_FILE
    content = json.dumps({"format": FORMAT, "settings": settings, "imported_from": imported_from}, indent=2) + "\n"
    there = file.read_text(encoding="utf-8") if file.is_file() else None
    if there is None and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise MienError(f"{out} is there already and is not a store (no {SETTINGS_FILE} in it); name an empty folder")
    if there is not None and _source_of_import(there) != imported_from:
        raise MienError(f"{out} is a store that was not imported from {imported_from}; name an empty folder")
    if content != there:
        write_whole(file, content)


def _source_of_import(described: str) -> str | None:
    """What a store was imported from, by its settings file; None where that says nothing, or is damaged."""
    try:
        told = json.loads(described)
    except ValueError:
        return None
    return told.get("imported_from") if isinstance(told, dict) else None


def write_tables(
    folder: Path,
    *,
    boxes: BoxTable,
    faces: FaceTable | None = None,
    scored: ScoredSentences,
    clips: Sequence[Clip],
    unfit: Sequence[Unfit],
    skipped: Sequence[Skipped],
    about: About,
    min_box_score: float,
    made_with: dict[str, Any],
) -> None:
    """Write all of a video but its frames, which are there; the clips last: where they are, all is."""
    reader = FrameReader(folder / FRAMES_FILE)
    write_boxes(folder / BOXES_FILE, boxes, made_with=made_with)
    if faces is None:
        (folder / FACES_FILE).unlink(missing_ok=True)
    else:
        write_faces(folder / FACES_FILE, faces, made_with=made_with)
    write_sentences(folder / SENTENCES_FILE, scored, made_with=made_with | {"skipped": []})
    summary = summarise(
        reader.info,
        sentences=scored.sentences,
        clips=clips,
        unfit=unfit,
        people=count_people(boxes, num_frames=len(reader), min_score=min_box_score),
        origin=Origin(source=about.source, license=about.license),
        language=about.language,
        words_from=about.words_from,
        models=about.models,
        hashes=picture_hashes(reader).tolist(),
    )
    lines = [asdict(line) for line in (*skipped, *(u.as_skipped() for u in unfit))]
    told = {"summary": summary.model_dump(mode="json"), "skipped": lines}
    write_clips(folder / CLIPS_FILE, clips, made_with=made_with | told)


def is_made(folder: Path, made_with: dict[str, Any]) -> bool:
    """Whether all files of an imported video are there and are what they are to be."""
    names = (FRAMES_FILE, BOXES_FILE, SENTENCES_FILE, CLIPS_FILE)
    return all(up_to_date(folder / name, made_with) for name in names)


def grey_jpeg(*, width: int, height: int) -> bytes:
    """What stands for a picture that did not travel: grey, so that nobody takes it for one."""
    return bytes(
        simplejpeg.encode_jpeg(np.full((height, width, 3), GREY, np.uint8), quality=90, colorsubsampling="420")
    )


def finish_import(
    out: Path,
    videos: Iterable[ImportedVideo],
    *,
    keep_duplicates: bool,
    left_out: Sequence[Skipped] = (),
    unreadable: Sequence[Skipped] = (),
) -> ImportReport:
    """Write the index, the data card and the list of what was left out.

    `left_out` are videos on a list of ids and samples that make no video, `unreadable` shards of which a part is lost.
    """
    done = sorted(videos, key=lambda video: video.name)
    failed = (*unreadable, *(video.failure for video in done if video.failure))
    whole = [video.name for video in done if not video.failure]
    finished = finish_store(
        Place.of(out), whole, keep_duplicates=keep_duplicates, failed=failed, excluded=sorted(left_out, key=str)
    )
    return ImportReport(
        num_videos=len(whole),
        num_new=sum(video.is_new for video in done if not video.failure),
        num_clips=finished.card.num_clips,
        failed=failed,
        num_skipped=finished.num_skipped,
    )


def give_up(work: Any, reason: str) -> ImportedVideo:
    """The outcome of a video whose processes died."""
    return ImportedVideo(name=work.name, failure=Skipped(what=work.name, reason=reason))


def require_local(path: str | Path) -> None:
    """Raise MienError for a URL: unlike `mien prepare`, exchange works on local disks."""
    if re.match(r"[a-z][a-z0-9+.-]+:/", str(path)):
        raise MienError(
            f"{path} is a URL; shards and what is imported lie on a local disk: copy them there, or from there"
        )


def is_safe_name(name: str) -> bool:
    """Whether a video may be named so: a relative path that stays in its folder, and no hidden one."""
    parts = PurePosixPath(name).parts
    return (
        bool(parts)
        and not name.startswith("/")
        and not any(part.startswith(".") or "\\" in part or "\0" in part for part in parts)
        and name == "/".join(parts)
    )
