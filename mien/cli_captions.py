"""The verbs of `mien captions`: write them for a benchmark's faces, check a file of them, count what it holds."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from mien.terminal import counted, errors, output, print_json, progress, say

if TYPE_CHECKING:
    from mien.captions.statistics import CaptionStatistics
    from mien.eval.benchmarks import Benchmark
    from mien.eval.benchmarks.release import Release

captions = typer.Typer(
    help="Captions of faces: `write`, `verify`, `stats`.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)

FileArgument = Annotated[Path, typer.Argument(help="A file of captions, one JSON object a line.")]
SHOWN = 20
"""Bad lines, missing pictures and what is left out, as far as a terminal lists them."""


@captions.command()
def write(
    benchmark: Annotated[str, typer.Argument(help="The benchmark; see `mien data list`.")],
    root: Annotated[Path, typer.Option(help="Its release, as you received it.")],
    out: Annotated[Path, typer.Option(help="The file to write, captions.jsonl say.")],
    split: Annotated[str | None, typer.Option(help="Which of its splits; the first by default.")] = None,
    seed: Annotated[int, typer.Option(help="Of the wording: equal seeds give equal captions.")] = 0,
    variants: Annotated[int, typer.Option(min=1, help="Captions an image, each worded anew.")] = 1,
    label_in_text: Annotated[
        bool, typer.Option("--label-in-text", help="Of scenes: end with the emotion, which pre-training then sees.")
    ] = False,
    captioner: Annotated[
        Path | None, typer.Option(help="Folder of a vision-language model that looks at the pictures (extra hf).")
    ] = None,
) -> None:
    """Write captions of a benchmark's faces from its votes or labels; or have a model of your own look at them.

    Of scenes with attributes (EmoSet) it is sentences of these. From labels, nobody looks at a picture: each record
    says so. With --captioner, the same command goes on where it was stopped, and --seed and --variants have no use.

    Example: `mien captions write ferplus --root /data/ferplus --split train --out captions.jsonl`
    """
    with errors():
        from mien.captions.record import write_captions
        from mien.eval.benchmarks import load_benchmark

        loaded = load_benchmark(benchmark)
        release = loaded.read(root, split or loaded.splits[0])
        if captioner is None:
            from mien.caption_release import derive_attribute_captions, derive_captions, has_attributes

            if has_attributes(release):
                records, skipped = derive_attribute_captions(loaded, release, label_in_text=label_in_text)
            else:
                records, skipped = derive_captions(loaded, release, seed=seed, variants=variants)
            write_captions(out, records)
        else:
            records, skipped = _caption_by_model(loaded, release, root=root, folder=captioner, out=out)
        told = "derived from labels" if captioner is None else f"by {captioner.resolve().name}"
        say(f"{out}: {counted(len(records), 'caption')} {told}; {counted(len(skipped), 'picture')} left out")
        _list([f"left out {each.what}: {each.reason}" for each in skipped])
        if not records:
            raise typer.Exit(1)


@captions.command()
def verify(
    file: FileArgument,
    images: Annotated[Path | None, typer.Option(help="Store or folder that the images should be in.")] = None,
) -> None:
    """Check every line of a file of captions, and that its images are there.

    Exit status 1 if a line is no record, or an image is missing.

    Example: `mien captions verify captions.jsonl --images stores/ferplus`
    """
    with errors():
        from mien.caption_release import missing_pictures
        from mien.captions.record import CaptionRecord, scan_captions
        from mien.types import MienError, Skipped

        found = list(scan_captions(file))
        records = [each for each in found if isinstance(each, CaptionRecord)]
        bad = [each for each in found if isinstance(each, Skipped)]
        missing = missing_pictures(records, images) if images else []
        say(
            f"{file}: {counted(len(records), 'caption')} of {counted(len({r.image for r in records}), 'image')}, "
            f"{counted(len(bad), 'bad line')}" + (f", {counted(len(missing), 'image')} missing" if images else "")
        )
        _list([f"{each.what}: {each.reason}" for each in (*bad, *missing)])
        if not found:
            raise MienError(f"{file} is empty; write captions with `mien captions write`")
        if bad or missing:
            raise typer.Exit(1)


@captions.command()
def stats(
    file: FileArgument, as_json: Annotated[bool, typer.Option("--json", help="For a machine to read.")] = False
) -> None:
    """Count captions, words, sources and votes, and how many captions are like another.

    Example: `mien captions stats captions.jsonl --json`
    """
    with errors():
        from mien.captions.record import read_captions
        from mien.captions.statistics import caption_statistics
        from mien.types import MienError

        records = read_captions(file)
        if not records:
            raise MienError(f"{file} has no captions")
        statistics = caption_statistics(records)
        if as_json:
            print_json(asdict(statistics))
        else:
            _show(statistics)


def _caption_by_model(benchmark: Benchmark, release: Release, *, root: Path, folder: Path, out: Path) -> Any:
    from mien.caption_release import caption_pictures
    from mien.captions.captioner import Captioner

    model = Captioner.load(folder)
    with progress() as bars:
        task = bars.add_task("captions", total=len(release.samples), note="")
        return caption_pictures(
            benchmark,
            release,
            root=root,
            captioner=model,
            out=out,
            on_picture=lambda done, total: bars.update(task, completed=done, total=total),
        )


def _list(lines: list[str]) -> None:
    for line in lines[:SHOWN]:
        say(f"  {escape(line)}", style="dim")
    if len(lines) > SHOWN:
        say(f"  … and {len(lines) - SHOWN:,} more", style="dim")


def _show(found: CaptionStatistics) -> None:
    def tell(what: str, told: str) -> None:
        output.print(f"[bold]{what}[/]: {escape(told)}", soft_wrap=True)

    tell("captions", f"{found.num_captions:,} of {counted(found.num_images, 'image')}")
    tell("by", ", ".join(f"{source} {count:,}" for source, count in found.sources.items()))
    tell("derived from labels", f"{found.derived_share:.0%}")
    for part, length in found.words.items():
        more = f", in {found.local_sentences:.1f} sentences" if part == "local" else ""
        tell(f"words, {part}", f"{length.least} to {length.most}, mean {length.mean:.1f}{more}")
    tell("vocabulary", counted(found.vocabulary, "word"))
    if found.first_emotions:
        tell("most votes for", ", ".join(f"{name} {count:,}" for name, count in found.first_emotions.items()))
        shares = (f"{10 * place} % {count:,}" for place, count in enumerate(found.agreement) if count)
        tell("with at least this share of the votes", ", ".join(shares))
    tell("global sentence that another has too", f"{found.repeated_globals:.1%}")
    tell("same words as another", f"{found.near_duplicates:.1%}")
