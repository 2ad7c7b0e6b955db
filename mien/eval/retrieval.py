"""Retrieval: the place of a clip's own text among all texts, by their cosine with the clip, and the other way round.

Candidates that are as near as the own one are in no order: every order counts alike. So a model that says the same of
everything scores chance, a recall at k of k/n, and not 1. A text that many clips have is embedded once and stands for
as many candidates; only the clip's own is right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

AT = (1, 5, 10)
"""The k of recall at k."""

RANKS = tuple(f"{way}_{mean}_rank" for way in ("text_to_video", "video_to_text") for mean in ("median", "mean"))
"""The scores that are ranks: from 1 up, less is better."""

TIE = 1e-6  # cosines nearer than this are equal: those of equal float32 embeddings differ by as much as rounding does
BLOCK_CELLS = 2**24  # cosines held in memory at a time (64 MB)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranks:
    """How many candidates are nearer to each query than its own, and how many others are as near."""

    above: Int[np.ndarray, "n"]
    equal: Int[np.ndarray, "n"]

    @property
    def mean(self) -> Float[np.ndarray, "n"]:
        """Each query's rank from 1 up, the mean over the orders that its equals may be in."""
        return self.above + 1 + self.equal / 2

    def within(self, k: int) -> Float[np.ndarray, "n"]:
        """How probably each query's own is among the first k, over the orders that its equals may be in."""
        return np.clip((k - self.above) / (self.equal + 1), 0.0, 1.0)


def own_ranks(
    queries: Float[np.ndarray, "n e"],
    candidates: Float[np.ndarray, "m e"],
    *,
    own: Int[np.ndarray, "n"],
    times: Int[np.ndarray, "m"],
) -> Ranks:
    """The ranks of `candidates[own[i]]` for query i by the dot product, candidate j counted `times[j]` times.

    Rows are embeddings of length 1. Cosines are made in blocks of queries: n × m of them are never in memory.
    """
    rows = max(1, BLOCK_CELLS // len(candidates))
    weight = times.astype(np.float32)  # exact up to 2**24 candidates
    above, equal = np.empty(len(queries), dtype=np.int64), np.empty(len(queries), dtype=np.int64)
    for start in range(0, len(queries), rows):
        block = slice(start, start + rows)
        cosine = queries[block] @ candidates.T
        mine = cosine[np.arange(len(cosine)), own[block]][:, None]
        nearer = cosine > mine + TIE
        above[block] = nearer.astype(np.float32) @ weight
        equal[block] = ((cosine >= mine - TIE) & ~nearer).astype(np.float32) @ weight - 1
    return Ranks(above=above, equal=equal)


def both_ways(
    videos: Float[np.ndarray, "n e"], texts: Float[np.ndarray, "u e"], *, text_of: Int[np.ndarray, "n"]
) -> dict[str, Ranks]:
    """`text_to_video` and `video_to_text` of n clips of which clip i has text `text_of[i]`, each text told once."""
    one_each = np.ones(len(videos), dtype=np.int64)
    return {
        "text_to_video": own_ranks(texts[text_of], videos, own=np.arange(len(videos)), times=one_each),
        "video_to_text": own_ranks(videos, texts, own=text_of, times=np.bincount(text_of, minlength=len(texts))),
    }


def chance_ranks(num_clips: int) -> dict[str, Ranks]:
    """The ranks by a model that says the same of everything."""
    nothing, everything = np.zeros(num_clips, dtype=np.int64), np.full(num_clips, num_clips - 1)
    same = Ranks(above=nothing, equal=everything)
    return {"text_to_video": same, "video_to_text": same}


def retrieval_scores(ranks: dict[str, Ranks], counts: Int[np.ndarray, "n r"]) -> dict[str, Float[np.ndarray, "r"]]:
    """Recalls, median rank and mean rank of each direction where query i is asked `counts[i]` times; ones, say.

    The candidates stay those they are: resampling asks what other queries of the same set would have scored.
    """
    total = counts.sum(axis=0)
    scores = dict[str, Float[np.ndarray, "r"]]()
    for direction, each in ranks.items():
        for k in AT:
            scores[f"{direction}_r{k}"] = each.within(k) @ counts / total
        scores[f"{direction}_median_rank"] = _medians(each.mean, counts)
        scores[f"{direction}_mean_rank"] = each.mean @ counts / total
    return scores


def _medians(values: Float[np.ndarray, "n"], counts: Int[np.ndarray, "n r"]) -> Float[np.ndarray, "r"]:
    """Of each column's values, written out as often as it counts them; of an even number the two middle ones' mean."""
    order = np.argsort(values, kind="stable")
    seen = counts[order].cumsum(axis=0)
    lower, upper = (2 * seen >= seen[-1]).argmax(axis=0), (2 * seen > seen[-1]).argmax(axis=0)
    return (values[order[lower]] + values[order[upper]]) / 2
