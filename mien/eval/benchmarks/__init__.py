"""The benchmarks by name. A new one is a file here, a protocol beside them, and a line below."""

from __future__ import annotations

from importlib import import_module

from mien.errors import did_you_mean
from mien.eval.benchmarks.base import Benchmark
from mien.types import MienError

BENCHMARKS = {
    "bold": "mien.eval.benchmarks.bold:BOLD",
    "moviegraphs": "mien.eval.benchmarks.moviegraphs:MOVIEGRAPHS",
    "meld": "mien.eval.benchmarks.meld:MELD",
    "liris": "mien.eval.benchmarks.liris:LIRIS",
    "emotic": "mien.eval.benchmarks.emotic:EMOTIC",
    "theatre": "mien.eval.benchmarks.theatre:THEATRE",
    "emotion6": "mien.eval.benchmarks.scene_sets:EMOTION6",
    "fi": "mien.eval.benchmarks.scene_sets:FI",
    "unbiasedemo": "mien.eval.benchmarks.scene_sets:UNBIASEDEMO",
    "caer_s": "mien.eval.benchmarks.scene_sets:CAER_S",
    "heco": "mien.eval.benchmarks.scene_sets:HECO",
    "emo8": "mien.eval.benchmarks.scene_sets:EMO8",
    "rafdb": "mien.eval.benchmarks.rafdb:RAFDB",
    "rafdb_compound": "mien.eval.benchmarks.rafdb:RAFDB_COMPOUND",
    "fer2013": "mien.eval.benchmarks.fer2013:FER2013",
    "ferplus": "mien.eval.benchmarks.ferplus:FERPLUS",
    "emoset": "mien.eval.benchmarks.emoset:EMOSET",
    "affectnet8": "mien.eval.benchmarks.affectnet:AFFECTNET_8",
    "affectnet7": "mien.eval.benchmarks.affectnet:AFFECTNET_7",
    "ckplus": "mien.eval.benchmarks.ckplus:CKPLUS",
    "jaffe": "mien.eval.benchmarks.coded_files:JAFFE",
    "sfew": "mien.eval.benchmarks.face_folders:SFEW",
    "afew": "mien.eval.benchmarks.face_folders:AFEW",
    "ravdess": "mien.eval.benchmarks.coded_files:RAVDESS",
    "crema_d": "mien.eval.benchmarks.coded_files:CREMA_D",
    "enterface05": "mien.eval.benchmarks.coded_files:ENTERFACE05",
    "dfew": "mien.eval.benchmarks.fold_lists:DFEW",
    "mafw": "mien.eval.benchmarks.fold_lists:MAFW",
    "mafw_compound": "mien.eval.benchmarks.fold_lists:MAFW_COMPOUND",
    "ferv39k": "mien.eval.benchmarks.ferv39k:FERV39K",
}
"""Name → where its `Benchmark` is; the file is imported when the benchmark is asked for."""


def load_benchmark(name: str) -> Benchmark:
    """The benchmark of that name."""
    if name not in BENCHMARKS:
        near = did_you_mean(name, BENCHMARKS) or f"; there are {', '.join(sorted(BENCHMARKS))}"
        raise MienError(f"there is no benchmark {name!r}{near}")
    module, _, attribute = BENCHMARKS[name].partition(":")
    benchmark: Benchmark = vars(import_module(module))[attribute]
    return benchmark


__all__ = ["BENCHMARKS", "Benchmark", "load_benchmark"]
