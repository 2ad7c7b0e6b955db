"""A benchmark's release, read: its samples, whose boxes they come with, and what of it cannot be used.

A loader knows annotations only. It names files and times; decoding and finding people is `mien prepare`'s work, on the
folder that `stage` lays out: a link a video, and the release's own boxes as a side-car beside it.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from mien.data.store import Store
from mien.prepare.sidecar import SUFFIX, SidecarRow, write_sidecar
from mien.types import LabeledClip, Labels, MienError, Skipped
from mien.whole_file import whole_file


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One annotated stretch of a file.

    `file` is a video's or a picture's path below the release's root. `subject` names the person it is about where the
    release has boxes of that person alone (`Release.boxes`). `end_s` None reaches to the file's end. `group` is what
    samples must not be spread over splits by: the film, the dialogue. `attributes` are the subject's, as annotated.
    `votes` are the judges' for each class, where the release has more than the label they led to.

    Raises MienError where the file would not be below the root: it is read, and linked to by its name.
    """

    id: str
    file: str
    labels: Labels
    start_s: float = 0.0
    end_s: float | None = None
    text: str = ""
    subject: str = ""
    group: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    votes: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if leads_out(self.file):
            raise MienError(
                f"{self.id}: the file {self.file!r} is not below the release's root; official annotations have none "
                "such: get them again"
            )

    @property
    def video(self) -> str:
        """Its name in the store: the file's path without suffix, and the person, who is seen there alone."""
        name = PurePosixPath(self.file).with_suffix("").as_posix()
        return f"{name}~{self.subject}" if self.subject else name


def leads_out(path: str) -> bool:
    """Whether a path that annotations name may lead out of the folder that it is said to be in."""
    return PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """Something of a release that its user should look at, though no sample is left out for it."""

    what: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """One split. `boxes` are the release's own, in pixels of the source, by the samples' `video`; what is annotated but
    known to be unusable is `skipped`, with the reason. `packed` is what samples' files hold that lie in an archive or a
    table instead of in the root, by their `file`. `notes` are what is odd about it, but costs no sample."""

    samples: tuple[Sample, ...]
    skipped: tuple[Skipped, ...] = ()
    boxes: Mapping[str, Sequence[SidecarRow]] = field(default_factory=dict)
    packed: Mapping[str, Callable[[], bytes]] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()

    def missing(self, root: Path) -> tuple[Skipped, ...]:
        """The samples whose file is not there."""
        files = {sample.file for sample in self.samples}
        there = {file: file in self.packed or (root / file).is_file() for file in files}
        return tuple(Skipped(what=s.id, reason=f"{s.file} is not in {root}") for s in self.samples if not there[s.file])


def stage(root: Path, releases: Sequence[Release], folder: Path) -> int:
    """Lay the samples' files out in `folder` for `mien prepare`: links, and side-cars where there are boxes.

    Packed files are written out; those that are damaged are passed over, and `labelled_clips` says why. What is there
    already stays as it is, so that nothing is prepared twice. Returns the number of videos.
    """
    files = {sample.video: sample.file for release in releases for sample in release.samples}
    boxes_with = {video: release.boxes for release in releases for video in release.boxes}
    packed = {file: content for release in releases for file, content in release.packed.items()}
    count = 0
    for video, file in files.items():
        source = (root / file).resolve()
        if file not in packed and not source.is_file():
            continue
        link = folder / f"{video}{source.suffix.lower()}"
        link.parent.mkdir(parents=True, exist_ok=True)
        if link.is_symlink() and (file in packed or link.readlink() != source):
            link.unlink()
        if file in packed:
            try:
                _unpack(packed[file], link, name=file)
            except MienError:
                continue
        elif not (link.is_symlink() or link.is_file()):
            link.symlink_to(source)
        count += 1
        if video in boxes_with:
            write_sidecar(link.with_name(link.stem + SUFFIX), boxes_with[video][video])
    return count


def _unpack(content: Callable[[], bytes], path: Path, *, name: str) -> None:
    if not path.is_file():
        unpacked = _content(content, name=name)
        with whole_file(path) as part:
            part.write_bytes(unpacked)


def _content(content: Callable[[], bytes], *, name: str) -> bytes:
    """What is packed. Raises MienError where it is damaged."""
    try:
        return content()
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise MienError(f"{name} is damaged in its archive ({error}); get the archive again") from error


WHOLE_PICTURE = (SidecarRow(time_s=0.0, track=0, xyxy=(0.0, 0.0, 1e6, 1e6)),)
"""Boxes for a picture that shows nothing but its subject, a cut-out face say; boxes may leave the frame."""


def whole_pictures(samples: Iterable[Sample]) -> dict[str, Sequence[SidecarRow]]:
    """The boxes of samples that show nothing but their subject."""
    return {sample.video: WHOLE_PICTURE for sample in samples}


def labelled_clips(
    release: Release, store: Store, *, root: Path | None = None
) -> tuple[list[LabeledClip], list[Skipped]]:
    """The samples as clips of a store that was prepared from them; what could not be read is listed.

    Why a video is not in the store is what its preparation says; or, with the release's `root`, that its file is
    missing.
    """
    clips, lost = list[LabeledClip](), list[tuple[Sample, str]]()
    for sample in release.samples:
        try:
            end_s = _duration_s(store, sample.video) if sample.end_s is None else sample.end_s
            clip = store.clip(sample.video, start_s=sample.start_s, end_s=end_s, text=sample.text, id=sample.id)
        except MienError as error:
            lost.append((sample, str(error)))
            continue
        clips.append(LabeledClip(clip=clip, labels=sample.labels, group=sample.group, attributes=sample.attributes))
    return clips, [*release.skipped, *_why(release, store, lost, root=root)]


def _why(release: Release, store: Store, lost: Sequence[tuple[Sample, str]], *, root: Path | None) -> Iterator[Skipped]:
    """Each lost sample, and what is known of it beyond what the store says when it is asked for."""
    missing = {each.what: each.reason for each in release.missing(root)} if lost and root is not None else {}
    told = {each.what: each.reason for each in store.skipped()} if lost else {}
    for sample, said in lost:
        known = None
        if not store.folder(sample.video).is_dir():
            known = missing.get(sample.id) or told.get(sample.video) or _damage(release, sample)
        yield Skipped(what=sample.id, reason=known or said)


def _damage(release: Release, sample: Sample) -> str | None:
    """What is wrong with a sample's packed file; None where nothing is, or it is not packed."""
    try:
        if content := release.packed.get(sample.file):
            _content(content, name=sample.file)
    except MienError as error:
        return str(error)
    return None


def _duration_s(store: Store, video: str) -> float:
    info = store.frames(video).info
    return info.num_frames / info.fps
