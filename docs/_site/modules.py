"""The reference's pages: a package each, its modules in order, from their docstrings."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

from page_file import write_changed

import mien

ROOT = Path(mien.__file__).parent
PACKAGES = (
    "media", "perception", "language", "captions", "models", "data", "prepare", "exchange", "losses", "methods",
    "train", "eval", "eval.benchmarks", "analyze", "search", "explain", "theatre", "inspect",
)  # fmt: skip
"""A page each, where there is one; what lies in no package is the page `mien`. The server has its OpenAPI instead."""

FIRST = ("inference", "face_moments", "moment_table", "hub", "types", "config", "text")
"""Of the page `mien`, what most come for; the rest follows by name."""

HEAD = """# Reference

What the modules hold that others may use, from their docstrings. Shapes stand in the signatures:
`Float[Tensor, "b t d"]` is a tensor of any float type with three dimensions, those of one name equally long; `*n` is
any number of them. Times are seconds; boxes pixels `x0 y0 x1 y1`, half-open; pictures RGB.

```{toctree}
:maxdepth: 1

cli
"""


def write_modules(folder: Path) -> None:
    """`index.md`, and a page a package with an `automodule` for each module that has something public."""
    folder.mkdir(exist_ok=True)
    others = [path for path in sorted(ROOT.glob("*.py")) if not path.name.startswith(("cli", "__main__"))]
    alone = sorted(others, key=lambda path: FIRST.index(path.stem) if path.stem in FIRST else len(FIRST))
    pages = {"mien": alone}
    for package in PACKAGES:
        if (ROOT / package.replace(".", "/")).is_dir():
            pages[f"mien.{package}"] = sorted((ROOT / package.replace(".", "/")).glob("*.py"))
    for name, modules in pages.items():
        write_changed(folder / f"{name}.md", "".join(_page(name, modules)))
    listed = "".join(f"{name}\n" for name in pages)
    write_changed(folder / "index.md", f"{HEAD}{listed}```\n")


def _page(name: str, modules: Sequence[Path]) -> Iterator[str]:
    yield f"# {name}\n"
    for path in modules:
        if not _has_public(path):
            continue
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield f"\n## {module}\n\n```{{eval-rst}}\n.. automodule:: {module}\n```\n"


def _has_public(path: Path) -> bool:
    """Whether a file defines a function or class without an underscore."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    named = (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef))
    return any(not node.name.startswith("_") for node in named)
