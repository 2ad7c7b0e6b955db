"""The Python on the pages that users read runs, as it stands there, in a folder with the files it names."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_mien import small_mien

from mien.media.pictures import read_picture

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PYTHON = re.compile(r"^```python\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)
ELSEWHERE = {
    "docs/exchange.md": "tests/exchange/test_documents.py runs it",
    "docs/searching.md": "wants a store with faces",
    "docs/shipping.md": "wants ONNX graphs, and a fitted head",
}
"""Pages whose examples are not run here, and why."""
SMALLER = {"num_train=100, num_test=20": "num_train=1, num_test=1"}
"""What takes minutes, made small."""


def pages() -> list[str]:
    """Those with an example in Python, from the repository's root."""
    found = (path for path in [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))] if "_build" not in path.parts)
    named = [path.relative_to(ROOT).as_posix() for path in found if PYTHON.search(path.read_text(encoding="utf-8"))]
    return [name for name in named if name not in ELSEWHERE]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs of people, a video that shows one for two seconds, and a model of scenes."""
    folder = tmp_path_factory.mktemp("files")
    rgb = cv2.resize(read_picture(DOCS / "images" / "faces_multi_face.jpg"), (640, 426))
    for name in ("photo.jpg", "a.jpg", "b.png"):
        cv2.imwrite(str(folder / name), rgb[..., ::-1])
    write_still(folder / "video.mp4", rgb)
    small_mien().save_pretrained(folder / "models" / "emotionclip")
    write_timeline(folder / "mien-video" / "timeline.parquet")
    return folder


def write_timeline(path: Path) -> None:
    """A table as `mien analyze` writes it, of one person."""
    words = {word: [0.2, 0.2] for word in ("sadness", "anger", "surprise", "neutral")}
    path.parent.mkdir()
    pq.write_table(
        pa.table({"time_s": [0.0, 0.25], "track": [0, 0], "happiness": [0.2, 0.2], **words, "top": ["happiness"] * 2}),
        path,
    )


def write_still(path: Path, rgb: np.ndarray) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=8)
        stream.width, stream.height, stream.pix_fmt = rgb.shape[1], rgb.shape[0], "yuv420p"
        for number in range(16):
            frame = av.VideoFrame.from_ndarray(rgb, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 8)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.mark.slow
@pytest.mark.parametrize("page", pages())
def test_the_python_on_a_page_runs(page: str, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files)
    code = "\n".join(PYTHON.findall((ROOT / page).read_text(encoding="utf-8")))
    for long, short in SMALLER.items():
        code = code.replace(long, short)
    exec(compile(code, page, "exec"), {"__name__": "__main__"})


def test_three_lines_embed_classify_and_compare(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first example of docs/python.md, which comes to what it says."""
    monkeypatch.chdir(files)
    told: dict = {}
    exec(PYTHON.findall((DOCS / "python.md").read_text(encoding="utf-8"))[0], told)
    assert (told["x"].shape, told["x"].dtype, told["cosines"].shape) == ((2, 256), np.float32, (1, 1))
    assert told["look"].video == "photo.jpg"
    assert sum(told["look"].scores.values()) == pytest.approx(1)
