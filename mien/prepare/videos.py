"""The videos of a folder, and their names in a store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mien.media.video import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from mien.types import MienError, Skipped

EXCLUDED = Path(__file__).parent / "excluded"


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedVideo:
    """A video file and its name in a store: its path in the input folder without the suffix."""

    name: str
    path: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundVideos:
    """What there is to prepare, in order of name; files whose names collide; files excluded by their id."""

    videos: list[NamedVideo]
    ambiguous: list[Skipped]
    excluded: list[Skipped]


def find_videos(folder: Path, *, images: bool = False, excluded: Sequence[str] = ()) -> FoundVideos:
    """All videos under `folder` (a single file will do), and pictures too if `images`; hidden files apart.

    `excluded` names lists of ids (see `excluded_ids`); a video whose file is named by one is left out.
    """
    if not folder.exists():
        raise MienError(f"no folder of videos at {folder}")
    suffixes = VIDEO_SUFFIXES | (IMAGE_SUFFIXES if images else frozenset())
    root, files = (folder, folder.rglob("*")) if folder.is_dir() else (folder.parent, iter([folder]))
    by_name: dict[str, list[Path]] = defaultdict(list)
    for file in files:
        path = file.relative_to(root)
        if path.suffix.lower() in suffixes and not any(part.startswith(".") for part in path.parts) and file.is_file():
            by_name[path.with_suffix("").as_posix()].append(file)
    if not by_name:
        kinds = "videos or pictures" if images else "videos"
        raise MienError(f"{folder} holds no {kinds}: looked for {', '.join(sorted(suffixes))}")
    ids = {video_id: name for name in excluded for video_id in excluded_ids(name)}
    found = FoundVideos(videos=[], ambiguous=[], excluded=[])
    for name, paths in sorted(by_name.items()):
        if len(paths) > 1:
            files_named = " and ".join(sorted(path.name for path in paths))
            found.ambiguous.append(
                Skipped(what=name, reason=f"{files_named} would both be video {name!r}; rename or remove all but one")
            )
        elif video_id := next((i for i in ids if _is_of(paths[0].stem, i)), None):
            reason = f"{video_id} is in the list of excluded videos {ids[video_id]}"
            found.excluded.append(Skipped(what=name, reason=reason))
        else:
            found.videos.append(NamedVideo(name=name, path=paths[0]))
    return found


def _is_of(stem: str, video_id: str) -> bool:
    """Whether a file is named by that id, alone or as downloaders do: `Title [id]`, `Title-id`."""
    return stem == video_id or stem.endswith((f"[{video_id}]", f"-{video_id}"))


def excluded_ids(name: str) -> list[str]:
    """The ids in a list of excluded videos: the name of one of ours (`bold_sources`), or the path of a text file.

    One id a line; empty lines and those that begin with # do not count.
    """
    own = EXCLUDED / f"{name}.txt"
    path = own if own.is_file() else Path(name)
    if not path.is_file():
        ours = ", ".join(sorted(file.stem for file in EXCLUDED.glob("*.txt")))
        raise MienError(f"no list of excluded videos at {name}; give a text file, or one of: {ours}")
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line and not line.startswith("#")]
