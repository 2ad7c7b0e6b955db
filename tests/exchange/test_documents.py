"""The examples of docs/exchange.md run, in Python and on the command line."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from tiny_store import write_store
from typer.testing import CliRunner

from mien.cli import app

h5py = pytest.importorskip("h5py", reason="h5py is not installed (the extra hdf5)")

PAGE = Path(__file__).parents[2] / "docs" / "exchange.md"


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store and a released video, under the names of the page, in the working folder."""
    monkeypatch.chdir(tmp_path)
    write_store(tmp_path / "store")
    (tmp_path / "youtube" / "v").mkdir(parents=True)
    with h5py.File(tmp_path / "youtube" / "v" / "frames.hdf5", "w") as file:
        for n in range(1, 41):
            file[f"{n:08d}.jpg"] = np.asarray(simplejpeg.encode_jpeg(np.full((48, 64, 3), n, np.uint8)))
    words = [{"text": "So it is.", "start": 1.0, "end": 4.0}]
    (tmp_path / "youtube" / "v" / "transcript_cleaned.json").write_text(json.dumps(words))


@pytest.mark.usefixtures("inputs")
def test_the_example_in_python_runs() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    told: dict = {}
    exec(example, told)
    assert (told["exported"].num_clips, told["back"].num_clips, told["released"].num_clips) == (12, 12, 1)


@pytest.mark.slow
@pytest.mark.usefixtures("inputs")
def test_the_example_on_the_command_line_runs() -> None:
    block = PAGE.read_text(encoding="utf-8").split("```")[1]
    lines = [shlex.split(line, comments=True) for line in block.strip().splitlines() if "{" not in line]
    said = []
    for program, *words in lines:
        assert program == "mien"
        result = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
        assert result.exit_code == 0, result.output + repr(result.exception)
        said.append(result.output)
    assert "12 clips in 1 shard (" in said[0]
    assert "12 clips; " in said[1]
    assert "1 video (" in said[2]
    assert "1 clip; " in said[2]
