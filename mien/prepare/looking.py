"""Looking at a video's stored pictures with a detector, in key frames, shot by shot."""

from __future__ import annotations

from collections.abc import Callable

from mien.media.frames import FrameReader
from mien.perception.detector import Detector
from mien.perception.keyframes import find_key_frames
from mien.perception.shots import Overview, overview
from mien.perception.tracking import KeyFrame

THUMBNAIL = 32  # pixels of the short side: libjpeg decodes 256 to it at an eighth, fastest of all


def look_at_key_frames(
    reader: FrameReader, detector: Detector, *, every: int, min_score: float, on_fraction: Callable[[float], None]
) -> list[list[KeyFrame]]:
    """The key frames of each shot with what `detector` found in them, in pixels of the stored pictures.

    They are the ends of each shot, pictures `every` apart at most, and as many between as it takes to know who was
    where (mien.perception.keyframes).
    """
    video = see_from_afar(reader)
    shots: list[list[KeyFrame]] = []
    for shot in video.shots:
        shots.append([])
        for key in find_key_frames(
            shot,
            lambda i: detector.detect(reader.decode(i)[None])[0],
            sketches=video.sketches,
            every=every,
            min_score=min_score,
        ):
            shots[-1].append(key)
            on_fraction((key.frame + 1) / len(reader))
    return shots


def see_from_afar(reader: FrameReader) -> Overview:
    """A video's shots, and a sketch of each of its stored pictures."""
    return overview(reader.decode(i, min_short_side=THUMBNAIL) for i in range(len(reader)))
