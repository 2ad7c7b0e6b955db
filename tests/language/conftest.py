"""The real data the language tests can be run on."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def real_data() -> Callable[[str], Path]:
    """`real_data("goemotions-ekman")` is that folder below MIEN_TEST_DATA; without it the test is skipped."""

    def folder(name: str) -> Path:
        root = os.environ.get("MIEN_TEST_DATA")
        if root is None:
            pytest.skip("MIEN_TEST_DATA is not set; it names the folder that holds the real data")
        path = Path(root) / name
        assert path.is_dir(), f"MIEN_TEST_DATA is {root}, which holds no {name}"
        return path

    return folder
