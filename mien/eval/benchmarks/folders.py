"""Sets that are nothing but folders, `SPLIT/CLASS/files`: one reader, and a benchmark made of what differs.

The layout is that of torchvision's ImageFolder, in which such sets are shared; no copy of a real set was at hand. Names
of folders are compared in any case. A class may be named by another word of the same emotion (`happy`, `happiness`) or
by the release's own number for it.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import partial
from pathlib import Path, PurePosixPath

from mien.eval.benchmarks.base import Benchmark, Drawn, Shares
from mien.eval.benchmarks.contents import contents
from mien.eval.benchmarks.emotion_words import class_of
from mien.eval.benchmarks.fake_pictures import write_face, write_scene
from mien.eval.benchmarks.release import Release, Sample, whole_pictures
from mien.eval.protocol import ClassNames
from mien.media.video import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from mien.theatre.drawn import write_drawn_video
from mien.types import Labels, MienError, Skipped

SPLITS = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
"""Split → what its folder may be called, the first that is there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Folders:
    """What one set's folders are called.

    `codes` are the release's own signs for classes, in lower case. Classes in `left_out` may have a folder, whose files
    are listed and not used. `cut_out` are patterns of the splits' folders (in lower case) whose files show nothing but
    their subject. `suffix` is that of the fake's files.
    """

    title: str
    classes: tuple[str, ...]
    splits: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: SPLITS)
    codes: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    cut_out: tuple[str, ...] = ()
    suffix: str = ".jpg"
    shares: Shares = field(default_factory=dict)
    """Of what splits are drawn, for `mien.eval.benchmarks.splits`; nothing where the release's own are used."""


def read_folders(folders: Folders, root: Path, split: str) -> Release:
    """The files below `root`/SPLIT/CLASS, in order of class folder and name."""
    split_folder = find_split(folders, root, split)
    is_cut_out = any(fnmatch(split_folder.name.lower(), pattern) for pattern in folders.cut_out)
    found, skipped = _find(folders, root, split_folder)
    _check_complete(folders, split_folder, {each.category for each in found})
    samples, unusable = _samples(found, root)
    return Release(
        samples=samples,
        skipped=(*skipped, *unusable),
        boxes=whole_pictures(samples) if is_cut_out else {},
    )


def read_unsplit(folders: Folders, root: Path) -> Release:
    """All files of the set, by ids that depend neither on where it lies nor on how its folders' names are cased:
    CLASS/NAME, with the class's own word; of a release with official splits SPLIT/CLASS/NAME.

    A set that somebody sorted into splits' folders is read as if it were not, so that it has the same ids.
    """
    official = {split: find_split(folders, root, split) for split in folders.shares if split}
    tops = list(official.items()) or [("", top) for top in _tops(folders, root)]
    found, skipped = list[_Found](), list[Skipped]()
    for split, top in tops:
        more, left_out = _find(folders, root, top, prefix=f"{split}/" if split else "")
        found.extend(more)
        skipped.extend(left_out)
    _check_complete(folders, root, {each.category for each in found})
    samples, unusable = _samples(found, root, by_id=True)
    return Release(samples=samples, skipped=(*skipped, *unusable))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    path: Path
    category: int
    id: str


def _find(folders: Folders, root: Path, top: Path, *, prefix: str = "") -> tuple[list[_Found], list[Skipped]]:
    """The files of the classes' folders below `top`, and those of classes that are left out."""
    found, skipped = list[_Found](), list[Skipped]()
    for folder in _folders_in(top):
        if class_of(folder.name, folders.left_out) is not None:
            reason = f"{folder.name} is none of the {len(folders.classes)} classes"
            skipped.extend(Skipped(what=path.relative_to(root).as_posix(), reason=reason) for path in _files_in(folder))
            continue
        category = class_of(folder.name, folders.classes, codes=folders.codes)
        if category is None:
            raise MienError(
                f"{folder} is none of {folders.title}'s classes {', '.join(folders.classes)}; "
                f"name the root of {folders.title}, or move the folder away"
            )
        for path in _files_in(folder):
            name = unicodedata.normalize("NFC", path.relative_to(folder).as_posix())  # one disk writes é as e and ´
            found.append(_Found(path=path, category=category, id=f"{prefix}{folders.classes[category]}/{name}"))
    return found, skipped


def _samples(
    found: Sequence[_Found], root: Path, *, by_id: bool = False
) -> tuple[tuple[Sample, ...], tuple[Skipped, ...]]:
    """Pictures and videos of which there is but one of a name; and what else there is."""
    samples, skipped = list[Sample](), list[Skipped]()
    files = {each.path: each.path.relative_to(root).as_posix() for each in found}
    names = Counter(_without_suffix(each.id if by_id else files[each.path]) for each in found)
    for each in found:
        file = files[each.path]
        if each.path.suffix.lower() not in IMAGE_SUFFIXES | VIDEO_SUFFIXES:
            skipped.append(Skipped(what=file, reason="neither a picture nor a video"))
        elif names[_without_suffix(each.id if by_id else file)] > 1:
            skipped.append(Skipped(what=file, reason=SAME_NAME))
        else:
            samples.append(Sample(id=each.id if by_id else file, file=file, labels=Labels(category=each.category)))
    return tuple(samples), tuple(skipped)


SAME_NAME = "there is another file of that name, with another suffix or in another split"


def _without_suffix(file: str) -> str:
    return PurePosixPath(file).with_suffix("").as_posix()


def _tops(folders: Folders, root: Path) -> list[Path]:
    """What the classes' folders of an unsplit set lie in: the root, or else every folder that a split may have."""
    if any(class_of(each.name, folders.classes, codes=folders.codes) is not None for each in _folders_in(root)):
        return [root]
    names = {name for names in folders.splits.values() for name in names}
    return [each for each in _folders_in(root) if each.name.lower() in names]


def read_copy(folders: Folders, root: Path, split: str, *, lacks: str) -> Release:
    """A copy in folders of a release that `root` is not, since it `lacks` what that has; in an error both are told."""
    try:
        return read_folders(folders, root, split)
    except MienError as error:
        raise MienError(f"{root} {lacks}; and as folders: {error}") from error


def find_split(folders: Folders, root: Path, split: str) -> Path:
    """The split's folder. Raises MienError where there is none."""
    if split not in folders.splits:
        raise MienError(f"{folders.title} in {root} has no labels for {split!r}; it has {', '.join(folders.splits)}")
    there = {folder.name.lower(): folder for folder in _folders_in(root)}
    names = folders.splits[split]
    for name in names:
        if name.lower() in there:
            return there[name.lower()]
    raise MienError(
        f"{root} has no folder {' or '.join(names)} for {folders.title}'s split {split!r}; "
        f"it has {contents(root)}{_below(there, names)}"
    )


def _below(there: Mapping[str, Path], names: tuple[str, ...]) -> str:
    for folder in there.values():
        if any(below.name.lower() in map(str.lower, names) for below in _folders_in(folder)):
            return f"; did you mean {folder}?"
    return ""


def _check_complete(folders: Folders, split_folder: Path, categories: set[int]) -> None:
    lacking = [name for index, name in enumerate(folders.classes) if index not in categories]
    if lacking:
        raise MienError(
            f"{split_folder} has no files of {', '.join(lacking)}, which {folders.title} has; is it unpacked whole?"
        )


def _folders_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith((".", "__")))


def _files_in(folder: Path) -> Iterator[Path]:
    """The files of a class, whether or not they are sorted into folders further; hidden ones (`._*`) apart."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith("."))


# ── the benchmark of a set, and its fake ─────────────────────────────────────────────────────────


def folder_benchmark(
    name: str,
    folders: Folders,
    *,
    licence: str,
    how_to_get: str,
    protocols: str = "train_test",
    expected: Mapping[str, int] | None = None,
    notes: str = "",
) -> Benchmark:
    """The benchmark of a set that is only folders."""
    return Benchmark(
        name=name,
        title=folders.title,
        classes=ClassNames(category=folders.classes),
        splits=tuple(folders.splits),
        read=partial(read_folders, folders),
        licence=licence,
        how_to_get=how_to_get,
        expected=expected or {},
        fake=partial(fake_folders, folders),
        notes=notes,
        protocols=protocols,
        drawn=Drawn(shares=folders.shares, read=partial(read_unsplit, folders)) if folders.shares else None,
    )


def fake_folders(folders: Folders, root: Path) -> None:
    """A file a class and split, called as the release calls its folders; names in capitals, and what systems leave."""
    signs = {word: sign for sign, word in folders.codes.items()}
    for number, (split, names) in enumerate(folders.splits.items()):
        draw = write_face if any(fnmatch(names[0].lower(), pattern) for pattern in folders.cut_out) else write_scene
        for index, name in enumerate(folders.classes):
            seed = 100 * number + index
            folder = root / names[0] / signs.get(name, name.capitalize())
            if folders.suffix in VIDEO_SUFFIXES:
                write_drawn_video(folder / f"{seed:06d}{folders.suffix}", seed=seed, num_frames=8, width=64, height=64)
            else:
                suffix = folders.suffix.upper() if index == 0 else folders.suffix
                draw(folder / f"{split}_{seed:05d}{suffix}", seed=seed)
        (root / names[0] / ".DS_Store").write_bytes(b"\0")
    (folder / "Thumbs.db").write_bytes(b"\0")
    (folder / f"._{split}{folders.suffix}").write_bytes(b"\0")
