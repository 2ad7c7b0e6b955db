"""Stores from and to other people's forms: tar shards as video2dataset's, the released EmotionCLIP pipeline's files."""

from mien.exchange.finish import ImportReport
from mien.exchange.released import ReleasedSettings, import_released
from mien.exchange.shards import import_webdataset
from mien.exchange.webdataset import ExportReport, ExportSettings, export_webdataset

__all__ = [
    "ExportReport", "ExportSettings", "ImportReport", "ReleasedSettings", "export_webdataset", "import_released",
    "import_webdataset",
]  # fmt: skip
