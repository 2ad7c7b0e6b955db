"""Sets whose files' names say who shows what: JAFFE, RAVDESS, CREMA-D, eNTERFACE'05; people acting, in five folds.

| set | a file | read |
|---|---|---|
| JAFFE | `KA.AN1.39.tiff` | person KA, anger |
| RAVDESS | `Actor_12/01-01-06-01-02-01-12.mp4` | sound and picture, speech, fearful, …, actor 12 |
| CREMA-D | `VideoFlash/1001_DFA_ANG_XX.flv` | actor 1001, sentence, anger, intensity |
| eNTERFACE'05 | `subject 1/anger/sentence 1/s1_an_1.avi` | person 1, anger |

Files are found by name at any depth. Names are those of the sets' own documentation; no copy was at hand. RAVDESS has
60 takes of speech of each of 24 actors (zenodo.org/records/1188976), CREMA-D 7,442 of 91
(cheyneycomputerscience.github.io/CREMA-D), eNTERFACE'05 has 42 people (enterface.net/enterface05/emotion.html). The
labels are what people were asked to act. None of the sets has splits: folds by person are this project's (folds.py).

eNTERFACE'05 is read by its folders, since 23 of its files are named wrongly (`s16_su_3avi.avi`, `s_3_ha_1.avi`) and all
of subject 11's as subject 12's. Subject 6 is left out: these are six whole sessions, in no folder of a sentence. The
other 43 have 30 videos each, subject 23 has 27: 1,287 (as a public inspection found; its page tells 42 people).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from mien.eval.benchmarks.base import Benchmark
from mien.eval.benchmarks.fake_pictures import write_face
from mien.eval.benchmarks.folds import FOLD_SPLITS, counts_of_folds, subjects_of
from mien.eval.benchmarks.release import Release, Sample, whole_pictures
from mien.eval.protocol import ClassNames
from mien.media.video import IMAGE_SUFFIXES
from mien.theatre.drawn import write_drawn_video
from mien.types import Labels, MienError, Skipped


@dataclass(frozen=True, kw_only=True, slots=True)
class CodedFiles:
    """How one set names its files.

    `name` is a pattern of the file's name, after those of folders that matter, with the groups `subject` and `code`;
    `codes` are the codes' classes. Files whose name matches `other` are other parts of the set: no samples, nor listed,
    since they would count among those that a split should have. `fake` is a file's path, with the two in braces.
    """

    title: str
    name: str
    codes: Mapping[str, str]
    fake: str
    subjects: tuple[str, ...]
    """Some of the people, for the fake."""
    other: str = ""

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.codes.values())


def read_coded(files: CodedFiles, root: Path, split: str) -> Release:
    """The split's files, in order of path; what has the suffix of the set's files and another name is skipped."""
    matched, skipped = list[tuple[Path, re.Match[str]]](), list[Skipped]()
    suffix = Path(files.fake).suffix
    for path in sorted(path for path in root.rglob("*") if path.is_file() and not path.name.startswith(".")):
        what = path.relative_to(root).as_posix()
        found = re.fullmatch(rf"(?:.*/)?(?P<whole>{files.name})", what)
        if found:
            matched.append((path, found))
        elif path.suffix.lower() == suffix and not re.fullmatch(files.other, path.name):
            skipped.append(Skipped(what=what, reason=f"its name is not like {_example(files)}"))
    if not matched:
        raise MienError(f"{root} has no file named like {_example(files)} in it; name the root of {files.title}")
    chosen = subjects_of(split, [found["subject"] for _, found in matched], title=f"{files.title} in {root}")
    found_samples = [
        Sample(
            id=PurePosixPath(found["whole"]).with_suffix("").as_posix(),
            file=path.relative_to(root).as_posix(),
            labels=Labels(category=files.classes.index(files.codes[found["code"]])),
            group=found["subject"],
        )
        for path, found in matched
        if found["subject"] in chosen
    ]
    samples, twice = _once(found_samples)
    return Release(
        samples=tuple(samples), skipped=(*skipped, *twice), boxes=whole_pictures(filter(_is_portrait, samples))
    )


def _once(samples: list[Sample]) -> tuple[list[Sample], list[Skipped]]:
    """The first sample of each id, and the others; a set that was unpacked twice has some."""
    first = dict[str, Sample]()
    for sample in samples:
        first.setdefault(sample.id, sample)
    others = (sample for sample in samples if first[sample.id] is not sample)
    return list(first.values()), [Skipped(what=s.file, reason=f"the same as {first[s.id].file}") for s in others]


def _is_portrait(sample: Sample) -> bool:
    """Portraits show nobody else; in videos people are looked for."""
    return Path(sample.file).suffix.lower() in IMAGE_SUFFIXES


def _example(files: CodedFiles) -> str:
    parts = files.fake.format(subject=files.subjects[0], code=next(iter(files.codes))).split("/")
    return "/".join(parts[-1 - files.name.count("/") :])


def fake_coded(files: CodedFiles, root: Path) -> None:
    """Five people, each emotion in turn; a file with a name that says nothing."""
    for number, subject in enumerate(files.subjects):
        for index, code in enumerate(files.codes):
            path = root / files.fake.format(subject=subject, code=code)
            if path.suffix in IMAGE_SUFFIXES:
                write_face(path, seed=10 * number + index, side=64)
            elif (number + index) % 4 == 0 or number == 0:
                write_drawn_video(path, seed=10 * number + index, num_frames=8, width=64, height=64)
    (root / f"unnamed{path.suffix}").write_bytes(b"")


def coded_benchmark(
    name: str, files: CodedFiles, *, licence: str, how_to_get: str, expected: Mapping[str, int] | None = None
) -> Benchmark:
    """The benchmark of a set whose file names say all."""
    return Benchmark(
        name=name,
        title=files.title,
        classes=ClassNames(category=files.classes),
        splits=FOLD_SPLITS,
        read=partial(read_coded, files),
        licence=licence,
        how_to_get=how_to_get,
        expected=expected or {},
        fake=partial(fake_coded, files),
        group_name="person",
        notes="acted, not felt; the folds are this project's: every fifth person of the sorted list is tested",
        protocols="five_folds",
    )


JAFFE = coded_benchmark(
    "jaffe",
    CodedFiles(
        title="JAFFE",
        name=r"(?P<subject>[A-Z]{2})\.(?P<code>AN|DI|FE|HA|NE|SA|SU)\d\.\d+\.tiff?",
        codes={
            "AN": "anger", "DI": "disgust", "FE": "fear", "HA": "happiness",
            "NE": "neutral", "SA": "sadness", "SU": "surprise",
        },
        fake="jaffe/{subject}.{code}1.39.tiff",
        subjects=("KA", "KL", "KM", "KR", "MK"),
    ),
    licence="non-commercial research",
    how_to_get="https://zenodo.org/records/3451524 (on request): 213 pictures of ten people",
)  # fmt: skip
RAVDESS = coded_benchmark(
    "ravdess",
    CodedFiles(
        title="RAVDESS (speech)",
        name=r"01-01-(?P<code>0[1-8])-\d\d-\d\d-\d\d-(?P<subject>\d\d)\.mp4",
        codes={
            "01": "neutral", "02": "calm", "03": "happy", "04": "sad",
            "05": "angry", "06": "fearful", "07": "disgust", "08": "surprised",
        },
        fake="Actor_{subject}/01-01-{code}-01-01-01-{subject}.mp4",
        subjects=("01", "02", "03", "04", "05"),
        other=r"0[1-3](-\d\d){6}\.mp4",  # songs, and the same takes without sound
    ),
    licence="CC BY-NC-SA 4.0",
    how_to_get="https://zenodo.org/records/1188976: Video_Speech_Actor_01.zip to _24.zip, 1,440 videos with sound",
    expected=counts_of_folds((300, 300, 300, 300, 240)),
)  # fmt: skip
CREMA_D = coded_benchmark(
    "crema_d",
    CodedFiles(
        title="CREMA-D",
        name=r"(?P<subject>\d{4})_[A-Z]{3}_(?P<code>ANG|DIS|FEA|HAP|NEU|SAD)_(LO|MD|HI|XX?)\.(flv|mp4)",
        codes={
            "ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happiness", "NEU": "neutral", "SAD": "sadness",
        },
        fake="VideoFlash/{subject}_DFA_{code}_XX.flv",
        subjects=("1001", "1002", "1003", "1004", "1005"),
    ),
    licence="Open Database License",
    how_to_get="https://github.com/CheyneyComputerScience/CREMA-D (with git lfs); 7,442 videos in VideoFlash",
)  # fmt: skip
ENTERFACE_CLASSES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
ENTERFACE05 = coded_benchmark(
    "enterface05",
    CodedFiles(
        title="eNTERFACE'05",
        name=rf"subject (?P<subject>\d+)/(?P<code>{'|'.join(ENTERFACE_CLASSES)})/sentence \d+/[^/]+\.avi",
        codes={name: name for name in ENTERFACE_CLASSES},
        fake="subject {subject}/{code}/sentence 1/s{subject}_{code:.2}_1.avi",  # anger → an
        subjects=("1", "2", "3", "4", "5"),
        other=r"s6_\w+\.avi",
    ),
    licence="research only",
    how_to_get="https://enterface.net/enterface05/emotion.html; project2_database.zip unpacked",
    expected=counts_of_folds((267, 270, 270, 240, 240)),  # nine people, eight in the last two; subject 23 in the first
)
