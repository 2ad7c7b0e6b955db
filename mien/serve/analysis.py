"""What an analysis asked for over HTTP is: `mien.analyze`, and the timeline once more as JSON for pages to read."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import ValidationError

from mien.analyze import Analysis, AnalyzeSettings, Timeline
from mien.config import describe
from mien.serve.refusal import Refused
from mien.whole_file import write_whole

JSON_FILE = "timeline.json"
KEPT = ("time_s", "track", "source", "x0", "y0", "x1", "y1", "top", "confidence")
"""The table's columns that a row has, beside the words' in `scores`."""


def require_settings(chosen: dict[str, Any]) -> AnalyzeSettings:
    """The settings of an analysis. Raises Refused where they make no sense."""
    try:
        return AnalyzeSettings.model_validate(chosen)
    except ValidationError as error:
        raise Refused(422, describe(error, AnalyzeSettings).strip()) from None


def analyze_video(path: Path, out: Path, chosen: dict[str, Any], tell: Callable[[str, int, int], None]) -> None:
    """Analyses the video into the folder `out`, and writes `timeline.json` there too."""
    from mien.analyze import analyze

    analyze(path, out, settings=require_settings(chosen), on_progress=tell)
    record = Analysis.load(out)
    record.without_folders().save(out)
    video = record.video
    facts = {"duration_s": video.duration_s, "width": video.width, "height": video.height, "fps": video.fps}
    timeline = Timeline.load(out)
    write_whole(out / JSON_FILE, timeline_json(timeline.table, words=timeline.words, video=facts))


def timeline_json(table: pa.Table, *, words: tuple[str, ...], video: dict[str, float]) -> str:
    """`{"video": …, "words": […], "rows": [{time_s, track, source, x0, …, scores: […]}, …]}`; what is NaN is null."""
    columns = [table.column(name).to_pylist() for name in KEPT]
    scores = zip(*(table.column(word).to_pylist() for word in words), strict=True)
    rows = [
        {**{name: _plain(value) for name, value in zip(KEPT, row, strict=True)}, "scores": [_plain(x) for x in score]}
        for *row, score in zip(*columns, scores, strict=True)
    ]
    return json.dumps({"video": video, "words": list(words), "rows": rows}, allow_nan=False)


def _plain(value: Any) -> Any:
    """Rounded to six places, as the CSV's reader would want it."""
    if not isinstance(value, float):
        return value
    return round(value, 6) if math.isfinite(value) else None
