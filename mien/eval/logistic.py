"""Logistic regression to the minimum: scikit-learn's objective, all labels at once, on a well-conditioned problem.

Features of neighbouring clips resemble each other, so plain gradient methods take thousands of steps. The Hessian of
a label's loss is `C · Xᵀ diag(p(1−p)) X + 1`; with `p(1−p)` replaced by `q`, its value at the label's frequency, it is
diagonal in the eigenbasis of `XᵀX`, whatever the label. Rotating the weights into it and scaling each label's variables
by that diagonal brings all Hessians near the identity, and a dozen steps of L-BFGS suffice.

They are taken in float32, with sums over blocks of rows in float64. Whether the fit has converged is decided in
float64 throughout, and where it has not, the last steps are taken in that. Rows are visited a block at a time: beside
the features and the labels (a byte each), memory does not grow with the number of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor
from torch.nn import functional as F

from mien.eval.lbfgs import Minimum, Objective, minimise
from mien.types import MienError

TOLERANCE = 1e-10
"""The share of the objective that a fit may be above its minimum; coefficients are then good to about 1e-4."""
ROUGH_TOLERANCE = TOLERANCE / 2
"""How far the steps in float32 go: those in float64 then mostly have nothing left to do but to confirm it."""
ROUGH_ROUNDING = 1e-7
"""Relative error of an objective whose logits are float32."""
MAX_ITERATIONS = 1000
BLOCK_ROWS = 1024
"""Rows a matrix product: few enough to stay in the processor's cache, and for float32 to sum without much loss."""
BASIS_ROWS_A_COLUMN = 8
"""Rows that the eigenbasis is found from, a column of the features; more would hardly change it."""


def minimise_one_vs_rest(
    x: Float[np.ndarray, "n e"], positive: Bool[np.ndarray, "n c"], *, C: float
) -> tuple[Float64[np.ndarray, "c e"], Float64[np.ndarray, "c"]]:
    """Weights and intercepts that minimise `½‖w‖² + C Σ log-loss` for each label, each with both outcomes."""
    share = torch.from_numpy(positive.mean(axis=0))
    problem = Problem.of(x, positive, loss=_log_loss, C=C, curvature=C * share * (1 - share))

    def objective(dtype: torch.dtype) -> Objective:
        return lambda u, rows: problem.of_labels(rows).evaluate(u, dtype)

    return problem.coefficients(_solve(objective, problem.start(torch.logit(share))))


def minimise_multinomial(
    x: Float[np.ndarray, "n e"], target: Bool[np.ndarray, "n c"], *, C: float
) -> tuple[Float64[np.ndarray, "c e"], Float64[np.ndarray, "c"]]:
    """Weights and intercepts that minimise `½‖W‖² + C Σ cross-entropy`; `target` is one-hot, every class occurs.

    A constant added to all intercepts changes nothing; they are returned with mean 0.
    """
    share = torch.from_numpy(target.mean(axis=0))
    problem = Problem.of(x, target, loss=_cross_entropy, C=C, curvature=C * share * (1 - share))

    def objective(dtype: torch.dtype) -> Objective:
        def joint(flat: Float64[Tensor, "1 d"], _: Int64[Tensor, "1"]) -> tuple[Tensor, Tensor]:
            value, gradient = problem.evaluate(flat.reshape(len(share), -1), dtype)
            return value.sum()[None], gradient.reshape(1, -1)

        return joint

    flat = _solve(objective, problem.start(share.log()).reshape(1, -1))
    weight, bias = problem.coefficients(flat.reshape(len(share), -1))
    return weight, bias - bias.mean()


Loss = Callable[[Float[Tensor, "c b"], Float[Tensor, "c b"]], tuple[Float64[Tensor, "c"], Float[Tensor, "c b"]]]
"""Logits and targets of a block of rows → the losses' sum, a label each, and its derivative in the logits."""


def _log_loss(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    loss = F.softplus(logits) - target * logits
    return loss.sum(dim=1, dtype=torch.float64), logits.sigmoid() - target


def _cross_entropy(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    log_p = logits.log_softmax(dim=0)
    return -(log_p * target).sum(dim=1, dtype=torch.float64), log_p.exp() - target


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """Features and labels, the eigenbasis of the features' covariance, and each label's scale along each axis.

    A label's variables `u` are its weights along the axes and its intercept for centred features, each divided by
    `scale`. The rotation leaves ‖w‖ as it is, so the penalty stays what it was.
    """

    features: Float[Tensor, "n e"]
    target: Bool[Tensor, "c n"]
    loss: Loss
    C: float
    mean: Float64[Tensor, "e"]
    rotation: Float64[Tensor, "e e"]
    scale: Float64[Tensor, "c e+1"]

    @classmethod
    def of(
        cls,
        x: Float[np.ndarray, "n e"],
        target: Bool[np.ndarray, "n c"],
        *,
        loss: Loss,
        C: float,
        curvature: Float64[Tensor, "c"],
    ) -> Problem:
        """`curvature` is each label's expected second derivative of its loss in the logit, C·q."""
        mean = torch.from_numpy(x.mean(axis=0, dtype=np.float64))
        eigenvalues, rotation = _eigenbasis(x)
        hessian = curvature[:, None] * eigenvalues + 1  # [c, e]
        intercept = curvature[:, None] * len(x)  # [c, 1]
        # With a single class nothing is left to learn and q is 0: any scale will do.
        intercept = torch.where(intercept > 0, intercept, 1.0)
        return cls(
            features=torch.from_numpy(x),
            target=torch.from_numpy(np.ascontiguousarray(target.T)),
            loss=loss,
            C=C,
            mean=mean,
            rotation=rotation,
            scale=torch.cat([hessian, intercept], dim=1).rsqrt(),  # [c, e + 1]
        )

    def of_labels(self, rows: Int64[Tensor, "q"]) -> Problem:
        """The same problem for some of the labels."""
        if len(rows) == len(self.target):
            return self
        return replace(self, target=self.target[rows], scale=self.scale[rows])

    def evaluate(
        self, u: Float64[Tensor, "c d"], dtype: torch.dtype
    ) -> tuple[Float64[Tensor, "c"], Float64[Tensor, "c d"]]:
        """Each label's objective and its gradient in `u`; sums over blocks are in float64, all else in `dtype`."""
        weight = self._weight(u)
        intercept = u[:, -1:] * self.scale[:, -1:] - (weight @ self.mean)[:, None]  # [c, 1]
        narrow, shift = weight.to(dtype), intercept.to(dtype)
        loss = 0.5 * weight.square().sum(dim=1)
        total = torch.zeros_like(intercept)
        slope = weight.clone()
        for x, target in self._blocks(dtype):
            block_loss, residual = self.loss(narrow @ x.T + shift, target)
            loss += self.C * block_loss
            total += self.C * residual.sum(dim=1, keepdim=True, dtype=torch.float64)
            slope += self.C * (residual @ x).double()
        along_axes = (slope - total * self.mean) @ self.rotation  # [c, e]
        return loss, torch.cat([along_axes, total], dim=1) * self.scale  # [c], [c, e + 1]

    def _blocks(self, dtype: torch.dtype) -> Iterator[tuple[Float[Tensor, "b e"], Float[Tensor, "c b"]]]:
        for start in range(0, len(self.features), BLOCK_ROWS):
            rows = slice(start, start + BLOCK_ROWS)
            yield self.features[rows].to(dtype), self.target[:, rows].to(dtype)

    def start(self, intercept: Float64[Tensor, "c"]) -> Float64[Tensor, "c d"]:
        """The variables of the head that knows only how frequent each label is."""
        u = torch.zeros_like(self.scale)
        u[:, -1] = intercept / self.scale[:, -1]
        return u

    def coefficients(self, u: Float64[Tensor, "c d"]) -> tuple[Float64[np.ndarray, "c e"], Float64[np.ndarray, "c"]]:
        """Weights and intercepts for the features as they came."""
        weight = self._weight(u)
        bias = u[:, -1] * self.scale[:, -1] - weight @ self.mean
        return weight.numpy(), bias.numpy()

    def _weight(self, u: Float64[Tensor, "c d"]) -> Float64[Tensor, "c e"]:
        return (u[:, :-1] * self.scale[:, :-1]) @ self.rotation.T


def _eigenbasis(x: Float[np.ndarray, "n e"]) -> tuple[Float64[Tensor, "e"], Float64[Tensor, "e e"]]:
    """Eigenvalues and eigenvectors of the features' scatter, from evenly spaced rows.

    float32 and a part of the rows will do: any scaling of the variables has the same minimum. But the rotation must be
    orthogonal to float64's precision, for the penalty's sake.
    """
    step = max(1, len(x) // (BASIS_ROWS_A_COLUMN * x.shape[1]))
    rows = torch.from_numpy(x[::step]).float()
    rows = rows - rows.mean(dim=0)
    eigenvalues, rotation = torch.linalg.eigh(rows.T @ rows)
    return eigenvalues.double().clamp(min=0) * (len(x) / len(rows)), rotation.double()


def _solve(objective: Callable[[torch.dtype], Objective], start: Float64[Tensor, "p d"]) -> Float64[Tensor, "p d"]:
    with torch.inference_mode():
        rough = minimise(
            objective(torch.float32),
            start,
            tolerance=ROUGH_TOLERANCE,
            max_iterations=MAX_ITERATIONS,
            rounding=ROUGH_ROUNDING,
        )
        minimum = minimise(
            objective(torch.float64),
            rough.point,
            tolerance=TOLERANCE,
            max_iterations=MAX_ITERATIONS,
            history=rough.history,
        )
    _require_converged(minimum)
    return minimum.point


def _require_converged(minimum: Minimum) -> None:
    if not minimum.converged.all():
        raise MienError(
            f"the probe has not converged after {minimum.iterations} iterations (off by a share of "
            f"{float((minimum.gap / minimum.value.abs()).max()):.1e} of its objective); "
            "lower C, or scale the features to about unit length"
        )
