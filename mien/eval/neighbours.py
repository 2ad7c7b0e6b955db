"""Neighbours: the pictures whose embeddings are nearest to a picture's, as a report shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from jaxtyping import Float, Int

from mien.eval.pictures import Still, draw_still


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownClip:
    """A clip by one of its frames, and what it is called."""

    still: Still
    caption: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Neighbours:
    """A clip, and those nearest to it with their cosines, the nearest first."""

    query: ShownClip
    nearest: tuple[tuple[ShownClip, float], ...]


def nearest_to(
    x: Float[np.ndarray, "n e"], *, query: int, sources: Sequence[str], count: int
) -> tuple[Int[np.ndarray, "k"], Float[np.ndarray, "k"]]:
    """The rows of `x` nearest to row `query`, and their cosines; k is `count` or as many as there are.

    x: L2-normalised. sources: the video of each row; others of the query's are left out, as they show the same.
    """
    cosine = x @ x[query]
    others = np.flatnonzero(np.array([source != sources[query] for source in sources]))
    order = others[np.argsort(-cosine[others], kind="stable")][:count]
    return order, cosine[order]


def neighbours_section(rows: Sequence[Neighbours], *, num_searched: int, where: str) -> str:
    """The part of a report that shows them."""
    return (
        "<h2>Nearest by embedding</h2><p>On the left a picture, then those whose embeddings are nearest to its own, "
        f"of {num_searched:,} {escape(where)}; below each the cosine. Whether they share a feeling, or only colours "
        "and composition, is for the eye to judge.</p>" + "".join(_row(row) for row in rows)
    )


def _row(row: Neighbours) -> str:
    cells = [_cell(row.query, "")] + [_cell(shown, f"{cosine:.3f}") for shown, cosine in row.nearest]
    return (
        '<figure class="sample"><div class="wide"><div class="layers" '
        f'style="grid-template-columns:repeat({len(cells)},minmax(76px,150px))">{"".join(cells)}</div></div></figure>'
    )


def _cell(shown: ShownClip, told: str) -> str:
    caption = escape(shown.caption)
    return (
        f'<div><img alt="{caption}" src="{draw_still(shown.still, side=160)}">'
        f"<span>{caption}{f'<br>{told}' if told else ''}</span></div>"
    )
