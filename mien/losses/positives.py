"""Positives: which rows of a batch belong together beside each row and its own pair, and how much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from mien.losses.chunks import at_least_float32, row_chunks

MiningSpace = Literal["none", "text", "image", "both"]

GRID = 1e-9
"""Similarities are compared in steps of this, in float64. Rounding, which depends on how many rows are computed at a
time, then decides neither ties nor the pair that a percentile falls on: all processes and chunks mine the same."""

IDENTICAL = 1 - 1e-5
"""Rows more similar than this are the same: half-precision encoders give an equal caption in another batch so much."""

PERCENTILE_ROWS = 2048
"""Percentiles are of the similarities of at most so many rows (2 million pairs), evenly spaced over the batch."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Positives:
    """M for some anchors of a batch of b: `rows` are M's rows of these, `columns` its columns of these, as rows too.

    M_ij ≥ 0 says how much row i and row j belong together, M_ii > 0. A mined M is not symmetric: j may be among the k
    most similar to i, and i not among those to j.
    """

    rows: Float[Tensor, "a b"] | Bool[Tensor, "a b"]
    columns: Float[Tensor, "a b"] | Bool[Tensor, "a b"]


@torch.no_grad()
def mine_positives(
    image: Float[Tensor, "b e"],
    text: Float[Tensor, "b e"],
    *,
    theta_text: float,
    theta_image: float,
    k: int = 5,
    space: MiningSpace = "both",
    anchors: slice | None = None,
    chunk: int | None = None,
) -> Positives:
    """Cross-modal guided positive mining: M_ij is true if i = j, or if texts and images of i and j are alike.

    "both" wants `t_i·t_j > θ_t` and `v_i·v_j > θ_v` (each modality confirms the other), "text" and "image" the one,
    "none" gives the identity. At most `k` others a row, the most similar first: by the similarity of the space, under
    "both" by the sum of the two; of equally similar ones the first of the batch.

    image, text: embeddings of the whole (gathered) batch, of any length; they are normalised here. No gradients.
    theta_text, theta_image: percentiles (0 to 100) of the similarities of the batch's pairs i < j: 95 mines among the
    nearest twentieth. They are exact up to `PERCENTILE_ROWS` rows, and of so many, evenly spaced, above that. Rows that
    are the same (`IDENTICAL`) exceed any θ: where many captions are equal a percentile would be 1, and mine nobody.
    anchors: the rows of M, and of Mᵀ, that are wanted; all by default.
    chunk: rows mined at a time. Memory beside M itself grows with chunk × b; the result does not depend on it.

    Source: a reconstruction of EmoCapCLIP's mining module (Sun et al. 2025), whose formulas have not been published.
    """
    batch = len(image)
    own = slice(*(anchors or slice(None)).indices(batch))
    every = torch.arange(batch, device=image.device)
    others = 0 if space == "none" else min(k, batch - 1)
    if others == 0:
        itself = every[own, None] == every
        return Positives(rows=itself, columns=itself)
    wanted = {"text": (text, theta_text), "image": (image, theta_image)}
    spaces = [_Space.of(x, percentile) for name, (x, percentile) in wanted.items() if space in (name, "both")]
    mined = torch.cat([_most_similar(rows, spaces, k=others) for rows in row_chunks(None, batch=batch, chunk=chunk)])
    return _scattered(torch.cat([every[:, None], mined], dim=1), own)


@torch.no_grad()
def soft_positives(
    distribution: Float[Tensor, "b c"], *, sharpness: float = 1.0, floor: float = 0.0, anchors: slice | None = None
) -> Positives:
    """M_ij = (Σ_c √(p_ic p_jc))^sharpness: how alike the votes are from which two captions were derived; M_ii = 1.

    The sum is Bhattacharyya's coefficient, 1 for equal distributions and 0 for those without a common class. No
    gradients.

    distribution: shares of the judges, each row sums to 1; a row of zeros (nobody voted) is like no other.
    sharpness: > 0; the higher, the more alike two must be to count.
    floor: in [0, 1); what is less counts as 0.
    anchors: the rows that are wanted; all by default. M is symmetric, so `columns` are these same rows.

    Source: none. An extension of this project's for captions written from votes; EmoCapCLIP has nothing like it.
    """
    if sharpness <= 0:
        raise ValueError(f"sharpness must be above 0 ({sharpness = }); 0 would make everything the same")
    if not 0 <= floor < 1:
        raise ValueError(f"floor must be in [0, 1) ({floor = }); what is less alike counts as 0")
    own = anchors or slice(None)
    with torch.autocast(distribution.device.type, enabled=False):
        root = at_least_float32(distribution).sqrt()
        alike = (root[own] @ root.T).clamp(max=1) ** sharpness  # a b
    every = torch.arange(len(root), device=root.device)
    weights = alike.masked_fill(alike < floor, 0).masked_fill(every[own, None] == every, 1)
    return Positives(rows=weights, columns=weights)


def similarity(a: Float64[Tensor, "a e"], b: Float64[Tensor, "b e"]) -> Int64[Tensor, "a b"]:
    """a_i·b_j in steps of `GRID`."""
    with torch.autocast(a.device.type, enabled=False):
        return (a @ b.T / GRID).round().long()


def unit_rows(x: Float[Tensor, "n e"]) -> Float64[Tensor, "n e"]:
    """Detached, normalised in float64: what `similarity` wants. A row of zeros stays one."""
    return F.normalize(x.detach().double(), dim=-1)


def similarity_percentile(
    x: Float64[Tensor, "n e"], percentile: float, *, group: Int64[Tensor, "n"]
) -> Float64[Tensor, ""]:
    """The percentile (0 to 100) of the similarities of the pairs of rows of different groups, in steps of `GRID`.

    At most `IDENTICAL`, which is also what comes back where there is no pair. group: ascending numbers.
    """
    if not 0 <= percentile <= 100:
        raise ValueError(f"a percentile is between 0 and 100 ({percentile = }); 95 is the nearest twentieth")
    count = min(len(x), PERCENTILE_ROWS)
    chosen = torch.arange(count, device=x.device) * len(x) // max(count, 1)  # 2 of 5 → rows 0 and 2
    x, group = x[chosen], group[chosen]
    found = similarity(x, x)[group[:, None] < group].double()
    same = torch.full((), IDENTICAL / GRID, dtype=torch.float64, device=x.device)
    # a percentile that falls on a pair must be that pair's similarity exactly: interpolation misses it by a rounding
    return torch.quantile(found, percentile / 100).round().minimum(same) if len(found) else same


@dataclass(frozen=True, slots=True)
class _Space:
    """One modality's unit rows, and the similarity (in steps of `GRID`) that two positives exceed."""

    x: Float64[Tensor, "b e"]
    theta: Float64[Tensor, ""]

    @classmethod
    def of(cls, x: Tensor, percentile: float) -> _Space:
        x = unit_rows(x)
        return cls(x, similarity_percentile(x, percentile, group=torch.arange(len(x), device=x.device)))


def _most_similar(rows: slice, spaces: list[_Space], *, k: int) -> Int64[Tensor, "n k"]:
    """The columns that are mined for `rows`; a row's own column where there are fewer than k."""
    batch = len(spaces[0].x)
    every = torch.arange(batch, device=spaces[0].x.device)
    alike = [similarity(space.x[rows], space.x) for space in spaces]
    allowed = every[rows, None] != every
    for found, space in zip(alike, spaces, strict=True):
        allowed &= found > space.theta
    key = sum(alike[1:], alike[0]) * batch - every  # no two of a row are equal: of equally similar ones the first wins
    lowest = torch.iinfo(key.dtype).min
    best, column = key.masked_fill(~allowed, lowest).topk(k, dim=1)
    return torch.where(best == lowest, every[rows, None], column)


def _scattered(positive: Int64[Tensor, "b m"], own: slice) -> Positives:
    """M's rows and columns `own`, from the columns in which each row is true."""
    batch, num_own = len(positive), own.stop - own.start
    nothing = torch.zeros(num_own, batch, dtype=torch.bool, device=positive.device)
    rows = nothing.scatter(1, positive[own], True)
    place = positive.T - own.start  # m b
    elsewhere = torch.where((place >= 0) & (place < num_own), place, num_own)
    columns = F.pad(nothing, (0, 0, 0, 1)).scatter(0, elsewhere, True)[:num_own]
    return Positives(rows=rows, columns=columns)
