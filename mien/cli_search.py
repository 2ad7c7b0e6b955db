"""`mien search`: moments of a store by words, or by what they are like."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from mien.cli_classify import PrecisionOption
from mien.terminal import counted, errors, output, print_json, progress, say, show_failures

if TYPE_CHECKING:
    from mien.search import Found


def search(
    query: Annotated[
        str, typer.Argument(metavar="[QUERY]", help="What is looked for, in your words; left out with --like.")
    ],
    store: Annotated[Path | None, typer.Argument(metavar="STORE", help="What `mien prepare` made.")] = None,
    model: Annotated[
        str | None, typer.Option(help="Model folder, or hf:ID of one on the hub; with --faces, the shipped one.")
    ] = None,
    like: Annotated[
        str | None,
        typer.Option(
            help="Instead of a query, what to be like: VIDEO@SECONDS, a clip's id, FILE@SECONDS or a picture."
        ),
    ] = None,
    faces: Annotated[bool, typer.Option("--faces", help="Among the faces of a store prepared with --faces.")] = False,
    top: Annotated[int, typer.Option(min=1, help="So many moments.")] = 10,
    window: Annotated[float, typer.Option(help="Seconds a moment; another value is another index.")] = 4.0,
    precision: PrecisionOption = "float32",
    html: Annotated[Path | None, typer.Option(help="A page to write, with pictures of what is found.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For a machine to read.")] = False,
) -> None:
    """Find the moments of a store that fit your words, or that are like a moment, a clip or a picture.

    The first search by a model embeds the store, resumably, and keeps that beside it; later ones embed what changed.
    What is found is apparent, not what anyone feels.

    Example: `mien search "people comforting each other" STORE --model models/emotionclip --html results.html`, or
    `mien search STORE --like "VIDEO@12.5" --model models/emotionclip`, or of faces
    `mien search "barely hidden anger" STORE --faces`
    """
    with errors():
        from mien.search import SearchSettings, open_store, write_page
        from mien.search import search as search_store
        from mien.types import MienError
        from mien.whole_file import require_writable

        if like is not None and store is not None:
            raise MienError("a search has either words or something to be like; leave --like or the words out")
        if like is None and store is None:
            raise MienError(f'words and a store are needed: mien search "what to look for" {query}')
        if model is None and not faces:
            raise MienError("--model is needed; with --faces alone it can be left out")
        if html is not None:
            require_writable(html)
        if store is not None and not store.exists() and Path(query).is_dir():
            raise MienError(f"no store at {store}; the words come first: mien search {store} {query}")
        opened = open_store(store or Path(query))
        settings = SearchSettings(kind="faces" if faces else "scenes", window_s=window, precision=precision)
        with progress() as bars:
            task = bars.add_task("embed", total=None, note="", visible=False)
            found = search_store(
                opened,
                model or "face",
                words=None if like is not None else query,
                like=like,
                top=top,
                settings=settings,
                on_video=lambda name, done, total: bars.update(
                    task, completed=done, total=total, note=escape(name), visible=total > 0
                ),
            )
        if as_json:
            print_json(found)
        else:
            _show(found)
        if html is not None:
            write_page(html, opened, found, settings=settings)
            say(f"pictures of them in {html}")
        show_failures(found.failed)


def _show(found: Found) -> None:
    """A row a hit: how near, where, who, and what is said."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    has_persons = any(hit.moment.person >= 0 for hit in found.hits)
    for column in ("cosine", "from", "to", *(["who"] if has_persons else []), "video", "said meanwhile"):
        table.add_column(column, no_wrap=column not in ("video", "said meanwhile"))
    for hit in found.hits:
        moment = hit.moment
        who = [str(moment.person) if moment.person >= 0 else "?"] if has_persons else []
        row = [f"{moment.cosine:.3f}", f"{moment.start_s:.1f}", f"{moment.end_s:.1f}", *who]
        table.add_row(*row, escape(moment.video), escape(hit.said))
    output.print(table)
    say(
        f"{escape(found.asked)} among {counted(found.num_moments, 'moment')} of {counted(found.num_videos, 'video')}; "
        f"the median cosine of all is {found.median_cosine:.3f}. Apparent emotion; not what anyone feels.",
        style="dim",
    )
