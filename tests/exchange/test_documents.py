"""The example of docs/exchange.md runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from tiny_store import write_store

h5py = pytest.importorskip("h5py", reason="h5py is not installed (the extra hdf5)")

PAGE = Path(__file__).parents[2] / "docs" / "exchange.md"


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_store(tmp_path / "store")
    (tmp_path / "youtube" / "v").mkdir(parents=True)
    with h5py.File(tmp_path / "youtube" / "v" / "frames.hdf5", "w") as file:
        for n in range(1, 41):
            file[f"{n:08d}.jpg"] = np.asarray(simplejpeg.encode_jpeg(np.full((48, 64, 3), n, np.uint8)))
    words = [{"text": "So it is.", "start": 1.0, "end": 4.0}]
    (tmp_path / "youtube" / "v" / "transcript_cleaned.json").write_text(json.dumps(words))
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    told: dict = {}
    exec(example, told)
    assert (told["exported"].num_clips, told["back"].num_clips, told["released"].num_clips) == (12, 12, 1)
