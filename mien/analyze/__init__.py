"""From a video to who shows which emotion when, in anyone's own words: a table, a page, an annotated video."""

from mien.analyze.record import Analysis
from mien.analyze.settings import AnalyzeSettings
from mien.analyze.timeline import UNCERTAIN, Timeline

__all__ = ["UNCERTAIN", "Analysis", "AnalyzeSettings", "Timeline"]
