"""A release's annotations name files below its root, and no others."""

from __future__ import annotations

import pytest

from mien.eval.benchmarks.release import Sample
from mien.types import Labels, MienError


@pytest.mark.parametrize("file", ["../a.mp4", "videos/../../a.mp4", "/etc/passwd"])
def test_sample_of_a_file_outside_the_root_is_refused(file: str) -> None:
    with pytest.raises(MienError, match=f"'{file}' is not below the release's root"):
        Sample(id="a", file=file, labels=Labels(category=0))


def test_sample_of_a_file_with_dots_in_its_name_is_read() -> None:
    assert Sample(id="a", file="003/..a...mp4/b.mp4", labels=Labels(category=0)).video == "003/..a...mp4/b"
