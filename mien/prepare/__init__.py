"""From a folder of videos with subtitles to a store: frames, boxes, sentences, index."""

from mien.prepare.run import PrepareReport, prepare
from mien.prepare.stages import PrepareSettings

__all__ = ["PrepareReport", "PrepareSettings", "prepare"]
