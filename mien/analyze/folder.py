"""Every video and picture below a folder, each analysed into a folder of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mien.analyze.record import Analysis
from mien.analyze.run import OnProgress, StoppedError, analyze_with, open_models
from mien.analyze.settings import AnalyzeSettings
from mien.moment_table import media_files
from mien.prepare.video import failure_of
from mien.types import MienError, Skipped
from mien.whole_file import require_writable


@dataclass(frozen=True, kw_only=True, slots=True)
class FolderAnalysis:
    """What was analysed, by name, which is the folder's within the output's; and what could not be, and why."""

    analyses: Mapping[str, Analysis]
    failed: tuple[Skipped, ...]


def analyze_folder(
    folder: Path,
    out_folder: Path,
    *,
    settings: AnalyzeSettings = AnalyzeSettings(),
    on_file: Callable[[str, int, int], None] = lambda name, done, total: None,
    on_progress: OnProgress = lambda stage, done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> FolderAnalysis:
    """Analyses every file below `folder` as `mien.analyze.analyze` does; one that fails does not stop the others.

    `on_file` is told which file is begun, and how many of how many are done. Raises MienError where there is none, and
    what concerns all: a model that is not there, a full disk, StoppedError.
    """
    require_writable(out_folder)
    files = named_files(folder, out_folder)
    if not files:
        raise MienError(f"no video or picture in {folder}")
    models = open_models(settings)
    analyses, failed = dict[str, Analysis](), list[Skipped]()
    for done, (name, file) in enumerate(files.items()):
        on_file(name, done, len(files))
        try:
            analyses[name] = analyze_with(
                models, file, out_folder / name, on_progress=on_progress, should_stop=should_stop
            )
        except StoppedError:
            raise
        except Exception as error:  # a fault of ours, or of a library, must not stop all other videos
            failed.append(failure_of(str(file), error))
    on_file("", len(files), len(files))
    return FolderAnalysis(analyses=analyses, failed=tuple(failed))


def named_files(folder: Path, out_folder: Path) -> dict[str, Path]:
    """The files to analyse by their names: their paths in the folder without endings, with them where two are alike.

    What lies in `out_folder` is left out: it holds annotated copies.
    """
    outside = [path for path in media_files(folder) if out_folder.resolve() not in path.resolve().parents]
    relative = [path.relative_to(folder) for path in outside]
    stems, wholes = Counter(path.with_suffix("") for path in relative), set(relative)
    names = [
        (path if stems[stem] > 1 or stem in wholes else stem).as_posix()
        for path in relative
        for stem in [path.with_suffix("")]
    ]
    return dict(zip(names, outside, strict=True))
