"""The page about one analysis: who shows what when, as one HTML file."""

from mien.analyze.page.write import PAGE_FILE, write_page

__all__ = ["PAGE_FILE", "write_page"]
