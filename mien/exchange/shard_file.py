"""One shard of an export: its tar, its table and its statistics."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mien.data.store import CLIPS_FILE, FACES_FILE, Store
from mien.data.tables import INDEX, made_with, rows_between
from mien.exchange.clip_video import Codec, encode_clip
from mien.exchange.sample import VERSION, About, ClipSample, to_json
from mien.prepare.engines import OnProgress
from mien.types import Clip, MienError, Skipped
from mien.whole_file import whole_file, write_whole

TABLE = pa.schema(
    [("key", pa.string()), ("caption", pa.string()), ("status", pa.string()), ("error_message", pa.string()), *INDEX]
)
FAILED = "failed_to_read"


@dataclass(frozen=True, kw_only=True, slots=True)
class ShardWork:
    """What is to be in the shard `name`; `inputs` changes whenever what it is made from does."""

    store: Path
    out: Path
    name: str
    key_digits: int
    clips: tuple[Clip, ...]
    inputs: str


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenShard:
    """What became of a shard; it is new if it had to be written. `num_bytes` are those of the tar."""

    name: str
    num_clips: int
    num_bytes: int
    is_new: bool
    skipped: tuple[Skipped, ...]


def write_shard(work: ShardWork, on_progress: OnProgress, *, codec: Codec, crf: int) -> WrittenShard:
    """Write a shard's files unless they are up to date; the statistics, which say so, last."""
    tar, table, stats = (work.out / f"{work.name}{end}" for end in (".tar", ".parquet", "_stats.json"))
    wanted = {"format": VERSION, "settings": {"codec": codec, "crf": crf}, "inputs": work.inputs}
    told = _read_stats(stats)
    is_new = not (told and told["made_with"] == wanted and table.is_file() and _size(tar) == told["bytes"])
    if is_new:
        stats.unlink(missing_ok=True)
        rows = _write_tar(tar, work, codec=codec, crf=crf)
        with whole_file(table) as part:
            pq.write_table(pa.Table.from_pylist(rows, schema=TABLE), part, compression="zstd")
        told = _statistics(rows, num_bytes=_size(tar), made=wanted)
        write_whole(stats, json.dumps(told, indent=2, ensure_ascii=False) + "\n")
    assert told is not None
    return WrittenShard(
        name=work.name,
        num_clips=told["successes"],
        num_bytes=told["bytes"],
        is_new=is_new,
        skipped=tuple(Skipped(**skipped) for skipped in told["skipped"]),
    )


def _write_tar(path: Path, work: ShardWork, *, codec: Codec, crf: int) -> list[dict[str, Any]]:
    """The tar, and a row of the table for each clip, those that cannot be read included."""
    store, rows = Store(work.store), []
    with whole_file(path) as part, tarfile.open(part, "w", format=tarfile.USTAR_FORMAT) as tar:
        for number, clip in enumerate(work.clips):
            key = f"{work.name}{number:0{work.key_digits}d}"
            row = {"key": key, "caption": clip.text, "status": "success", "error_message": None} | asdict(clip)
            try:
                sample, jpegs = _read(store, clip, codec=codec)
                info = sample.info
                mp4 = encode_clip(jpegs, fps=info.fps, width=info.width, height=info.height, codec=codec, crf=crf)
            except MienError as error:
                rows.append(row | {"status": FAILED, "error_message": str(error)})
                continue
            told = to_json(sample, key=key).model_dump_json()
            for end, content in ((".json", told.encode()), (".mp4", mp4), (".txt", clip.text.encode())):
                member = tarfile.TarInfo(key + end)  # of no date and nobody's, so the bytes repeat
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
            rows.append(row)
    return rows


def _read(store: Store, clip: Clip, *, codec: Codec) -> tuple[ClipSample, list[bytes]]:
    reader, boxes = store.frames(clip.video), store.boxes(clip.video)
    if not 0 <= clip.start_frame < clip.end_frame <= len(reader):
        raise MienError(f"frames {clip.start_frame} to {clip.end_frame} of {len(reader)}; run `mien prepare` again")
    has_faces = (store.folder(clip.video) / FACES_FILE).is_file()
    sample = ClipSample(
        clip=clip,
        info=reader.info,
        codec=codec,
        times_s=tuple(reader.times_s[clip.start_frame : clip.end_frame]),
        boxes=rows_between(boxes, clip.start_frame, clip.end_frame),
        faces=rows_between(store.faces(clip.video), clip.start_frame, clip.end_frame) if has_faces else None,
        about=_about(store, clip.video),
        store_settings=store.settings,
    )
    return sample, [bytes(reader.jpeg(i)) for i in range(clip.start_frame, clip.end_frame)]


def _about(store: Store, video: str) -> About:
    told = made_with(store.folder(video) / CLIPS_FILE) or {}
    summary = told.get("summary", {})
    return About(**{name: summary[name] for name in About.model_fields if name in summary})


def _statistics(rows: Sequence[dict[str, Any]], *, num_bytes: int, made: dict[str, Any]) -> dict[str, Any]:
    """As video2dataset's, without times of day, which would differ from run to run."""
    failed = [row for row in rows if row["status"] == FAILED]
    by_status = {"success": len(rows) - len(failed)} | ({FAILED: len(failed)} if failed else {})
    return {
        "count": len(rows),
        "successes": len(rows) - len(failed),
        FAILED: len(failed),
        "bytes": num_bytes,
        "status_dict": by_status,
        "skipped": [{"what": row["id"], "reason": row["error_message"]} for row in failed],
        "made_with": made,
    }


def _read_stats(path: Path) -> dict[str, Any] | None:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):  # absent, or not of ours: made anew
        return None


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1
