"""From a video to who shows which emotion when, in anyone's own words: a table, a page, an annotated video."""

from mien.analyze.folder import FolderAnalysis, analyze_folder
from mien.analyze.record import Analysis
from mien.analyze.run import StoppedError, analyze
from mien.analyze.settings import AnalyzeSettings
from mien.analyze.timeline import UNCERTAIN, Timeline

__all__ = [
    "UNCERTAIN", "Analysis", "AnalyzeSettings", "FolderAnalysis", "StoppedError", "Timeline", "analyze",
    "analyze_folder",
]  # fmt: skip
