"""What is written for users holds: configs validate, README's files exist, its Python runs."""

from __future__ import annotations

import re
import shlex
from fnmatch import fnmatch
from pathlib import Path

import pytest
import typer.main
import yaml
from typer.core import TyperGroup

from mien.cli import app
from mien.config import dump_yaml, load_config, validate
from mien.train.run import RunConfig

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
MADE = {"_build", "reference"}
"""Folders of `docs` that `make docs` makes."""
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(path for path in DOCS.rglob("*.md") if not MADE & set(path.relative_to(DOCS).parts)),
]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_config_validates_opens_with_its_command_and_survives_a_round_trip(path: Path) -> None:
    config = load_config(RunConfig, path)
    head = path.read_text(encoding="utf-8").split("\n\n")[0]
    assert f"mien train configs/{path.name}" in head
    assert "Expect" in head
    assert validate(RunConfig, yaml.safe_load(dump_yaml(config)), source="the dump") == config


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    """Files and pictures, and the headings that a link names in a page."""
    missing = []
    for link in re.findall(r"\]\(([^)\s]+)\)", _without_code(path.read_text(encoding="utf-8"))):
        if ":" in link or link.startswith(("reference/", "../reference/")):  # elsewhere, or made by `make docs`
            continue
        file, _, heading = link.partition("#")
        target = path.parent / file if file else path
        if not target.exists() or (heading and heading not in _anchors(target)):
            missing.append(link)
    assert missing == []


def _without_code(text: str) -> str:
    return re.sub(r"^```.*?^```|`[^`\n]*`", "", text, flags=re.DOTALL | re.MULTILINE)


def _anchors(page: Path) -> set[str]:
    """The names of a page's headings in links, as GitHub and MyST make them."""
    headings = re.findall(r"^#+ (.+)$", _without_code(page.read_text(encoding="utf-8")), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_is_in_the_contents_of_the_site() -> None:
    contents = re.findall(r"```\{toctree\}\n(.*?)```", (DOCS / "index.md").read_text("utf-8"), flags=re.DOTALL)
    listed = [line for block in contents for line in block.splitlines() if line and not line.startswith(":")]
    names = [path.relative_to(DOCS).with_suffix("").as_posix() for path in PAGES if path.is_relative_to(DOCS)]
    left_out = [name for name in names if name != "index" and not any(fnmatch(name, line) for line in listed)]
    assert left_out == []


def test_commands_on_pages_have_verbs_and_options_that_exist() -> None:
    """Every line of a block that calls mien."""
    wrong = []
    for page in PAGES:
        for block in re.findall(
            r"^```\w*\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
        ):
            for line in re.findall(
                r"^(?:mien|torchrun .* -m mien) (.*)$", block.replace("\\\n", " "), flags=re.MULTILINE
            ):
                wrong += [f"{page.name}: mien {line}: {what}" for what in _wrong_in(line)]
    assert wrong == []


def _wrong_in(line: str) -> list[str]:
    """What a command line has that there is not: a verb, or options."""
    words = shlex.split(line.split(" # ")[0], comments=True)
    command = typer.main.get_command(app)
    while isinstance(command, TyperGroup):
        verb = words.pop(0)
        if verb not in command.commands:
            return [f"no verb {verb}"]
        command = command.commands[verb]
    known = {option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]}
    return [word for word in words if word.startswith("--") and word.split("=")[0] not in known]


def test_readme_names_every_verb() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    verbs = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    assert [verb for verb in verbs if f"mien {verb}" not in text] == []
