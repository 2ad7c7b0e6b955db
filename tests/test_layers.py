"""Imports among mien's packages point down, in the order of this table."""

from __future__ import annotations

import ast
from pathlib import Path

import mien

ROOT = Path(mien.__file__).parent

LEAVES = (
    "errors", "types", "config", "text", "losses", "distributed", "file_digest", "hub_fetch", "hub_push", "lengths",
    "prompts", "state_file", "terminal", "whole_file",
)  # fmt: skip
"""These import nothing of ours but the vocabulary."""

VOCABULARY = {"errors", "types", "config", "lengths"}

ORDER = (
    "media", "perception", "language", "captions",
    "models", "data", "prepare", "exchange", "checkpoint", "model_folder", "model_card", "hub",
    "onnx_int8", "onnx_card", "onnx_export", "onnx_clip", "engine", "methods",
    "convert", "theatre", "eval", "inspect", "inference", "moment_table", "analyze", "face_moments", "face_pictures",
    "search", "explain", "train", "evaluate", "label_efficiency", "run_pictures", "report", "doctor", "serve",
    "caption_release", "cli_analyze", "cli_captions", "cli_classify", "cli_data", "cli_explain", "cli_finetune",
    "cli_models", "cli_search", "cli_serve", "cli",
)  # fmt: skip
"""Each may import what stands before it, and the leaves."""

FORBIDDEN = {
    "models": {"data", "prepare"},
    "methods": {"data", "prepare"},
    "eval": {"train"},
    "inference": {"train"},
    "theatre": {"train", "eval", "methods", "models"},
}
"""Beside the order: models and methods never see data, evaluation never sees training, the theatre never a model."""

PACKAGE_ITSELF = ("__init__", "__main__")


def layer_of(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imports_of(path: Path) -> set[str]:
    """The layers that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("mien.")}
    return found - {"__version__"}


def test_every_file_has_a_place_in_the_order() -> None:
    known = {*LEAVES, *ORDER, *PACKAGE_ITSELF}
    assert {layer_of(path) for path in ROOT.rglob("*.py")} - known == set()


def test_imports_point_down() -> None:
    wrong = []
    for path in sorted(ROOT.rglob("*.py")):
        layer = layer_of(path)
        if layer not in (*LEAVES, *ORDER):
            continue
        below = VOCABULARY if layer in LEAVES else {*LEAVES, *ORDER[: ORDER.index(layer)]}
        allowed = (below | {layer}) - FORBIDDEN.get(layer, set())
        wrong += [f"{path.relative_to(ROOT)} imports mien.{name}" for name in sorted(imports_of(path) - allowed)]
    assert wrong == []


def test_command_line_imports_the_rest_inside_functions_only() -> None:
    """So that --help is instant."""
    verbs = [f"mien.{path.stem}" for path in ROOT.glob("cli_*.py")]
    light = ("mien.terminal", "mien.errors", *verbs)
    for path in ROOT.glob("cli*.py"):
        top_level = [n for n in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(n, ast.ImportFrom)]
        ours = [node.module for node in top_level if node.module and node.module.startswith("mien")]
        assert [name for name in ours if name not in light] == []
