"""MovieGraphs (Vicol, Tapaswi, Castrejón, Fidler, CVPR 2018): clips of 51 films, annotated with graphs; 26 categories.

```
ROOT/mg/split.json                                      the films of train, val and test
ROOT/mg/py3loader/2017-11-02-51-7637_py3.pkl            the graphs (moviegraphs_pickle.py)
ROOT/mg_videoinfo/scene_boundaries/<id>.scenes.gt       which scenes are credits (moviegraphs_annotations.py)
ROOT/mg_videoinfo/video_boundaries/<id>.videvents, .matidx    when shots end
ROOT/videos/…<id>….mkv, offsets.yaml                    the user's own films (moviegraphs_films.py)
```
A sample is a clip: the shots its graph names. Its labels are the categories of the emotion words anywhere in the graph,
by Affect2MM's table (moviegraphs_words.yaml, transcribed from code its authors released and NOT compared with the one
printed in the paper). The layout is known from the release's own loader and from the loaders of EmotionCLIP, EmoTx and
LIReC; this file has not been tried on the release itself.
"""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from mien.eval.benchmarks.base import Benchmark
from mien.eval.benchmarks.moviegraphs_annotations import (
    SCENES,
    SHOTS,
    SPLIT_FILE,
    SPLITS,
    Scene,
    category_of_words,
    read_scenes,
    read_shot_ends,
    read_split,
    read_table,
)
from mien.eval.benchmarks.moviegraphs_cache import read_clips
from mien.eval.benchmarks.moviegraphs_fake import write_fake_moviegraphs
from mien.eval.benchmarks.moviegraphs_films import Film, find_films, other_duration
from mien.eval.benchmarks.moviegraphs_pickle import AnnotatedClip
from mien.eval.benchmarks.release import Note, Release, Sample
from mien.eval.protocol import ClassNames
from mien.types import Labels, MienError, Skipped

PICKLE = "mg/py3loader/2017-11-02-51-7637_py3.pkl"
CLASSES = tuple(read_table())
CLASS_OF = {word: CLASSES.index(category) for word, category in category_of_words().items()}


def read_moviegraphs(root: Path, split: str) -> Release:
    """The clips of a split's films that have at least one of the 26 categories, film by film in the pickle's order.

    Skipped are clips without emotions, or only with words that are not in the table; credits; and what lies outside
    the shots or the user's copy of the film. Noted are words that are not in the table, and copies of other durations.
    """
    _require_release(root)
    splits = read_split(root)
    if split not in splits:
        raise MienError(f"MovieGraphs has no split {split!r}; it has {', '.join(SPLITS)}")
    films = splits[split]
    copies = find_films(root, films, known=[film for each in splits.values() for film in each])
    clips_of = defaultdict[str, list[AnnotatedClip]](list)
    for clip in read_clips(root / PICKLE):
        clips_of[clip.film].append(clip)
    samples, skipped, notes = list[Sample](), list[Skipped](), list[Note]()
    for film in films:
        if film not in clips_of:
            skipped.append(Skipped(what=film, reason=f"the film is in {SPLIT_FILE}, but has no graphs in {PICKLE}"))
            continue
        shot_ends_s, scenes = read_shot_ends(root, film), read_scenes(root, film)
        if (odd := other_duration(film, copies[film], annotated_s=shot_ends_s[-1])) is not None:
            warnings.warn(odd, stacklevel=2)  # evaluation, which shows no notes, may come out wrong for it
            notes.append(Note(what=film, reason=odd))
        for clip in clips_of[film]:
            try:
                samples.append(_sample(clip, copy=copies[film], shot_ends_s=shot_ends_s, scenes=scenes))
            except MienError as error:
                skipped.append(Skipped(what=_id(clip), reason=str(error)))
    unmapped = Counter(w for film in films for clip in clips_of[film] for w in clip.words if w.lower() not in CLASS_OF)
    notes += [
        Note(what=f"emotion {word!r}", reason=f"the table has no category for it; {count} clips have it")
        for word, count in unmapped.most_common()
    ]
    return Release(samples=tuple(samples), skipped=tuple(skipped), notes=tuple(notes))


def _id(clip: AnnotatedClip) -> str:
    return f"{clip.film}#{clip.clip}"


def _sample(clip: AnnotatedClip, *, copy: Film, shot_ends_s: Sequence[float], scenes: Sequence[Scene]) -> Sample:
    """Raises MienError with the reason where the clip cannot be used."""
    if not 0 < clip.start_shot <= clip.end_shot:
        raise MienError("its graph does not say which shots it has")
    if clip.end_shot > len(shot_ends_s):
        raise MienError(f"it ends with shot {clip.end_shot}, and {SHOTS} knows of {len(shot_ends_s)}")
    touched = [s for s in scenes if s.start_shot <= clip.end_shot and clip.start_shot <= s.end_shot]
    if touched and not any(scene.is_useful for scene in touched):
        raise MienError(f"{SCENES} marks it as not useful: credits, say")
    if not clip.words:
        raise MienError("no emotion is annotated")
    present = {CLASS_OF[word.lower()] for word in clip.words if word.lower() in CLASS_OF}
    if not present:
        raise MienError("the table has a category for none of its emotions")
    start_s, end_s = _stretch(clip, copy=copy, shot_ends_s=shot_ends_s)
    return Sample(
        id=_id(clip),
        file=copy.file,
        labels=Labels(scores=tuple(float(index in present) for index in range(len(CLASSES)))),
        start_s=start_s,
        end_s=end_s,
        group=clip.film,
    )


def _stretch(clip: AnnotatedClip, *, copy: Film, shot_ends_s: Sequence[float]) -> tuple[float, float]:
    """Its seconds in the user's copy, cut where the copy begins or ends in the middle of it."""
    start_s = (shot_ends_s[clip.start_shot - 2] if clip.start_shot > 1 else 0.0) + copy.offset_s
    end_s = shot_ends_s[clip.end_shot - 1] + copy.offset_s
    if end_s <= 0:
        raise MienError(f"it ends at {end_s:.1f} s, before the copy of the film begins")
    if copy.duration_s is not None and start_s >= copy.duration_s:
        raise MienError(f"it begins at {start_s:.1f} s, and the copy of the film ends at {copy.duration_s:.1f} s")
    return max(start_s, 0.0), end_s if copy.duration_s is None else min(end_s, copy.duration_s)


def _require_release(root: Path) -> None:
    lacking = [name for name in (SPLIT_FILE, PICKLE, SCENES, SHOTS) if not (root / name).exists()]
    if not lacking:
        return
    inside = next(
        (p.parents[1] for p in (root / "official" / SPLIT_FILE, root.parent / SPLIT_FILE) if p.is_file()), None
    )
    if inside is not None:
        raise MienError(f"{root} is not the root of MovieGraphs, {inside} is: name that")
    if len(lacking) == 4:
        raise MienError(f"{root} is not MovieGraphs: there is none of {', '.join(lacking)}; name the folder of mg")
    raise MienError(f"{root} is only part of MovieGraphs: {', '.join(lacking)} is missing; unpack mg and mg_videoinfo")


MOVIEGRAPHS = Benchmark(
    name="moviegraphs",
    title="MovieGraphs",
    classes=ClassNames(scores=CLASSES),
    splits=SPLITS,
    read=read_moviegraphs,
    fake=write_fake_moviegraphs,
    group_name="film",
    licence="research only, by request; the films are bought",
    how_to_get=(
        "request mg and mg_videoinfo at moviegraphs.cs.toronto.edu, and put copies of the 51 films, their IMDb ids in "
        "their names, into ROOT/videos"
    ),
    notes=(
        "Published accuracies are `top1_hit`. Clips without a category are left out; whether the published numbers "
        "count them as misses is not known. The table of words is transcribed from code that Affect2MM's authors "
        "released and has not been compared with the printed one; `angry` and `annoyed` were added to it. A clip's "
        "times are the annotated copy's, shifted by offsets.yaml: of other cuts of a film they are wrong."
    ),
)
