"""Captions and the pictures they are of: a benchmark's split gets its captions, a file of captions finds its pictures.

A record's `image` is the sample's name in a store made of the release (`Sample.video`), by which they are joined.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from mien.captions.attributes import OF_SCENES, write_attribute_caption
from mien.captions.captioner import Captioner
from mien.captions.lexicon import FACE_EMOTIONS
from mien.captions.record import CaptionRecord, read_captions, write_captions
from mien.captions.writer import write_caption
from mien.data.store import SETTINGS_FILE, Store
from mien.eval.benchmarks import Benchmark
from mien.eval.benchmarks.emotion_words import class_of
from mien.eval.benchmarks.release import Release, Sample
from mien.types import MienError, Skipped

OF_FACES = ("", "person")
"""What samples of a set of faces may be grouped by."""
SAVED_EVERY = 100  # captions of a model, which takes seconds for each


def derive_captions(
    benchmark: Benchmark, release: Release, *, seed: int, variants: int = 1
) -> tuple[list[CaptionRecord], list[Skipped]]:
    """`variants` captions of each sample, from its votes or else its label; nobody looks at the pictures.

    Samples of a class that is none of FACE_EMOTIONS are skipped, beside what the release skips. Raises MienError where
    no sample is left, or a video has several samples: a caption is of one face.
    """
    source = f"labels:{benchmark.name}"
    skipped, captions = list(release.skipped), list[CaptionRecord]()
    for sample in _one_a_video(benchmark, release):
        votes = votes_of(benchmark, sample)
        if not votes:
            skipped.append(Skipped(what=sample.id, reason=_unnamed(benchmark, sample)))
            continue
        captions += (
            write_caption(
                votes, image=sample.video, seed=seed, variant=variant, source=source, graded=bool(sample.votes)
            )
            for variant in range(variants)
        )
    if not captions:
        raise MienError(
            f"{benchmark.name} has no sample of {', '.join(FACE_EMOTIONS)}; take a benchmark of faces, or --captioner"
        )
    return captions, skipped


def has_attributes(release: Release) -> bool:
    """Whether its captions are to be made of attributes of scenes rather than of votes for faces."""
    return any(name in sample.attributes for sample in release.samples for name in OF_SCENES)


def derive_attribute_captions(
    benchmark: Benchmark, release: Release, *, label_in_text: bool = False
) -> tuple[list[CaptionRecord], list[Skipped]]:
    """A caption of each sample that has attributes. label_in_text: let it end with the emotion, as the released code
    does; whoever pre-trains on it has seen the labels."""
    skipped, captions = list(release.skipped), list[CaptionRecord]()
    for sample in release.samples:
        label = benchmark.classes.category[sample.labels.category or 0] if label_in_text else None
        caption = write_attribute_caption(
            sample.attributes, image=sample.video, source=f"labels:{benchmark.name}", label=label
        )
        if caption is None:
            skipped.append(Skipped(what=sample.id, reason="it has no attributes"))
        else:
            captions.append(caption)
    return captions, skipped


def caption_pictures(
    benchmark: Benchmark,
    release: Release,
    *,
    root: Path,
    captioner: Captioner,
    out: Path,
    on_picture: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[list[CaptionRecord], list[Skipped]]:
    """A caption of each sample's whole picture by the model; the votes go along where they are of FACE_EMOTIONS.

    `out` is written as it goes, each time whole; what it has by this model stays. Samples whose file is missing, is no
    picture, or of which no answer is a caption, are skipped.
    """
    samples = _one_a_video(benchmark, release)
    captions, skipped = _kept(out, samples, captioner), list(release.skipped)
    there = {record.image for record in captions}
    for number, sample in enumerate(samples, start=1):
        if sample.video not in there:
            try:
                captions.append(_caption(benchmark, release, sample, root=root, captioner=captioner))
            except (MienError, OSError) as error:
                skipped.append(Skipped(what=sample.id, reason=str(error)))
        if number % SAVED_EVERY == 0 or number == len(samples):
            write_captions(out, captions)
        on_picture(number, len(samples))
    return captions, skipped


def missing_pictures(records: Sequence[CaptionRecord], root: Path) -> list[Skipped]:
    """The images of the records that are not in `root`: once each, in the records' order.

    root: a store, whose videos the images must be; or a folder of pictures, of which an image may be named with or
    without suffix, and may end in `~` and a person, who is no part of the file's name.
    """
    if not root.is_dir():
        raise MienError(f"no folder at {root}; name a store, or the root of the pictures")
    names = set(Store(root).videos) if (root / SETTINGS_FILE).is_file() else _files_in(root)
    images = dict.fromkeys(record.image for record in records)
    return [
        Skipped(what=image, reason=f"it is not in {root}")
        for image in images
        if image not in names and image.rpartition("~")[0] not in names
    ]


def _files_in(root: Path) -> set[str]:
    files = [path.relative_to(root) for path in root.rglob("*") if path.is_file()]
    return {name for file in files for name in (file.as_posix(), file.with_suffix("").as_posix())}


def votes_of(benchmark: Benchmark, sample: Sample) -> dict[str, float]:
    """The judges' votes for each of FACE_EMOTIONS, or 1 for the one that the label names; empty if for none.

    Votes for what is no emotion (FER+: unknown, no face) are left out.
    """
    named: dict[str, float] = dict(sample.votes)
    if not named and sample.labels.category is not None:
        named = {benchmark.classes.category[sample.labels.category]: 1.0}
    votes = dict[str, float]()
    for word, count in named.items():
        if (index := class_of(word, FACE_EMOTIONS)) is not None:
            votes[FACE_EMOTIONS[index]] = votes.get(FACE_EMOTIONS[index], 0.0) + count
    return votes


def _one_a_video(benchmark: Benchmark, release: Release) -> Sequence[Sample]:
    if benchmark.group_name not in OF_FACES:
        raise MienError(
            f"{benchmark.name} is a set of {benchmark.group_name}s; captions are for sets of faces, one a file"
        )
    video, count = Counter(sample.video for sample in release.samples).most_common(1)[0] if release.samples else ("", 0)
    if count > 1:
        raise MienError(f"{benchmark.name} has {count} samples in {video}; captions are for sets of a face a file")
    return release.samples


def _unnamed(benchmark: Benchmark, sample: Sample) -> str:
    if sample.labels.category is None:
        return "it has no class"
    return f"{benchmark.classes.category[sample.labels.category]} is none of {', '.join(FACE_EMOTIONS)}"


def _kept(out: Path, samples: Sequence[Sample], captioner: Captioner) -> list[CaptionRecord]:
    """The captions that an earlier run of the same model left in `out`."""
    if not out.is_file():
        return []
    videos = {sample.video for sample in samples}
    return [r for r in read_captions(out) if r.source == f"model:{captioner.name}" and r.image in videos]


def _caption(
    benchmark: Benchmark, release: Release, sample: Sample, *, root: Path, captioner: Captioner
) -> CaptionRecord:
    packed = release.packed.get(sample.file)
    content = packed() if packed else (root / sample.file).read_bytes()
    votes = votes_of(benchmark, sample)
    total = sum(votes.values())
    shares = {emotion: count / total for emotion, count in votes.items()} or None
    return captioner.caption(content, image=sample.video, votes=shares, graded=bool(sample.votes))
