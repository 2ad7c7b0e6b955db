"""The page about one analysis: who shows what when, as one HTML file."""

from mien.analyze.page.write import write_page

__all__ = ["write_page"]
