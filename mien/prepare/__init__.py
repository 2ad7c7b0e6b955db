"""From a folder of videos with subtitles to a store: frames, boxes, sentences, index."""

from mien.prepare.alone import prepared_alone
from mien.prepare.boxes import BoxSettings
from mien.prepare.clips import IndexSettings
from mien.prepare.frames import FrameSettings
from mien.prepare.moment import PreparedMoment, prepared_moment
from mien.prepare.run import Engine, PrepareReport, Slice, prepare
from mien.prepare.settings import PrepareSettings, WordSettings

__all__ = [
    "BoxSettings", "Engine", "FrameSettings", "IndexSettings", "PrepareReport", "PrepareSettings", "PreparedMoment",
    "Slice", "WordSettings", "prepare", "prepared_alone", "prepared_moment",
]  # fmt: skip
