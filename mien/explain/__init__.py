"""Explain: what a model attends to, and what it says when parts of the pictures are hidden."""

from mien.explain.explanation import Explanation, as_numbers, log_odds
from mien.explain.face import explain_faces
from mien.explain.page import write_explanations
from mien.explain.scene import explain_scene

__all__ = ["Explanation", "as_numbers", "explain_faces", "explain_scene", "log_odds", "write_explanations"]
