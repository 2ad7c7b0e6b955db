"""`mien explain`: why a model says what it says of a moment, or of a face."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from mien.terminal import errors, output, print_json, progress, say

if TYPE_CHECKING:
    from mien.explain import Explanation


def explain(
    video: Annotated[Path, typer.Argument(help="A video or a picture.")],
    model: Annotated[
        str | None, typer.Option(help="Model folder, or hf:ID of one on the hub; with --faces, the shipped one.")
    ] = None,
    words: Annotated[
        str | None, typer.Option(help="Your words, separated by commas; the seven emotions, or FER+'s eight of faces.")
    ] = None,
    at: Annotated[float | None, typer.Option(help="The second to look at; the middle of a video by default.")] = None,
    window: Annotated[float, typer.Option(help="Seconds around it, for whole scenes.")] = 4.0,
    faces: Annotated[bool, typer.Option("--faces", help="Each face by itself, by a model made for faces.")] = False,
    template: Annotated[list[str] | None, typer.Option(help="Prompt with {} for the word; repeatable.")] = None,
    out: Annotated[Path, typer.Option("--out", help="The page to write.")] = Path("explain.html"),
    as_json: Annotated[bool, typer.Option("--json", help="The numbers, for a machine to read.")] = False,
) -> None:
    """Show what a model looks at in a moment, and what it says when the subject, the context or the faces are hidden.

    Of faces: when eyes, nose or mouth are. Pictures and numbers in one page. They are about the model, not the person.

    Example: `mien explain video.mp4 --model models/emotionclip --words "joy,anger,relief" --at 12.5`, or
    `mien explain photo.jpg --model face --out explain.html`
    """
    with errors():
        from mien.captions.lexicon import FACE_EMOTIONS
        from mien.captions.naming import FACE_TEMPLATES
        from mien.explain import as_numbers, explain_faces, explain_scene, write_explanations
        from mien.inference import TEMPLATES, Mien
        from mien.prompts import split_words
        from mien.types import EMOTIONS, MienError
        from mien.whole_file import require_writable

        if model is None and not faces:
            raise MienError("--model is needed; with --faces alone it can be left out")
        if out.suffix.lower() not in (".html", ".htm"):
            raise MienError(f"{out} is, by its name, no page; end it in .html")
        require_writable(out)
        loaded = Mien.from_pretrained(model or "face")
        faces = faces or loaded.config.shown == "faces"
        chosen = split_words(words) if words is not None else None
        templates = template or (FACE_TEMPLATES if faces else TEMPLATES)
        with progress() as bars:
            task = bars.add_task("explain", total=100, note=escape(str(video)))

            def show(fraction: float) -> None:
                bars.update(task, completed=round(100 * fraction))

            if faces:
                named = chosen if chosen is not None else list(FACE_EMOTIONS)
                found = explain_faces(loaded, video, named, at_s=at, templates=templates, on_fraction=show)
            else:
                named = chosen if chosen is not None else list(EMOTIONS)
                found = [
                    explain_scene(loaded, video, named, at_s=at, window_s=window, templates=templates, on_fraction=show)
                ]
        write_explanations(out, found, model=model or "face", templates=templates)
        if as_json:
            print_json([as_numbers(each) for each in found])
        else:
            _show(found)
        say(f"pictures and all numbers in {out}")


def _show(explanations: Sequence[Explanation]) -> None:
    """A table each: the likeliest word's probability and log-odds as it is, and with each part hidden, both ways."""
    from mien.explain import log_odds

    for each in explanations:
        top = each.top_word
        others = ", ".join(f"{word} {p:.2f}" for word, p in each.scores.items() if word != top)
        say(f"[bold]{escape(each.title)}[/]: [bold green]{escape(top)}[/] {each.scores[top]:.2f}, {escape(others)}")
        table = Table(box=None, header_style="bold", pad_edge=False)
        for column in ("hidden", "share", "by mean colour", "log-odds", "by blur", "log-odds"):
            table.add_column(column, justify="left" if column == "hidden" else "right")
        table.add_row("nothing", "", f"{each.scores[top]:.2f}", f"{log_odds(each.scores, top):.1f}", "", "")
        if each.unmarked is not None:
            row = (f"{each.unmarked[top]:.2f}", f"{log_odds(each.unmarked, top):.1f}")
            table.add_row("nothing; nobody pointed out", "", *row, "", "")
        for part in each.parts:
            both = [masked for masked in each.masked if masked.part == part]
            told = [text for m in both for text in (f"{m.scores[top]:.2f}", f"{log_odds(m.scores, top):.1f}")]
            table.add_row(escape(part), f"{both[0].share:.0%}", *told)
        output.print(table)
        for note in each.notes:
            say(f"  not hidden: {escape(note)}", style="dim")
    say("Facts about the model, not about the person; apparent emotion, not what anyone feels.", style="dim")
