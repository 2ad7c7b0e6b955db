"""Docstrings and signatures, which are written to be read in an editor, as Sphinx wants them."""

from __future__ import annotations

import re
from typing import Any

from sphinx.util.typing import stringify_annotation

from mien.data.pictures import Source
from mien.inference import Mask, Pixels
from mien.media.pictures import Picture

FENCED = re.compile(r"^```\w*\n(.*?)^```\n?", flags=re.DOTALL | re.MULTILINE)
CODE = re.compile(r"``?([^`]+)``?")
SPECIAL = re.compile(r"[*|]|(?<=\w)_(?!\w)")
LIST = re.compile(r"(?<=\S)\n(?=[*-] |\d+\. )")
MODULES = re.compile(r"~?(?<![\w.])(?!mien\.)(?:[a-z_]\w*\.)+([A-Z]\w*)")
ALIASES = {
    stringify_annotation(alias, mode="smart"): name
    for name, alias in {"Source": Source, "Picture": Picture, "Pixels": Pixels, "Mask": Mask}.items()
}
"""What signatures spell out, longest first, by the name that the code has for it."""


def as_markup(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Code in backticks and fences becomes reStructuredText's; what has a meaning there, and none here, is escaped."""
    text, parts = "\n".join(lines) + "\n", []
    for number, part in enumerate(FENCED.split(text)):  # prose and what stands between fences, by turns
        parts.append(_prose(part) if number % 2 == 0 else _block(part))
    lines[:] = "".join(parts).splitlines()


def _prose(text: str) -> str:
    parts = CODE.split(text)  # prose and code, by turns
    escaped = [SPECIAL.sub(r"\\\g<0>", part) for part in parts[::2]]
    code = [f"``{part.strip()}``" for part in parts[1::2]]
    marked = "".join(prose + (code[i] if i < len(code) else "") for i, prose in enumerate(escaped))
    marked = re.sub(r"(?m)^(\s*)\\\*(?= )", r"\1*", marked)  # a list's bullet is one
    return LIST.sub("\n\n", marked)


def _block(code: str) -> str:
    indented = "".join(f"    {line}\n" for line in code.splitlines())
    return f"\n::\n\n{indented}\n"


def short_signature(
    app: Any, what: str, name: str, thing: Any, options: Any, signature: str | None, returned: str | None
) -> tuple[str | None, str | None]:
    """Without the modules that other packages' types come from, and with the names of ours: `Float[Tensor, "b e"]`."""
    return _short(signature), _short(returned)


def _short(text: str | None) -> str | None:
    if text is None:
        return None
    for spelt_out, name in ALIASES.items():
        text = text.replace(spelt_out, name)
    return MODULES.sub(r"\1", text)
