"""How often the likely speaker is the speaker, in the theatre, where the truth is known; as JSON.

    python bench/speaking.py --videos 12 --detected 4 [--split test] [--faces FOLDER] [--seed 1]

For persons by their true boxes and, in the first videos, by detected ones, and for mouths by drawn faces as CenterFace
finds them at its own threshold, at 0.1, and by heads alone. An utterance counts where the speaker is visible; it is
covered where somebody is said to speak. Split by how many persons are visible. Beside it: one of the visible persons at
random, and the largest.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mien.data.clips import largest_track
from mien.media.frames import FrameReader
from mien.perception.detector import Detector, build_detector
from mien.perception.speaking import MouthMotion, find_speakers, frames_to_watch, watch_mouths
from mien.perception.tracking import iou
from mien.prepare.boxes import BoxSettings, annotated_boxes, detect_boxes
from mien.prepare.faces import FaceSettings, detect_faces
from mien.prepare.frames import FrameSettings, make_frames
from mien.theatre import TheatreSettings, write_theatre
from mien.types import BoxTable, Detections, FaceTable, Sentence

FACE_SCORES = {"faces": 0.5, "faint faces": 0.1, "heads": 1.0}  # nothing scores 1


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """One utterance judged: how many persons are visible, and who was right."""

    num_visible: int
    is_covered: bool
    is_right: bool
    confidence: float
    largest_is_right: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=12)
    parser.add_argument("--detected", type=int, default=4, help="videos in which persons are detected, too")
    parser.add_argument("--split", choices=("train", "test"), default="test")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faces", type=Path, help="folder in FER+ layout: real faces instead of drawn ones")
    args = parser.parse_args()
    judged: dict[str, list[Utterance]] = defaultdict(list)
    found: dict[str, list[float]] = defaultdict(list)
    said = {"true boxes": 0, "detected boxes": 0}
    with tempfile.TemporaryDirectory() as folder:
        counts = {"num_train": 0, "num_test": 0, f"num_{args.split}": args.videos}
        write_theatre(Path(folder), settings=TheatreSettings(seed=args.seed, faces=args.faces, **counts))
        for number, video in enumerate(sorted(Path(folder, args.split).glob("*.mp4"))):
            detects = number < args.detected
            num_said = judge_video(video, judged, found, detects=detects)
            said["true boxes"] += num_said
            said["detected boxes"] += num_said * detects
    report = {way: summary(utterances) for way, utterances in judged.items()}
    rates = {name: round(float(np.mean(shares)), 3) for name, shares in found.items()}
    print(json.dumps({"utterances said": said, "share of persons whose face is found": rates, **report}, indent=1))


def judge_video(
    video: Path, judged: dict[str, list[Utterance]], found: dict[str, list[float]], *, detects: bool
) -> int:
    make_frames(video, video.with_suffix(".arrow"), settings=FrameSettings(), made_with={})
    reader = FrameReader(video.with_suffix(".arrow"))
    true_boxes = annotated_boxes(reader, video.with_suffix(".boxes.csv"))
    truth = json.loads(video.with_suffix(".truth.json").read_text(encoding="utf-8"))["utterances"]
    sentences = [Sentence(start_s=u["start_s"], end_s=u["end_s"], text=u["text"]) for u in truth]
    speakers = [u["speaker"] for u in truth]
    tables = {"true boxes": true_boxes}
    if detects:
        tables["detected boxes"] = detect_boxes(reader, build_detector("centernet"), settings=BoxSettings())
    face_detector = Remembering(build_detector("centerface"))
    for name, boxes in tables.items():
        wanted = frames_to_watch(boxes, sentences, fps=reader.info.fps)
        for way, min_score in FACE_SCORES.items():
            settings = FaceSettings(source="detector", min_score=min_score)
            faces = detect_faces(reader, face_detector, boxes, settings=settings)
            found[f"{name}, {way}"].append(float((faces.track >= 0).sum() / max(1, len(boxes))))
            motion = watch(reader, boxes, faces, wanted)
            judged[f"{name}, {way}"] += judge(sentences, speakers, boxes, motion, true_boxes, fps=reader.info.fps)
    return len(sentences)


class Remembering:
    """A detector that looks at each picture once."""

    def __init__(self, detector: Detector) -> None:
        self.id, self.finds, self.threshold = detector.id, detector.finds, detector.threshold
        self._detector = detector
        self._found: dict[bytes, list[Detections]] = {}

    def detect(self, frames: np.ndarray) -> list[Detections]:
        key = frames.tobytes()
        if key not in self._found:
            self._found[key] = self._detector.detect(frames)
        return self._found[key]


def watch(reader: FrameReader, boxes: BoxTable, faces: FaceTable, wanted: np.ndarray) -> MouthMotion:
    return watch_mouths(boxes, faces, reader.decode, wanted, scale=reader.info.stored_per_source)


def judge(
    sentences: list[Sentence],
    speakers: list[int],
    boxes: BoxTable,
    motion: MouthMotion,
    true_boxes: BoxTable,
    *,
    fps: float,
) -> list[Utterance]:
    """What was said of each utterance whose speaker is in the table."""
    judged = []
    for sentence, true_speaker in zip(sentences, speakers, strict=True):
        for stretch in find_speakers(boxes, motion, sentence, fps=fps):
            start, end = stretch.start_frame, stretch.end_frame
            tracks = np.unique(boxes.track[in_frames(boxes, start, end)]).tolist()
            who = {track: true_track(boxes, track, start, end, true_boxes) for track in tracks}
            if true_speaker not in who.values():
                continue
            largest = largest_track(boxes, start, end, min_score=0.0)
            judged.append(
                Utterance(
                    num_visible=stretch.num_visible,
                    is_covered=stretch.track >= 0,
                    is_right=who.get(stretch.track) == true_speaker,
                    confidence=stretch.confidence,
                    largest_is_right=who[largest] == true_speaker,
                )
            )
    return judged


def true_track(boxes: BoxTable, track: int, start: int, end: int, true_boxes: BoxTable) -> int:
    """Whom a track shows in these frames: the person whose true boxes overlap its own most in all."""
    total: dict[int, float] = defaultdict(float)
    for row in np.flatnonzero((boxes.track == track) & in_frames(boxes, start, end)):
        others = np.flatnonzero(true_boxes.frame == boxes.frame[row])
        for other, overlap in zip(others, iou(boxes.xyxy[row : row + 1], true_boxes.xyxy[others])[0], strict=True):
            total[int(true_boxes.track[other])] += float(overlap)
    return max(total, key=lambda t: total[t]) if total and max(total.values()) > 0 else -1


def in_frames(boxes: BoxTable, start: int, end: int) -> np.ndarray:
    return (boxes.frame >= start) & (boxes.frame < end)


def summary(utterances: list[Utterance]) -> dict[str, dict[str, float]]:
    """Accuracy among the covered, coverage, and the baselines, by how many are visible."""
    groups = {"all": utterances} | {
        f"{n} visible": [u for u in utterances if u.num_visible == n]
        for n in sorted({u.num_visible for u in utterances})
    }
    groups["several visible"] = [u for u in utterances if u.num_visible > 1]
    return {name: _row(group) for name, group in groups.items() if group}


def _row(group: list[Utterance]) -> dict[str, float]:
    covered = [u for u in group if u.is_covered]
    return {
        "utterances": len(group),
        "coverage": round(len(covered) / len(group), 3),
        "accuracy": round(float(np.mean([u.is_right for u in covered])) if covered else float("nan"), 3),
        "chance": round(float(np.mean([1 / u.num_visible for u in group])), 3),
        "largest": round(float(np.mean([u.largest_is_right for u in group])), 3),
    }


if __name__ == "__main__":
    main()
