"""The docs site: `make docs`. Pages are the Markdown beside this file; the reference is made from the code."""

from __future__ import annotations

import re
import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS.parent), str(DOCS / "_site")]

from command_line import write_command_line  # noqa: E402
from docstrings import as_markup, short_signature  # noqa: E402
from modules import write_modules  # noqa: E402
from other_pages import with_links_to_them, write_other_pages  # noqa: E402
from sphinx.application import Sphinx  # noqa: E402

from mien import __version__  # noqa: E402

project = "mien"
version = release = __version__
copyright = "the authors of mien; Apache-2.0"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build", "_site"]
suppress_warnings = ["ref.python"]  # two records of one name in different modules: the link leads to one of them
smartquotes = False  # `--faces` is not a dash

myst_heading_anchors = 4
myst_enable_extensions = ["attrs_block", "colon_fence"]

html_theme = "furo"
html_title = "mien"
html_static_path = ["_site/static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
pygments_style = "friendly"
pygments_dark_style = "github-dark"

default_role = "code"  # docstrings are written as Markdown is: `this` is code
autodoc_default_options = {"members": True, "member-order": "bysource", "exclude-members": "model_config"}
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
add_module_names = False
toc_object_entries_show_parents = "hide"
maximum_signature_line_length = 88


def setup(app: Sphinx) -> None:
    for write in (write_command_line, write_modules, write_other_pages):
        write(DOCS / "reference")
    app.connect("source-read", _link_to_other_pages)
    app.connect("source-read", _without_pages_to_come)
    app.connect("autodoc-process-docstring", as_markup)
    app.connect("autodoc-process-signature", short_signature)


def _link_to_other_pages(app: Sphinx, page: str, source: list[str]) -> None:
    source[0] = with_links_to_them(source[0], page=page)


def _without_pages_to_come(app: Sphinx, page: str, source: list[str]) -> None:
    """A line `search*` of the index's contents, while there is no such page; Sphinx would warn of it."""
    if page == "index":
        globs = (line for line in source[0].splitlines() if re.fullmatch(r"[\w/]+\*", line))
        for line in [line for line in globs if not list(DOCS.glob(f"{line}.md"))]:
            source[0] = source[0].replace(f"{line}\n", "")
