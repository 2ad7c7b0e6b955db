"""Docstrings and signatures, which are written to be read in an editor, as Sphinx wants them."""

from __future__ import annotations

import re
from typing import Any

CODE = re.compile(r"(``?[^`]+``?)")
SPECIAL = re.compile(r"([*|]|(?<=\w)_(?!\w))")
ITEM = re.compile(r"^(\s*)([*-]|\d+\.) ")
SHAPED = re.compile(r"(?:jaxtyping\.)?(\w+)\[(?:torch\.|numpy\.)?(Tensor|ndarray), ?(['\"][^'\"]*['\"])\]")


def as_markup(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """What has a meaning in reStructuredText, and none here, is escaped; lists are set off from the text before."""
    marked: list[str] = []
    for line in lines:
        is_item = bool(ITEM.match(line))
        if is_item and marked and marked[-1].strip() and not ITEM.match(marked[-1]) and not marked[-1].startswith(" "):
            marked.append("")
        item = ITEM.match(line)
        head, rest = (item.group(0), line[item.end() :]) if item else ("", line)
        marked.append(head + "".join(_escaped(part) for part in CODE.split(rest)))
    lines[:] = marked


def _escaped(part: str) -> str:
    return part if part.startswith("`") else SPECIAL.sub(r"\\\1", part)


def short_signature(
    app: Any, what: str, name: str, thing: Any, options: Any, signature: str | None, returned: str | None
) -> tuple[str | None, str | None]:
    """Without the modules that types come from."""
    return _short(signature), _short(returned)


def _short(text: str | None) -> str | None:
    return None if text is None else re.sub(r"\b(?:[a-z_]\w*\.)+([A-Z]\w*)", r"\1", text)
