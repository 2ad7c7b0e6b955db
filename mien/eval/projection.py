"""A map of embeddings: points in the plane, near where the embeddings are near."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

FEWEST_FOR_TSNE = 30


def project(x: Float[np.ndarray, "n e"]) -> Float[np.ndarray, "n 2"]:
    """t-SNE of unit vectors, started from their principal components; of few points, those alone. Deterministic."""
    if len(x) < FEWEST_FOR_TSNE:
        return PCA(n_components=2, svd_solver="full").fit_transform(x)
    perplexity = min(30.0, len(x) / 6)
    tsne = TSNE(n_components=2, init="pca", perplexity=perplexity, random_state=0, learning_rate="auto")
    # One thread: so few points are done in a second or two, and threads that wait for each other take ten times that
    # on a busy machine.
    with threadpool_limits(1):
        return tsne.fit_transform(x.astype(np.float64))


def thin_out(category: Int[np.ndarray, "n"], *, most: int) -> Int[np.ndarray, "m"]:
    """Indices of at most `most` samples, in order, evenly from every class's samples; the same each time."""
    if len(category) <= most:
        return np.arange(len(category))
    by_class = np.argsort(category, kind="stable")
    return np.sort(by_class[np.linspace(0, len(category) - 1, most).round().astype(int)])
