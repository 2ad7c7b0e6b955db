"""The verbs of `mien data`: which benchmarks there are, how to get them, whether a copy is whole, fakes of them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from mien.terminal import counted, errors, output, print_json, progress, say, show_failures

if TYPE_CHECKING:
    from mien.eval.benchmarks import Benchmark
    from mien.eval.benchmarks.verify import Group, SplitReport, Verification

data = typer.Typer(
    help="Benchmarks' releases: `list`, `describe`, `verify`, `splits`, `prepare`, `fake`.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)

NUM_LEFT_OUT_TOLD = 8
NameArgument = Annotated[str, typer.Argument(help="The benchmark; see `mien data list`.")]
JsonOption = Annotated[bool, typer.Option("--json", help="For a machine to read.")]


@data.command("list")
def list_(as_json: JsonOption = False) -> None:
    """Name the benchmarks, and the splits that are fitted and scored on with the samples these should have.

    Terms, other splits and all else: `mien data describe NAME`.

    Example: `mien data list`
    """
    with errors():
        from mien.eval.benchmarks import BENCHMARKS, load_benchmark

        benchmarks = [load_benchmark(name) for name in sorted(BENCHMARKS)]
        if as_json:
            print_json([_facts(each) for each in benchmarks])
            return
        table = Table(box=None, header_style="bold", pad_edge=False)
        for column in ("name", "title"):
            table.add_column(column, no_wrap=True)
        table.add_column("fitted and scored on")
        for each in benchmarks:
            protocol = each.protocol()
            splits = dict.fromkeys((*protocol.fit_splits, *protocol.report_splits))
            told = (f"{split} {each.expected[split]:,}" if split in each.expected else split for split in splits)
            table.add_row(each.name, escape(each.title), ", ".join(told))
        output.print(table)


@data.command()
def describe(name: NameArgument, as_json: JsonOption = False) -> None:
    """Say what a benchmark is, on which terms and how one gets it, how it is scored, what one must know of it.

    Example: `mien data describe meld`
    """
    with errors():
        from mien.eval.benchmarks import load_benchmark

        facts = _facts(load_benchmark(name))
        if as_json:
            print_json(facts)
            return
        say_out = output.print
        say_out(f"[bold]{escape(facts['title'])}[/] ({name})", soft_wrap=True)
        for what in ("licence", "how_to_get", "notes"):
            if facts[what]:
                say_out(f"[bold]{what.replace('_', ' ')}[/]: {escape(facts[what])}", soft_wrap=True)
        for split, number in facts["splits"].items():
            say_out(f"[bold]{split}[/]: " + ("number of samples not known here" if number is None else f"{number:,}"))
        for kind, names in facts["classes"].items():
            say_out(f"[bold]{kind}[/] ({len(names)}): {escape(', '.join(names))}", soft_wrap=True)
        for protocol in facts["protocols"]:
            say_out(
                f"[bold]protocol {protocol['name']}[/]: {escape(_told(protocol))}. {escape(protocol['source'])}",
                soft_wrap=True,
            )
        if facts["published"]:
            say_out(f"[bold]published[/]: {escape(', '.join(facts['published']))}", soft_wrap=True)
        if facts["has_fake"]:
            say_out(f"a small copy of its layout: mien data fake {name} FOLDER")


@data.command()
def verify(
    name: NameArgument,
    root: Annotated[Path, typer.Argument(help="The release, as you received it.")],
    protocol: Annotated[str, typer.Option(help="The protocol that is to be followed.")] = "paper",
    as_json: JsonOption = False,
) -> None:
    """Count a release's samples against what they should be; list what is missing, broken or without labels.

    Exit status 0 if results on it would be comparable with published ones, as far as annotations and files tell; 1 if
    not. Nothing is decoded.

    Example: `mien data verify meld /data/MELD.Raw`
    """
    with errors():
        from mien.eval.benchmarks import load_benchmark
        from mien.eval.benchmarks.verify import verify

        found = verify(load_benchmark(name), root, protocol=protocol)
        if as_json:
            print(json.dumps(asdict(found), indent=2))
        else:
            _show(found)
        if not found.is_faithful:
            raise typer.Exit(1)


@data.command()
def prepare(
    name: NameArgument,
    root: Annotated[Path, typer.Argument(help="The release, as you received it.")],
    out: Annotated[Path, typer.Option("--out", help="The store to make, or to go on with.")],
    split: Annotated[list[str] | None, typer.Option(help="Which split, repeatable; all by default.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
) -> None:
    """Make a store of a benchmark's videos or pictures, to train on: its own boxes, or else detected ones.

    To evaluate needs no such step: `mien evaluate` makes what it reads. What is there already is not made again.

    Example: `mien data prepare ferplus /data/ferplus --out stores/ferplus --split train --split val`
    """
    with errors():
        from mien.eval.benchmarks import load_benchmark
        from mien.evaluate import prepare_release

        benchmark = load_benchmark(name)
        with progress() as bars:
            task = bars.add_task("prepare", total=None, note="")
            report = prepare_release(
                benchmark,
                root=root,
                store=out,
                splits=split or benchmark.splits,
                workers=workers,
                on_video=lambda done, total: bars.update(task, completed=done, total=total),
            )
        say(f"{counted(report.num_videos, 'video')} in {out} ({report.num_new} worked on now)")
        show_failures(report.failed)


@data.command()
def splits(
    name: NameArgument,
    root: Annotated[Path, typer.Argument(help="The release: CLASS/*, or sorted into splits by whomsoever.")],
    out: Annotated[Path, typer.Option("--out", help="The CSV to write.")],
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other splits.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Draw the splits of a set whose release has none, as everybody who has the set draws them.

    Each class is cut alike, in an order made of the seed and the files' names: two labs with the same pictures get the
    same file, byte by byte, and the same digest. `mien evaluate --splits FILE` scores by it.

    Example: `mien data splits emotion6 /data/Emotion6/images --out emotion6-splits.csv`
    """
    with errors():
        from mien.eval.benchmarks import load_benchmark
        from mien.eval.benchmarks.splits import draw_splits, write_splits

        drawn, skipped = draw_splits(load_benchmark(name), root, seed=seed)
        write_splits(drawn, out)
        counts = {split: list(drawn.of.values()).count(split) for split in drawn.names}
        if as_json:
            print_json({"seed": seed, "digest": drawn.digest, "files": counts, "skipped": [asdict(s) for s in skipped]})
            return
        say(f"{out}: {', '.join(f'{split} {count:,}' for split, count in counts.items())}; {len(skipped):,} left out")
        for each in skipped[:NUM_LEFT_OUT_TOLD]:
            say(f"left out: {each.what} ({each.reason})", style="dim")
        output.print(f"seed {seed}, sha256 {drawn.digest}", soft_wrap=True)


@data.command()
def fake(
    name: NameArgument,
    root: Annotated[Path, typer.Argument(help="The folder to write: a new one, or an empty one.")],
) -> None:
    """Write a small tree with a release's layout, columns and quirks, people drawn, to try things on.

    It is marked as a fake, and so is every result on it.

    Example: `mien data fake meld runs/fakes/meld`
    """
    with errors():
        from mien.eval.benchmarks import load_benchmark
        from mien.eval.benchmarks.fakes import write_fake

        write_fake(load_benchmark(name), root)
        files = [path for path in root.rglob("*") if path.is_file()]
        say(f"{root}: {counted(len(files), 'file')}, {sum(path.stat().st_size for path in files) / 1e6:.2f} MB")


def _facts(benchmark: Benchmark) -> dict[str, Any]:
    from mien.eval.protocol import protocol_names
    from mien.eval.published import published_values

    protocols = [benchmark.protocol(name) for name in protocol_names(benchmark.protocols or benchmark.name)]
    return {
        "name": benchmark.name,
        "title": benchmark.title,
        "licence": benchmark.licence,
        "how_to_get": benchmark.how_to_get,
        "notes": benchmark.notes,
        "is_generated": benchmark.is_generated,
        "has_fake": benchmark.fake is not None,
        "published": list(dict.fromkeys(v.method for v in published_values() if v.benchmark == benchmark.name)),
        "splits": {split: benchmark.expected.get(split) for split in benchmark.splits},
        "classes": {kind: names for kind, names in asdict(benchmark.classes).items() if names},
        "protocols": [
            {
                "name": each.name,
                "source": each.source,
                "train_split": each.train_split,
                "report": each.report,
                "folds": each.folds,
                "tasks": [task.name for task in each.tasks],
            }
            for each in protocols
        ],
    }


def _told(protocol: dict[str, Any]) -> str:
    """On what it is fitted and scored, and its tasks; of folds, that the splits are those of the first."""
    train = protocol["train_split"]
    fitted = f"fitted on {train}" if train else "nothing fitted"
    folds = f", and so on for {protocol['folds']} folds, of which the mean is told" if protocol["folds"] > 1 else ""
    return f"{fitted}, scored on {', '.join(protocol['report'])}{folds}; {', '.join(protocol['tasks'])}"


def _show(found: Verification) -> None:
    if all(split.unread for split in found.splits):  # each split says it of the same wrong root
        first = next((split for split in found.splits if split.is_needed), found.splits[0])
        output.print(f"[red]not faithful[/] nothing of it can be read: {escape(first.unread)}", soft_wrap=True)
        return
    for split in found.splits:
        _show_split(split)
    for fault in found.faults:
        output.print(f"[red]not faithful[/] {escape(fault)}", soft_wrap=True)
    if found.is_faithful:
        output.print(f"[green]faithful[/] to protocol {found.protocol}, as far as annotations and files tell")


def _show_split(split: SplitReport) -> None:
    if split.unread:
        output.print(f"[bold]{split.split}[/]: not read: {escape(split.unread)}", soft_wrap=True)
        return
    expected = "of an unknown number" if split.num_expected is None else f"of {split.num_expected:,}"
    output.print(
        f"[bold]{split.split}[/]: {counted(split.num_samples, 'sample')} {expected}, {split.num_skipped:,} left out, "
        f"{split.num_missing:,} without their file; the release's own boxes for {split.num_videos_with_boxes:,} of "
        f"{counted(split.num_videos, 'video')}",
        soft_wrap=True,
    )
    for counts in (split.categories, split.scores):
        if counts:
            output.print("  " + escape(", ".join(f"{name} {n:,}" for name, n in counts.items())), soft_wrap=True)
    for name, e in split.dimensions.items():
        output.print(f"  {escape(name)} from {e.least:.3g} to {e.greatest:.3g}, mean {e.mean:.3g}", soft_wrap=True)
    _show_groups("left out", split.skipped)
    _show_groups("missing", split.missing)
    _show_groups("note", split.notes)
    for warning in split.warnings:
        output.print(f"  [yellow]mind[/] {escape(warning)}", soft_wrap=True)


def _show_groups(what: str, groups: tuple[Group, ...]) -> None:
    for group in groups:
        more = ", …" if group.count > len(group.examples) else ""
        examples = ", ".join(group.examples) + more
        output.print(f"  {what} {group.count:,}: {escape(group.reason)} ({escape(examples)})", soft_wrap=True)
