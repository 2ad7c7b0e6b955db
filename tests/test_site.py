"""The docs site builds without a warning, and its pages lead to each other."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from functools import cache
from html import unescape
from pathlib import Path

import pytest

pytest.importorskip("sphinx", reason="Sphinx is not installed (the extra docs)")

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing that is made comes to lie among the pages."""
    copy = tmp_path_factory.mktemp("repository")
    shutil.copytree(ROOT / "docs", copy / "docs", ignore=shutil.ignore_patterns("_build", "reference"))
    (copy / "mien").symlink_to(ROOT / "mien")
    for name in ("CONTRIBUTING.md", "README.md"):
        shutil.copy(ROOT / name, copy / name)
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q", "docs", "site"]
    built = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return copy / "site"


@pytest.mark.slow
def test_every_link_and_picture_on_the_site_is_there(site: Path) -> None:
    missing = []
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        for link in re.findall(r'(?:href|src)="([^"]+)"', text):
            file, _, anchor = link.partition("#")
            if ":" in file or file.startswith("//"):
                continue
            target = (page.parent / file.partition("?")[0]).resolve() if file else page
            if not target.exists() or (anchor and target.suffix == ".html" and not has_anchor(target, anchor)):
                missing.append(f"{page.relative_to(site)}: {link}")
    assert missing == []


def has_anchor(page: Path, name: str) -> bool:
    return name in anchors(page)


@cache
def anchors(page: Path) -> set[str]:
    return set(re.findall(r' id="([^"]+)"', page.read_text(encoding="utf-8")))


@pytest.mark.slow
def test_the_reference_has_every_verb_and_the_shapes_of_what_is_embedded(site: Path) -> None:
    from mien.cli import app

    verbs = (site / "reference" / "cli.html").read_text(encoding="utf-8")
    names = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    assert [name for name in names if f">mien {name}<" not in verbs] == []
    shown = re.sub(r"<[^>]+>|\s", "", (site / "reference" / "mien.html").read_text(encoding="utf-8"))
    assert "Float32[ndarray,'ne']" in unescape(shown)
