"""The table of moments: files and folders embedded, a Parquet file with a row every few seconds of video."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mien.inference import Mien, Moment, require_window
from mien.media.video import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from mien.types import MienError, Skipped
from mien.whole_file import whole_file

TABLE_SUFFIX = ".parquet"


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """What `write_moments` did. `failed` are the files that cannot be read, `cut_off` those of which a part cannot."""

    num_moments: int
    num_videos: int
    failed: tuple[Skipped, ...]
    cut_off: tuple[Skipped, ...]


def write_moments(
    out: Path,
    model: Mien,
    paths: Sequence[Path],
    *,
    window_s: float = 4.0,
    cropped: bool = False,
    on_file: Callable[[str, int, int], None] = lambda name, done, total: None,
) -> Written:
    """Embeds files, and all videos and pictures in folders, into the Parquet table `out`, a row a moment.

    cropped: pictures are filled by their subject, as in `Mien.embed`.
    Columns: video (its path), start_s, end_s, embedding (float32). The schema's metadata names the model. A file that
    cannot be read is listed in what comes back, and the rest is embedded; where none can, `out` stays what it was.
    """
    require_window(window_s)
    if out.suffix != TABLE_SUFFIX:
        raise MienError(f"{out}: the table is a Parquet file; name it {out.with_suffix(TABLE_SUFFIX)}")
    files = [file for path in paths for file in ([path] if not path.is_dir() else media_files(path))]
    if not files:
        raise MienError(f"no video or picture in {', '.join(map(str, paths))}")
    if out.is_dir() or not out.parent.is_dir():
        raise MienError(f"cannot write the table to {out}: name a file in a folder that exists")
    moments: list[tuple[Path, Moment]] = []
    failed: list[Skipped] = []
    cut_off: list[Skipped] = []
    for done, file in enumerate(files):
        on_file(file.name, done, len(files))
        try:
            own = model.embed_file(file, window_s=window_s, cropped=cropped, on_missing=cut_off.append)
            moments += [(file, moment) for moment in own]
        except MienError as error:
            failed.append(Skipped(what=str(file), reason=str(error)))
    on_file("", len(files), len(files))
    if moments:
        _write_table(out, model, moments)
    return Written(
        num_moments=len(moments),
        num_videos=len(files) - len(failed),
        failed=tuple(failed),
        cut_off=tuple(cut_off),
    )


def _write_table(out: Path, model: Mien, moments: Sequence[tuple[Path, Moment]]) -> None:
    width = model.config.architecture.embed_dim
    table = pa.table(
        {
            "video": pa.array([str(file) for file, _ in moments], pa.string()),
            "start_s": pa.array([m.start_s for _, m in moments], pa.float64()),
            "end_s": pa.array([m.end_s for _, m in moments], pa.float64()),
            "embedding": pa.array([m.embedding for _, m in moments], pa.list_(pa.float32(), width)),
        }
    ).replace_schema_metadata({"mien": model.config.model_dump_json()})
    with whole_file(out) as part:
        pq.write_table(table, part)


def media_files(folder: Path) -> list[Path]:
    """The videos and pictures below a folder, in order; hidden files apart."""
    found = (p for p in folder.rglob("*") if p.suffix.lower() in VIDEO_SUFFIXES | IMAGE_SUFFIXES and p.is_file())
    return sorted(p for p in found if not any(part.startswith(".") for part in p.relative_to(folder).parts))
