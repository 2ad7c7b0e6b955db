"""A small MediaEval 2018: its folders, 66 films of drawn people, most of a second, and tables of labels of our own."""

from __future__ import annotations

import math
from pathlib import Path

from mien.theatre.drawn import write_drawn_video

FOLDERS = {
    "DevSet-Part1": range(14),
    "DevSet-Part2": range(14, 44),
    "DevSet-Part3": range(44, 54),
    "TestSet": range(54, 66),
}
FILM_S = {0: 10, 30: 9, 46: 5, 54: 10}
"""Lengths in seconds; the others have one, and are the same pictures."""
NUM_LABELS = {0: 12, 46: 3, 54: 9}
"""Where it is not the film's length. Film 46 has labels at its beginning only, and others after their end."""
WITHOUT_NUMBER = (30, 5)  # film, second


def write_fake_liris(root: Path) -> None:
    """Write the folders that the archives of all parts extract to at `root`."""
    short = root / "MEDIAEVAL18-DevSet-Part1-Data" / "data" / "MEDIAEVAL18_01.mp4"
    _draw(short, seed=1, film_s=1)
    for part, numbers in FOLDERS.items():
        labels = root / f"MEDIAEVAL18-{part}-Valence_Arousal-annotations" / "annotations"
        fear = root / f"MEDIAEVAL18-{part}-Fear-annotations" / "annotations"
        for number in numbers:
            name, film_s = f"MEDIAEVAL18_{number:02d}", FILM_S.get(number, 1)
            film = root / f"MEDIAEVAL18-{part}-Data" / "data" / f"{name}.mp4"
            if number in FILM_S:
                _draw(film, seed=number, film_s=film_s)
            elif film != short:
                film.parent.mkdir(parents=True, exist_ok=True)
                film.write_bytes(short.read_bytes())
            _write_lines(labels / f"{name}_Valence-Arousal.txt", _table(number, NUM_LABELS.get(number, film_s)))
            _write_lines(fear / f"{name}_Fear.txt", ["0 1"] if number % 5 == 0 else [])  # stretches; mien reads none
        (labels / ".DS_Store").write_bytes(bytes(8))
    first = root / "MEDIAEVAL18-DevSet-Part1-Visual_features" / "visual_features" / "MEDIAEVAL18_00" / "acc"
    _write_lines(first / "MEDIAEVAL18_00-00001_acc.txt", ["0.5,0.25"])


def _draw(path: Path, *, seed: int, film_s: int) -> None:
    write_drawn_video(path, seed=seed, num_frames=8 * film_s, width=64, height=64)


def _table(number: int, num_rows: int) -> list[str]:
    lines = ["Time\tValence\tArousal"]
    for second in range(num_rows):
        valence, arousal = 0.5 * math.sin(number + second / 3), 0.5 * math.cos(2 * number + second / 4)
        told = "" if (number, second) == WITHOUT_NUMBER else f"{valence:.6f}"
        lines.append(f"{second}\t{told}\t{arousal:.6f}")
    return lines


def _write_lines(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())
