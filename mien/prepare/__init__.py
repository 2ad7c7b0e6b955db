"""From a folder of videos with subtitles to a store: frames, boxes, sentences, index."""

from mien.prepare.boxes import BoxSettings
from mien.prepare.frames import FrameSettings
from mien.prepare.run import PrepareReport, prepare
from mien.prepare.stages import PrepareSettings

__all__ = ["BoxSettings", "FrameSettings", "PrepareReport", "PrepareSettings", "prepare"]
