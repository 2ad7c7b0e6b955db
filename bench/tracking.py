"""Tracking quality in the theatre, where who is where is known: IDF1, MOTA, identity switches and more, as JSON lines.

    python bench/tracking.py --videos 10

Persons are detected once in every frame. Each tracker is then shown every frame of a shot, every fourth, every eighth,
and the key frames that `detect_boxes` would choose ("key frames"), and its tracks are carried to the frames between in
the same way. `ours` is mien's, `greedy` the tracker it took the place of (greatest overlap first, clear boxes only,
frames to bridge: the stride, at least 4). `--bytetrack` adds that of the package trackers (2.6.1, Apache-2.0), which
must lie in the same environment; `--check` compares every score with those of motmetrics (1.4.0), likewise.

Three kinds of detections: `detector`, the embedded one's; `lenient`, the same with a threshold of 0.15 (it was not
trained on drawn people, and finds few of them clearly); `disturbed`, the truth with boxes shaken by 3 % of their size,
7 % of them missing at random and more for 2 to 8 frames on end, 15 % faint, and false ones: what is left when detection
is not the trouble.

Truth: the theatre's `.boxes.csv`. Tracks end at cuts by design, so a person counts as another one after each true cut
(known from the play, not found in the pictures); a cut missed or invented costs what it should. A found box is right
where its IoU with a person's is 0.5 or more. IDF1, IDP, IDR (Ristani et al., 2016): right boxes under the one-to-one
assignment of tracks to persons with the most of them. MOTA, switches, fragments: Bernardin and Stiefelhagen, 2008.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from mien.media.frames import FrameReader
from mien.perception.detector import build_detector
from mien.perception.keyframes import find_key_frames
from mien.perception.shots import Overview
from mien.perception.tracking import MIN_IOU, KeyFrame, Track, find_tracks, iou, table_of
from mien.prepare.boxes import LONGEST_MISS_S, BoxSettings, annotated_boxes
from mien.prepare.frames import FrameSettings, make_frames
from mien.prepare.looking import see_from_afar
from mien.theatre import TheatreSettings, write_theatre
from mien.theatre.play import write_play
from mien.theatre.script import open_script
from mien.types import BoxTable, Detections

RIGHT_IOU = 0.5
STRIDES: tuple[int | None, ...] = (1, 4, 8, None)  # None: the key frames of detect_boxes
LENIENT = 0.15

Tracker = Callable[[Sequence[KeyFrame], float, int], list[Track]]
"""Of a shot's key frames, the least score of a clear box, and the frames that a gap may last."""


@dataclass(frozen=True, kw_only=True)
class Filmed:
    """One video: what was seen in each frame, what it looks like from afar, the truth."""

    seen: list[Detections]
    view: Overview
    truth: BoxTable
    fps: float
    min_score: float

    def key_frames(self, stride: int | None) -> list[list[KeyFrame]]:
        if stride is None:
            how = {"sketches": self.view.sketches, "every": BoxSettings().every, "min_score": self.min_score}
            return [list(find_key_frames(shot, self.seen.__getitem__, **how)) for shot in self.view.shots]
        shots = [sorted({*shot[::stride], shot[-1]}) for shot in self.view.shots]
        return [[KeyFrame(frame=i, found=self.seen[i]) for i in shot] for shot in shots]

    def follow(self, tracker: Tracker, stride: int | None) -> BoxTable:
        shots = self.key_frames(stride)
        tracks = [tracker(keys, self.min_score, round(LONGEST_MISS_S * self.fps)) for keys in shots]
        return table_of(shots, tracks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--bytetrack", action="store_true", help="add ByteTrack of the package trackers")
    parser.add_argument("--check", action="store_true", help="compare the scores with motmetrics'")
    args = parser.parse_args()
    settings = TheatreSettings(seed=args.seed, num_train=args.videos, num_test=0)
    with tempfile.TemporaryDirectory() as folder:
        write_theatre(Path(folder), settings=settings, workers=1)
        videos = [film(Path(folder), settings, number, threads=args.threads) for number in range(args.videos)]
    print(json.dumps({"shots": cuts(videos)}))
    rng = np.random.default_rng(args.seed)
    kinds = {
        "detector": videos,
        "lenient": [replace(video, min_score=LENIENT) for video in videos],
        "disturbed": [replace(video, seen=disturbed(video, rng)) for video in videos],
    }
    trackers: dict[str, Tracker] = {"ours": ours, "greedy": greedy} | (
        {"ByteTrack": bytetrack} if args.bytetrack else {}
    )
    for kind, filmed in kinds.items():
        for stride in STRIDES:
            for name, tracker in trackers.items():
                pairs = [(video.truth, video.follow(tracker, stride)) for video in filmed]
                row = scores([count(*pair) for pair in pairs])
                every = "key frames" if stride is None else stride
                print(json.dumps({"boxes": kind, "every": every, "tracker": name, **row}), flush=True)
                if args.check:
                    check(pairs, row)


def film(folder: Path, settings: TheatreSettings, number: int, *, threads: int) -> Filmed:
    """Make the frames of one video of the theatre, and detect persons in all of them."""
    video = folder / "train" / f"{number:04d}.mp4"
    make_frames(video, video.with_suffix(".arrow"), settings=FrameSettings(), made_with={}, threads=threads)
    reader = FrameReader(video.with_suffix(".arrow"))
    detector = build_detector("centernet", threads=threads)
    truth = annotated_boxes(reader, video.with_suffix(".boxes.csv"))
    return Filmed(
        seen=[detector.detect(reader.decode(i)[None])[0] for i in range(len(reader))],
        view=see_from_afar(reader),
        truth=replace(truth, track=person_and_shot(truth, true_cuts_s(settings, number), fps=reader.info.fps)),
        fps=reader.info.fps,
        min_score=detector.threshold,
    )


def true_cuts_s(settings: TheatreSettings, number: int) -> list[float]:
    script = open_script(settings.utterances, "train", wordings=settings.wordings)
    beats = write_play(settings, "train", number, script=script, pictures=None)
    return [beat.start_s for before, beat in pairwise(beats) if beat.shot is not before.shot]


def person_and_shot(truth: BoxTable, cuts_s: Sequence[float], *, fps: float) -> np.ndarray:
    """Numbers of persons, other ones after each cut."""
    shot = np.searchsorted(np.array(cuts_s), truth.frame / fps + 1e-6, side="right")
    return (shot * (truth.track.max() + 1) + truth.track).astype(np.int32)


def cuts(videos: Sequence[Filmed]) -> dict[str, int]:
    """How many true cuts were found, and how many found are none. (A person's number changes at cuts alone.)"""
    counts: Counter[str] = Counter()
    for video in videos:
        ids = [frozenset(video.truth.track[video.truth.frame == i].tolist()) for i in range(len(video.seen))]
        true = {i for i in range(1, len(ids)) if ids[i] and ids[i - 1] and not ids[i] & ids[i - 1]}
        found = {shot.start for shot in video.view.shots[1:]}
        counts += Counter({"true": len(true), "found": len(true & found), "false": len(found - true)})
    return dict(counts)


def disturbed(video: Filmed, rng: np.random.Generator) -> list[Detections]:
    """The truth, badly seen."""
    hidden_until: dict[int, int] = {}
    seen = []
    for frame in range(len(video.seen)):
        boxes = []
        for row in np.flatnonzero(video.truth.frame == frame):
            person = int(video.truth.track[row])
            if rng.random() < 0.015:
                hidden_until[person] = frame + int(rng.integers(2, 9))
            if frame >= hidden_until.get(person, 0) and rng.random() >= 0.07:
                x0, y0, x1, y1 = video.truth.xyxy[row]
                shake = rng.normal(0, 0.03, 4) * [x1 - x0, y1 - y0, x1 - x0, y1 - y0]
                boxes.append([*(video.truth.xyxy[row] + shake), 0.2 if rng.random() < 0.15 else rng.uniform(0.4, 0.9)])
        if rng.random() < 0.08:
            x, y, width, height = rng.uniform((0, 0, 30, 40), (220, 150, 100, 100))
            boxes.append([x, y, x + width, y + height, rng.uniform(0.1, 0.5)])
        found = np.array(sorted(boxes, key=lambda box: -box[4]), np.float32).reshape(-1, 5)
        seen.append(Detections(xyxy=found[:, :4], score=found[:, 4]))
    return seen


def ours(keys: Sequence[KeyFrame], min_score: float, max_gap: int) -> list[Track]:
    return find_tracks(keys, max_gap=max_gap, min_score=min_score)


def greedy(keys: Sequence[KeyFrame], min_score: float, max_gap: int) -> list[Track]:
    """The tracker that ours took the place of."""
    steps = [after.frame - before.frame for before, after in pairwise(keys)]
    longest = max([4, *steps])
    tracks: list[Track] = []
    for number, key in enumerate(keys):
        open_tracks = [t for t in tracks if key.frame - keys[t.keys[-1]].frame <= longest]
        clear = np.flatnonzero(key.found.score >= min_score)
        before = [keys[t.keys[-1]].found.xyxy[t.boxes[-1]] for t in open_tracks]
        overlap = iou(key.found.xyxy[clear], np.stack(before)) if before else np.zeros((len(clear), 0))
        owners: dict[int, Track] = {}
        for flat in np.argsort(-overlap, axis=None, kind="stable"):
            i, j = divmod(int(flat), len(open_tracks))
            if overlap[i, j] >= MIN_IOU and i not in owners and open_tracks[j] not in owners.values():
                owners[i] = open_tracks[j]
        for i, row in enumerate(clear):
            if i not in owners:
                tracks.append(owners.setdefault(i, Track()))
            owners[i].keys.append(number)
            owners[i].boxes.append(int(row))
    return tracks


def bytetrack(keys: Sequence[KeyFrame], min_score: float, max_gap: int) -> list[Track]:
    """ByteTrack of the package trackers, told the usual time between key frames."""
    from supervision import Detections as TheirDetections
    from trackers import ByteTrackTracker

    fps = 8 / float(np.median(np.diff([key.frame for key in keys]))) if len(keys) > 1 else 8.0
    tracker = ByteTrackTracker(
        lost_track_buffer=round(30 * max_gap / 8),  # in frames of 30 a second, whatever frame_rate is
        frame_rate=fps,
        track_activation_threshold=min_score,
        high_conf_det_threshold=min_score,
        minimum_consecutive_frames=1,
        minimum_iou_threshold=MIN_IOU,
    )
    tracks: dict[int, Track] = {}
    for number, key in enumerate(keys):
        rows = np.arange(len(key.found.score))
        given = TheirDetections(xyxy=key.found.xyxy.astype(float), confidence=key.found.score, class_id=rows)
        told = tracker.update(given)
        for row, name in zip(told.class_id, told.tracker_id, strict=True):
            if name >= 0:
                track = tracks.setdefault(int(name), Track())
                track.keys.append(number)
                track.boxes.append(int(row))
    return list(tracks.values())


def count(truth: BoxTable, found: BoxTable) -> Counter[str]:
    """What the scores of one video are made of; sums over videos are those of all."""
    counts = Counter({"persons": len(truth), "boxes": len(found), "right_ids": right_ids(truth, found)})
    last: dict[int, int] = {}  # by person, the track it was last found as
    state: dict[int, bool] = {}  # by person, whether it was found when last there
    for frame in np.union1d(truth.frame, found.frame):
        here, there = np.flatnonzero(truth.frame == frame), np.flatnonzero(found.frame == frame)
        pairs = matches(truth.track[here], found.track[there], iou(truth.xyxy[here], found.xyxy[there]), last)
        counts["right"] += len(pairs)
        counts["switches"] += sum(last.get(person, track) != track for person, track in pairs.items())
        counts["fragments"] += sum(person in last and not state[person] for person in pairs)
        last |= pairs
        state |= {int(person): int(person) in pairs for person in truth.track[here]}
    return counts


def right_ids(truth: BoxTable, found: BoxTable) -> int:
    """Right boxes under the one-to-one assignment of tracks to persons that has the most."""
    persons, tracks = np.unique(truth.track), np.unique(found.track)
    together = np.zeros((len(persons), len(tracks)))
    for frame in np.intersect1d(truth.frame, found.frame):
        here, there = np.flatnonzero(truth.frame == frame), np.flatnonzero(found.frame == frame)
        a, b = np.nonzero(iou(truth.xyxy[here], found.xyxy[there]) >= RIGHT_IOU)
        together[np.searchsorted(persons, truth.track[here[a]]), np.searchsorted(tracks, found.track[there[b]])] += 1
    return int(together[linear_sum_assignment(-together)].sum())


def matches(persons: np.ndarray, tracks: np.ndarray, overlap: np.ndarray, last: dict[int, int]) -> dict[int, int]:
    """By person, the track that is right in one frame: the one it had before if it still is, then the best overlaps."""
    gain = np.where(overlap >= RIGHT_IOU, overlap, 0.0)
    as_before = np.array([[last.get(int(person)) == int(track) for track in tracks] for person in persons], np.bool_)
    gain = np.where(as_before.reshape(gain.shape) & (gain > 0), 1000.0, gain)
    return {int(persons[i]): int(tracks[j]) for i, j in zip(*linear_sum_assignment(-gain), strict=True) if gain[i, j]}


def scores(videos: Sequence[Counter[str]]) -> dict[str, float]:
    """IDF1 and the rest, in per cent where they are shares."""
    total: Counter[str] = sum(videos, Counter())
    persons, boxes, right, ids = (total[key] for key in ("persons", "boxes", "right", "right_ids"))
    errors = persons - right + boxes - right + total["switches"]
    return {
        "IDF1": round(200 * ids / (persons + boxes), 1),
        "IDP": round(100 * ids / boxes, 1),
        "IDR": round(100 * ids / persons, 1),
        "MOTA": round(100 * (1 - errors / persons), 1),
        "recall": round(100 * right / persons, 1),
        "precision": round(100 * right / boxes, 1),
        "switches": total["switches"],
        "fragments": total["fragments"],
    }


def check(pairs: Sequence[tuple[BoxTable, BoxTable]], row: dict[str, float]) -> None:
    """Raise AssertionError unless motmetrics has the same scores."""
    import motmetrics

    filled = []
    for truth, found in pairs:
        table = motmetrics.MOTAccumulator(auto_id=True)
        for frame in np.union1d(truth.frame, found.frame):
            here, there = truth.frame == frame, found.frame == frame
            distance = 1 - iou(truth.xyxy[here], found.xyxy[there]).astype(float)
            table.update(truth.track[here], found.track[there], np.where(distance <= 1 - RIGHT_IOU, distance, np.nan))
        filled.append(table)
    names = {"idf1": "IDF1", "idp": "IDP", "idr": "IDR", "mota": "MOTA", "recall": "recall", "precision": "precision",
             "num_switches": "switches", "num_fragmentations": "fragments"}  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandas
        summary = motmetrics.metrics.create().compute_many(filled, metrics=list(names), generate_overall=True)
    for theirs, name in names.items():
        value = float(summary.loc["OVERALL", theirs]) * (1 if theirs.startswith("num") else 100)
        assert abs(value - row[name]) <= 0.051, f"{name}: {row[name]} here, {value} by motmetrics"


if __name__ == "__main__":
    main()
