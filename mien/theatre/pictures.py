"""Pictures of real faces in FER+ layout, pasted as heads on the drawn bodies."""

from __future__ import annotations

import csv
import io
import math
import zipfile
from pathlib import Path

import cv2
import numpy as np

from mien.theatre.canvas import Canvas, mix
from mien.theatre.face import HALF_HEIGHT, HALF_WIDTH
from mien.theatre.person import Head, Person
from mien.theatre.pose import Pose
from mien.theatre.settings import Split
from mien.types import EMOTIONS, MienError

_SIDE = 96  # pixels of a prepared face
_NUM_READY = 16
_VOTES = ("neutral", "joy", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "no face")


class Pictures:
    """The face pictures of one split by emotion; `folder` holds `FER2013Train.zip` and `FER2013Test.zip`.

    Each archive holds `label.csv` (file, box, ten votes) beside its pictures. The emotion with most votes counts;
    ties, contempt, `unknown` and `NF` are left out. Train pictures serve the train split alone, test pictures test.
    """

    def __init__(self, folder: Path, split: Split) -> None:
        path = folder / f"FER2013{split.capitalize()}.zip"
        if not path.is_file():
            raise MienError(f"no {path.name} in {folder}; faces= wants a folder in the FER+ release's layout")
        try:
            self._zip = zipfile.ZipFile(path)
        except zipfile.BadZipFile:
            raise MienError(f"{path} is not a zip archive; fetch it again") from None
        self._ready: dict[str, np.ndarray] = {}
        self.names: dict[str, list[str]] = {emotion: [] for emotion in EMOTIONS}
        for file, emotion in _read_votes(self._zip, path):
            self.names[emotion].append(file)
        for emotion, names in self.names.items():
            if not names:
                raise MienError(f"{path} has no picture whose majority vote is {emotion}; add some")

    def draw_name(self, emotion: str, rng: np.random.Generator) -> str:
        names = self.names[emotion]
        return names[int(rng.integers(len(names)))]

    def read(self, name: str) -> np.ndarray:
        """The picture as a float32 square of grey in [0, 1]; the last few are kept."""
        if name not in self._ready:
            if len(self._ready) >= _NUM_READY:
                self._ready.clear()
            self._ready[name] = self._prepare(name)
        return self._ready[name]

    def _prepare(self, name: str) -> np.ndarray:
        pixels = cv2.imdecode(np.frombuffer(self._zip.read(name), np.uint8), cv2.IMREAD_GRAYSCALE)
        if pixels is None:
            raise MienError(f"{name} in {self._zip.filename} is not a picture; fetch the archive again")
        grey: np.ndarray = cv2.resize(pixels, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC).astype(np.float32) / 255
        low, high = np.percentile(grey, (2, 98)).tolist()
        return np.clip((grey - low) / max(high - low, 0.1), 0, 1)


def _read_votes(archive: zipfile.ZipFile, path: Path) -> list[tuple[str, str]]:
    tables = [name for name in archive.namelist() if name.endswith("label.csv")]
    if not tables:
        raise MienError(f"{path} has no label.csv inside; faces= wants the archives of the FER+ release")
    root = tables[0].removesuffix("label.csv")
    present = set(archive.namelist())
    found = []
    for row in csv.reader(io.StringIO(archive.read(tables[0]).decode("utf-8"))):
        if len(row) != 2 + len(_VOTES):
            raise MienError(f"label.csv in {path} has a row of {len(row)} cells ({row}); it must have 12")
        votes = [int(cell) for cell in row[2:]]
        winner = _VOTES[votes.index(max(votes))]
        if votes.count(max(votes)) == 1 and winner in EMOTIONS and root + row[0] in present:
            found.append((root + row[0], winner))
    return found


def draw_picture(
    canvas: Canvas,
    person: Person,
    pose: Pose,
    head: Head,
    grey: np.ndarray,
    *,
    place: complex,
    size: float,
    speech: float,
) -> None:
    """The picture `grey`, in tones of the person's skin, as an ellipse where the drawn head would be."""
    rx, ry = 1.04 * HALF_WIDTH * person.head_width * head.size * size, 1.04 * HALF_HEIGHT * head.size * size
    centre = head.centre * size + place
    skin = person.skin
    canvas.ellipse(centre, 0.95 * rx, 0.95 * ry, skin, turn=head.turn)  # shows at the picture's soft edge
    # From the picture's pixels to the canvas's: two sides and a corner.
    across, down = (side * head.turn * canvas.gain * 2 / _SIDE for side in (complex(rx), 1j * ry))
    corner = centre * canvas.gain + canvas.origin - (across + down) * _SIDE / 2
    tones = np.array(mix(skin, (190, 190, 190), 0.45), dtype=np.float32)
    _blend(canvas.image, np.dstack((_spoken(grey, speech), _OVAL)), tones, across, down, corner)


def _blend(
    image: np.ndarray, grey_and_share: np.ndarray, tones: np.ndarray, across: complex, down: complex, corner: complex
) -> None:
    reach = math.ceil(abs(across + down) * _SIDE / 2) + 2
    middle = corner + (across + down) * _SIDE / 2
    height, width = image.shape[:2]
    x0, x1 = max(0, math.floor(middle.real) - reach), min(width, math.ceil(middle.real) + reach)
    y0, y1 = max(0, math.floor(middle.imag) - reach), min(height, math.ceil(middle.imag) + reach)
    if x1 <= x0 or y1 <= y0:
        return
    matrix = np.array([[across.real, down.real, corner.real - x0], [across.imag, down.imag, corner.imag - y0]])
    patch = cv2.warpAffine(grey_and_share, matrix, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR)
    colour = np.minimum((0.25 + patch[:, :, :1]) * tones, 255.0)
    area = image[y0:y1, x0:x1]
    area[:] = (area + (colour - area) * patch[:, :, 1:]).astype(np.uint8)


def _spoken(grey: np.ndarray, speech: float) -> np.ndarray:
    """The face with its lower third drawn down, and a dark gap between the lips."""
    if speech <= 0:
        return grey
    rows = np.arange(_SIDE, dtype=np.float32)
    drop = 7.0 * speech
    lips = 0.76 * _SIDE
    source = np.where(rows < lips, rows, np.maximum(rows - drop, lips))
    moved = cv2.remap(grey, np.tile(rows, (_SIDE, 1)), np.tile(source[:, None], (1, _SIDE)), cv2.INTER_LINEAR)
    cv2.ellipse(
        moved, (_SIDE // 2, round(lips + drop / 2)), (13, max(1, round(drop / 2))), 0, 0, 360, 0.08, -1, cv2.LINE_AA
    )
    return moved


def _oval() -> np.ndarray:
    y, x = np.mgrid[-1 : 1 : _SIDE * 1j, -1 : 1 : _SIDE * 1j].astype(np.float32)
    return np.clip((1.0 - np.hypot(x, y)) / 0.08, 0.0, 1.0).astype(np.float32)


_OVAL = _oval()
