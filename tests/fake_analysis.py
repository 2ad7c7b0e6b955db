"""An analysis that takes no time, for tests of the server: what it does to a file depends on the file's name."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mien.errors import MienError

WORD = "joy"


def analyze(path: Path, out: Path, chosen: dict[str, Any], tell: Callable[[str, int, int], None]) -> None:
    (Path(tempfile.gettempdir()) / "scratch").write_bytes(b"x" * 1000)
    tell("frames", 1, 2)
    if path.stem == "crash":
        os.abort()
    if path.stem == "hungry":
        bytearray(10**12)
    if path.stem == "refused":
        raise MienError(f"{path}: nobody is seen in it")
    if path.stem == "bug":
        raise ValueError("an oversight")
    if path.stem == "slow":
        time.sleep(600)
    row = {"time_s": 0.0, "track": 1, "source": "face", "x0": 1.0, "y0": 2.0, "x1": 3.0, "y1": 4.0, "top": WORD}
    words = list(chosen.get("words", (WORD,)))
    timeline = {
        "video": {"duration_s": 2.0, "width": 64, "height": 48, "fps": 8.0},
        "words": words,
        "rows": [{**row, "confidence": 1.0, "scores": [1.0] + [0.0] * (len(words) - 1)}],
    }
    (out / "timeline.json").write_text(json.dumps(timeline))
    (out / "timeline.csv").write_text("time_s,top\n0.0,joy\n")
    (out / "timeline.parquet").write_bytes(b"PAR1")
    (out / "report.html").write_text(f"<!doctype html><title>{path.name}</title><script>1</script>")
    if chosen.get("annotate", True):
        (out / "annotated.mp4").write_bytes(path.read_bytes())
    tell("frames", 2, 2)
