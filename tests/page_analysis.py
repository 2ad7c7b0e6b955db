"""An analysis of made-up moods, for tests of the server's page: what it does to a file depends on the file's name."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from made_analysis import Sight, write_analysis

from mien.analyze import Timeline
from mien.analyze.page import write_page
from mien.captions.lexicon import FACE_EMOTIONS
from mien.errors import MienError
from mien.media.video import IMAGE_SUFFIXES
from mien.serve.analysis import JSON_FILE, timeline_json

SIGHTS = (Sight(track=3, spans_s=[(0, 2)]), Sight(track=7, spans_s=[(0.5, 1.25)]))


def analyze(path: Path, out: Path, chosen: dict[str, Any], tell: Callable[[str, int, int], None]) -> None:
    """Two persons over two seconds; nobody in `nobody.mp4`; without end for `slow.mp4`; `odd.mp4` is refused."""
    is_picture = path.suffix in IMAGE_SUFFIXES
    sights = [Sight(track=3, spans_s=[(0, 0)])] if is_picture else SIGHTS
    if path.stem == "odd":
        raise MienError("this <video> is odd")
    if path.stem == "slow":
        for done in range(6000):
            tell("look at faces", done, 6000)
            time.sleep(0.1)
    analysis = write_analysis(
        out,
        path,
        [] if path.stem == "nobody" else sights,
        duration_s=0.0 if is_picture else 2.0,
        words=chosen.get("words", FACE_EMOTIONS),
    )
    facts = {name: getattr(analysis.video, name) for name in ("duration_s", "width", "height", "fps")}
    (out / JSON_FILE).write_text(timeline_json(Timeline.load(out).table, words=analysis.words, video=facts))
    shutil.copy(path, out / ("annotated.jpg" if is_picture else "annotated.mp4"))
    write_page(out)
