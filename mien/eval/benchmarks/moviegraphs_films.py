"""The films that MovieGraphs is about: not part of the release, but the user's own copies.

They are found by the IMDb id in their names (`tt0109830.mkv`, `Forrest Gump {tt0109830}.mp4`) below ROOT/videos, or,
without such a folder, below ROOT. Copies differ in what comes before the film: `offsets.yaml` in that folder says by
how many seconds a copy is later than the annotated one.

```yaml
tt0109830: 12.5
tt0822832: -3
```
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from mien.eval.benchmarks.moviegraphs_annotations import IMDB_ID
from mien.media.video import VIDEO_SUFFIXES, probe_video
from mien.types import MienError

OFFSETS_FILE = "offsets.yaml"
KNOWN_SHORTER = frozenset({"tt0388795"})
"""Films of which the copies that are sold end before the annotations do (EmotionCLIP's loader: 193,256 frames, and
frame 193,401 is annotated)."""
DURATION_TOLERANCE_S = 2.0  # black frames at the end; another cut, or PAL's 4 %, is minutes
IN_NAME = re.compile(rf"(?<![0-9a-z]){IMDB_ID.pattern}(?!\d)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Film:
    """A copy. `file` is below the root; `duration_s` is None where the file is missing or does not tell."""

    file: str
    duration_s: float | None
    offset_s: float


def find_films(root: Path, films: Collection[str], *, known: Collection[str]) -> dict[str, Film]:
    """The user's copy of each of `films`; of one that is missing, where it could be. `known`: all ids there are.

    Raises MienError where two files are copies of one film, and where the offsets make no sense.
    """
    folder = root / "videos" if (root / "videos").is_dir() else root
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        match = IN_NAME.search(path.name.lower())
        is_film = path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".") and path.is_file()
        if match is None or match[0] not in films or not is_film:
            continue
        if match[0] in found:
            raise MienError(f"{found[match[0]]} and {path} are both {match[0]}; keep one of them below {folder}")
        found[match[0]] = path
    offsets = _read_offsets(folder / OFFSETS_FILE, known=known)
    return {
        film: Film(
            file=(found[film].relative_to(root) if film in found else Path("videos", f"{film}.mp4")).as_posix(),
            duration_s=_duration_s(found[film]) if film in found else None,
            offset_s=offsets.get(film, 0.0),
        )
        for film in films
    }


def other_duration(film: str, copy: Film, *, annotated_s: float) -> str | None:
    """What is to be said where the copy, but for its offset, is not as long as the one that was annotated."""
    if copy.duration_s is None:
        return None
    longer_s = copy.duration_s - copy.offset_s - annotated_s
    if abs(longer_s) > DURATION_TOLERANCE_S and not (film in KNOWN_SHORTER and longer_s < 0):
        return (
            f"{copy.file} lasts {copy.duration_s:.1f} s, the annotated copy {annotated_s:.1f} s, and the offset is "
            f"{copy.offset_s:g} s: look whether clips of {film} show what they should, and give {OFFSETS_FILE} an "
            "offset if not"
        )
    return None


def _duration_s(path: Path) -> float | None:
    try:
        return probe_video(path).duration_s or None
    except MienError:  # `mien prepare` tells what is wrong with it
        return None


def _read_offsets(path: Path, *, known: Collection[str]) -> Mapping[str, float]:
    if not path.is_file():
        return {}
    try:
        offsets = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise MienError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(offsets, dict):
        raise MienError(f"{path} must hold lines such as `tt0109830: 12.5`, not a {type(offsets).__name__}")
    for film, offset in offsets.items():
        if film not in known:
            raise MienError(f"{path}: {film!r} is none of the release's films; correct the id")
        if type(offset) not in (int, float) or not math.isfinite(offset):
            raise MienError(f"{path}: the offset of {film} is {offset!r}; it must be a number of seconds")
    return {film: float(offset) for film, offset in offsets.items()}
