"""Pages that lie elsewhere in the repository: the shipped models' cards, and how to contribute."""

from __future__ import annotations

import re
from pathlib import Path

from page_file import write_changed

from mien.types import ASSETS

CARD = re.compile(r"\]\((?:\.\./)+mien/assets/(\w+)/README\.md\)")
CONTRIBUTING = re.compile(r"\]\((?:\.\./)+CONTRIBUTING\.md\)")


def write_other_pages(folder: Path) -> None:
    """`card_NAME.md` for each model that has a card, without the hub's YAML head; and `contributing.md`."""
    for card in sorted(ASSETS.glob("*/README.md")):
        text = re.sub(r"\A---\n.*?\n---\n", "", card.read_text(encoding="utf-8"), flags=re.DOTALL)
        write_changed(folder / f"card_{card.parent.name}.md", text)
    contributing = (folder.parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    write_changed(folder / "contributing.md", contributing)


def with_links_to_them(text: str, *, page: str) -> str:
    """A page's source, its links to those files turned to the pages made of them."""
    up = "../" * page.count("/")
    text = CARD.sub(rf"]({up}reference/card_\1.md)", text)
    return CONTRIBUTING.sub(f"]({up}reference/contributing.md)", text)
