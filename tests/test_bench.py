"""The benchmark scripts go with the library: each can be imported, and says in its first lines how it is run."""

from __future__ import annotations

import builtins
import dis
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, ModuleType

import pytest

ROOT = Path(__file__).parent.parent
SCRIPTS = sorted(path for path in (ROOT / "bench").glob("*.py") if "def main(" in path.read_text(encoding="utf-8"))


@pytest.fixture(params=SCRIPTS, ids=lambda path: path.name)
def script(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    path: Path = request.param
    monkeypatch.syspath_prepend(path.parent)  # as running it does
    spec = importlib.util.spec_from_file_location(f"bench_{path.stem}", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_script_imports_what_there_is_and_names_its_command(script: ModuleType) -> None:
    assert callable(script.main)
    assert f"python bench/{Path(str(script.__file__)).name}" in (script.__doc__ or "")


def test_script_has_every_name_its_functions_use(script: ModuleType) -> None:
    """A name forgotten shows only when it is run, and the linter cannot tell it from shapes in quotes."""
    source = Path(str(script.__file__)).read_text(encoding="utf-8")
    used = set(globals_of(compile(source, str(script.__file__), "exec")))
    assert used - set(vars(script)) - set(dir(builtins)) == set()


def globals_of(code: CodeType) -> Iterator[str]:
    yield from (step.argval for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL")
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from globals_of(inner)
