"""What is in a store, to look at: one HTML page with clips, numbers, timelines and what was left out."""

from mien.inspect.page import InspectReport, InspectSettings, inspect_store

__all__ = ["InspectReport", "InspectSettings", "inspect_store"]
