"""Search: moments of a store by words or by likeness, through an index of embeddings that is kept beside the store."""

from mien.search.index import MomentIndex, Row, SearchSettings
from mien.search.page import write_page
from mien.search.search import Found, Hit, open_store, search

__all__ = ["Found", "Hit", "MomentIndex", "Row", "SearchSettings", "open_store", "search", "write_page"]
