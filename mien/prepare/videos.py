"""The videos of a place, what lies beside each of them, and their names in a store."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from mien.media.video import IMAGE_SUFFIXES, SOUND_SUFFIXES, VIDEO_SUFFIXES
from mien.prepare.places import Place, PlacedFile
from mien.types import MienError, Skipped

EXCLUDED = Path(__file__).parent / "excluded"


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedVideo:
    """A video file and its name in a store: its path in the input folder without the suffix.

    `beside` are the files of the same folder whose names begin with the video's: subtitles, boxes, notes.
    """

    name: str
    place: Place
    file: str
    num_bytes: int
    beside: tuple[str, ...] = ()

    @property
    def stem(self) -> str:
        return PurePosixPath(self.file).stem


class VideoFiles:
    """A video's files on this machine: where they are if the place is local, else copied to `scratch`.

    What lies beside is small and copied at once; the video is when it is asked for.
    """

    def __init__(self, video: NamedVideo, scratch: Path) -> None:
        self._video = video
        self._scratch = scratch
        self.there = video.place.path / video.file if video.place.is_local else scratch / PurePosixPath(video.file).name
        """Where the video is on this machine, or will be."""
        self.beside = [self._local(name) for name in video.beside]

    @cached_property
    def path(self) -> Path:
        return self._local(self._video.file)

    def _local(self, name: str) -> Path:
        place = self._video.place
        if place.is_local:
            return place.path / name
        path = self._scratch / PurePosixPath(name).name
        if not place.fetch(name, path):
            raise MienError(f"{place}/{name} was there when the videos were listed, and is not any more")
        return path


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundVideos:
    """What there is to prepare, in order of name; files whose names collide; files excluded by their id."""

    videos: list[NamedVideo]
    ambiguous: list[Skipped]
    excluded: list[Skipped]
    sound: list[Skipped]
    """Files of sound that go with no video."""


def find_videos(where: str | Path | Place, *, images: bool = False, excluded: Sequence[str] = ()) -> FoundVideos:
    """All videos under `where` (a single file will do), and pictures too if `images`; hidden files apart.

    `excluded` names lists of ids (see `excluded_ids`); a video whose file is named by one is left out.
    """
    asked = where if isinstance(where, Place) else Place.of(where)
    place, files = _list(asked)
    suffixes = VIDEO_SUFFIXES | (IMAGE_SUFFIXES if images else frozenset())
    by_name: dict[str, list[PlacedFile]] = defaultdict(list)
    for file in files:
        if PurePosixPath(file.name).suffix.lower() in suffixes:
            by_name[PurePosixPath(file.name).with_suffix("").as_posix()].append(file)
    if not by_name:
        kinds = "videos or pictures" if images else "videos"
        raise MienError(f"{where} holds no {kinds}: looked for {', '.join(sorted(suffixes))}")
    beside = _beside(files, by_name)
    ids = excluded_ids(excluded)
    found = FoundVideos(
        videos=[], ambiguous=[], excluded=[], sound=_sound_alone(files, beside) if place == asked else []
    )
    for name, named in sorted(by_name.items()):
        if not name.isprintable() and not _is_utf8(name):
            found.ambiguous.append(Skipped(what=_shown(name), reason="its name is not UTF-8; rename it"))
        elif len(named) > 1:
            files_named = " and ".join(sorted(PurePosixPath(file.name).name for file in named))
            reason = f"{files_named} would both be video {name!r}; rename or remove all but one"
            found.ambiguous.append(Skipped(what=name, reason=reason))
        elif excluded_since := exclusion(possible_ids(PurePosixPath(name).name), ids):
            found.excluded.append(Skipped(what=name, reason=excluded_since))
        else:
            (file,) = named
            found.videos.append(
                NamedVideo(
                    name=name, place=place, file=file.name, num_bytes=file.num_bytes, beside=tuple(sorted(beside[name]))
                )
            )
    return found


def _sound_alone(files: Iterable[PlacedFile], beside: dict[str, list[str]]) -> list[Skipped]:
    """The files of sound that lie beside no video of their name."""
    known = {name for names in beside.values() for name in names}
    sound = {f.name for f in files if PurePosixPath(f.name).suffix.lower() in SOUND_SUFFIXES}
    reason = "sound without pictures: it is no video, and goes with none by its name"
    return [Skipped(what=_shown(name), reason=reason) for name in sorted(sound - known)]


def _shown(name: str) -> str:
    """A file's name as it can be written down, whatever its bytes are."""
    return name.encode("utf-8", "backslashreplace").decode()


def _is_utf8(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _list(where: Place) -> tuple[Place, list[PlacedFile]]:
    """The files under a folder; for a single video, it and what lies beside it."""
    if not where.exists():
        raise MienError(f"no folder of videos at {where}")
    if not where.is_file():
        return where, list(where.files())
    folder, name = where.parent()
    is_video = VIDEO_SUFFIXES | IMAGE_SUFFIXES
    return folder, [
        f for f in folder.files_beside(name) if f.name == name or PurePosixPath(f.name).suffix.lower() not in is_video
    ]


def _beside(files: Iterable[PlacedFile], names: Iterable[str]) -> dict[str, list[str]]:
    """For each video's name, the other files that begin with it and a dot: `a.b.en.vtt` is beside `a.b` or `a`."""
    known, beside = set(names), defaultdict(list)
    for file in files:
        stem = PurePosixPath(file.name)
        if stem.suffix.lower() in VIDEO_SUFFIXES | IMAGE_SUFFIXES:
            continue
        while stem.suffix:
            stem = stem.with_suffix("")
            if stem.as_posix() in known:
                beside[stem.as_posix()].append(file.name)
                break
    return beside


# ── lists of ids to leave out ────────────────────────────────────────────────────────────────────


def possible_ids(stem: str) -> Iterator[str]:
    """The ids a file may be named by, alone or as downloaders do: `Title [id]`, `Title-id`."""
    yield stem
    if stem.endswith("]") and "[" in stem:
        yield stem[stem.rindex("[") + 1 : -1]
    for i, character in enumerate(stem):
        if character == "-":
            yield stem[i + 1 :]


def exclusion(names: Iterable[str], ids: dict[str, str]) -> str | None:
    """Why a video that goes by one of `names` is left out, if it is; `ids` as `excluded_ids` gives them."""
    found = next((name for name in names if name in ids), None)
    return f"{found!r} is in the list of excluded videos {ids[found]}" if found else None


def excluded_ids(lists: Sequence[str]) -> dict[str, str]:
    """Each id of the lists, and the list it is in. A list is one of ours (`bold_sources`), or the path of a text file.

    One id a line, or the address of a video on YouTube; empty lines and those that begin with # do not count.
    """
    ids: dict[str, str] = {}
    for name in lists:
        own = EXCLUDED / f"{name}.txt"
        path = own if own.is_file() else Path(name)
        if not path.is_file():
            ours = ", ".join(sorted(file.stem for file in EXCLUDED.glob("*.txt")))
            raise MienError(f"no list of excluded videos at {name}; give a text file, or one of: {ours}")
        try:
            lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
        except UnicodeDecodeError as error:
            raise MienError(f"{path} is no list of ids, one a line, in UTF-8 ({error})") from error
        ids |= {_id_in(line): name for line in lines if line and not line.startswith("#")}
    return ids


def _id_in(line: str) -> str:
    """`https://youtu.be/ID?t=3` and `https://www.youtube.com/watch?v=ID&t=3` are ID; so is ID."""
    address = re.fullmatch(r"https?://(?:\S+[?&]v=|\S+/)([\w-]{6,})(?:[?&#]\S*)?", line)
    return address[1] if address else line
