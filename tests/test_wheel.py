"""What is built to be installed: all files of the package, no tests, no benchmarks, and metadata that can be read."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LARGEST_BYTES = 40e6


def built(out: Path, function: str) -> Path:
    """What pip calls of pyproject.toml's builder, without the network that an isolated build would need."""
    call = f"import sys, hatchling.build; print(hatchling.build.{function}(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", call, str(out)], cwd=ROOT, capture_output=True, text=True, check=True)
    return out / done.stdout.split()[-1]


def files_of_the_package() -> set[str]:
    there = (path for path in (ROOT / "mien").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(ROOT).as_posix() for path in there}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("wheel"), "build_wheel")


@pytest.mark.slow
def test_wheel_holds_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        names = {name for name in opened.namelist() if ".dist-info/" not in name}
    expected = files_of_the_package()
    kinds = {Path(name).suffix for name in expected}
    assert {".py", ".html", ".css", ".js", ".yaml", ".onnx", ".safetensors", ".json", ".md"} <= kinds
    assert names == expected
    assert wheel.stat().st_size < LARGEST_BYTES


@pytest.mark.slow
def test_wheel_says_who_may_use_it_how_and_what_it_needs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        (info,) = {name.split("/")[0] for name in opened.namelist() if ".dist-info/" in name}
        metadata = Parser().parsestr(opened.read(f"{info}/METADATA").decode())
        scripts = opened.read(f"{info}/entry_points.txt").decode()
        assert {f"{info}/licenses/LICENSE", f"{info}/licenses/NOTICE"} <= set(opened.namelist())
    assert "mien = mien.cli:app" in scripts
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload() == (ROOT / "README.md").read_text(encoding="utf-8")
    needs = metadata.get_all("Requires-Dist") or []
    assert any(need.startswith("torch>=") for need in needs)
    assert {"onnx", "hf", "asr", "train"} <= set(metadata.get_all("Provides-Extra") or [])


@pytest.mark.slow
def test_source_archive_builds_the_same_and_brings_the_tests(tmp_path: Path) -> None:
    archive = built(tmp_path, "build_sdist")
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    assert files_of_the_package() <= names
    assert {"pyproject.toml", "README.md", "LICENSE", "NOTICE", "CITATION.cff", "tests/test_wheel.py"} <= names
    assert not [name for name in names if name.startswith(("runs/", "stores/", ".venv/", ".git/"))]
    assert archive.stat().st_size < LARGEST_BYTES
