"""What is written for users holds: configs validate, README's files exist, its Python runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from mien.config import dump_yaml, load_config, validate
from mien.train.run import RunConfig

ROOT = Path(__file__).parent.parent
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_config_validates_opens_with_its_command_and_survives_a_round_trip(path: Path) -> None:
    config = load_config(RunConfig, path)
    head = path.read_text(encoding="utf-8").split("\n\n")[0]
    assert f"mien train configs/{path.name}" in head
    assert "Expect" in head
    assert validate(RunConfig, yaml.safe_load(dump_yaml(config)), source="the dump") == config


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8"))
    missing = [link for link in links if not (path.parent / link).exists()]
    assert missing == []


def test_readme_names_every_verb() -> None:
    from mien.cli import app

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    verbs = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    assert [verb for verb in verbs if f"mien {verb}" not in text] == []
