"""The researcher's tutorial does what it says, with fewer videos and steps: its commands, one after the other."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from test_cli import TINY
from typer.testing import CliRunner

from mien import Mien
from mien.cli import app

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "tutorials" / "researcher.md"
FEWER = {"--train 100": "--train 3", "--test 30": "--test 2"}


def commands() -> list[list[str]]:
    blocks = re.findall(r"^```bash\n(.*?)^```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    text = "".join(blocks).replace("\\\n", " ")
    for many, few in FEWER.items():
        text = text.replace(many, few)
    return [shlex.split(line, comments=True)[1:] for line in text.splitlines()]


@pytest.mark.slow
def test_the_researchers_commands_lead_from_videos_to_a_table_and_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    said = {}
    for words in commands():
        is_training = words[0] == "train"
        small = [*TINY, "data.neighbours=2", "train.evaluate_every=0"] if is_training else []
        given = [*words[:2], *small, *words[2:]]  # so that what the page says comes last, and counts
        result = CliRunner().invoke(app, given, env={"COLUMNS": "200"})
        assert result.exit_code == 0, (given, result.output, result.exception)
        said[" ".join(words)] = result.output
    table = said["evaluate --table runs/tutorial/results"]
    assert all(name in table for name in ("sap", "vanilla", "untrained", "majority"))
    assert (tmp_path / "runs" / "tutorial" / "sap" / "report.html").is_file()
    config = Mien.from_pretrained(tmp_path / "runs" / "tutorial" / "vanilla" / "model", device="cpu").config
    assert config.architecture.subject == "vanilla"
    assert json.loads((tmp_path / "runs/tutorial/results/untrained.json").read_text())["is_generated"] is True
