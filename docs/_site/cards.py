"""The cards of the shipped models as pages."""

from __future__ import annotations

import re
from pathlib import Path

from page_file import write_changed

from mien.types import ASSETS


def write_cards(folder: Path) -> None:
    """`card_NAME.md` for each model that has a card; the hub's YAML head is left off."""
    for card in sorted(ASSETS.glob("*/README.md")):
        text = re.sub(r"\A---\n.*?\n---\n", "", card.read_text(encoding="utf-8"), flags=re.DOTALL)
        write_changed(folder / f"card_{card.parent.name}.md", text)
