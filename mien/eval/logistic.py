"""Logistic regression to the minimum: scikit-learn's objective, all labels at once, on a well-conditioned problem.

Features of neighbouring clips resemble each other, so plain gradient methods take thousands of steps. The Hessian of
a label's loss is `C · Xᵀ diag(p(1−p)) X + 1`; with `p(1−p)` replaced by `q`, its value at the label's frequency, it is
diagonal in the eigenbasis of `XᵀX`, whatever the label. Rotating the weights into it and scaling each label's variables
by that diagonal brings all Hessians near the identity, and some twenty steps of L-BFGS suffice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor
from torch.nn import functional as F

from mien.eval.lbfgs import Objective, minimise
from mien.types import MienError

TOLERANCE = 1e-10
"""The share of the objective that a fit may be above its minimum; coefficients are then good to about 1e-4."""
MAX_ITERATIONS = 1000


def minimise_one_vs_rest(
    x: Float[np.ndarray, "n e"], positive: Bool[np.ndarray, "n c"], *, C: float
) -> tuple[Float64[np.ndarray, "c e"], Float64[np.ndarray, "c"]]:
    """Weights and intercepts that minimise `½‖w‖² + C Σ log-loss` for each label, each with both outcomes."""
    target = torch.from_numpy(positive).double()
    share = target.mean(dim=0)
    basis = Basis.of(x, curvature=C * share * (1 - share))

    def objective(u: Float64[Tensor, "q d"], rows: Int64[Tensor, "q"]) -> tuple[Tensor, Tensor]:
        own, own_target = replace(basis, scale=basis.scale[rows]), target[:, rows]
        weight = own.weight(u)
        logits = own.logits(u, weight)
        loss = F.softplus(logits).sum(dim=0) - (own_target * logits).sum(dim=0)
        value = C * loss + 0.5 * weight.square().sum(dim=1)
        return value, own.gradient(C * (logits.sigmoid() - own_target), weight)

    return basis.coefficients(_solve(objective, basis.start(torch.logit(share))))


def minimise_multinomial(
    x: Float[np.ndarray, "n e"], target: Bool[np.ndarray, "n c"], *, C: float
) -> tuple[Float64[np.ndarray, "c e"], Float64[np.ndarray, "c"]]:
    """Weights and intercepts that minimise `½‖W‖² + C Σ cross-entropy`; `target` is one-hot, every class occurs.

    A constant added to all intercepts changes nothing; they are returned with mean 0.
    """
    onehot = torch.from_numpy(target).double()
    share = onehot.mean(dim=0)
    basis = Basis.of(x, curvature=C * share * (1 - share))

    def objective(flat: Float64[Tensor, "1 d"], _: Int64[Tensor, "1"]) -> tuple[Tensor, Tensor]:
        u = flat.reshape(len(share), -1)
        weight = basis.weight(u)
        log_p = basis.logits(u, weight).log_softmax(dim=1)
        value = 0.5 * weight.square().sum() - C * (log_p * onehot).sum()
        return value[None], basis.gradient(C * (log_p.exp() - onehot), weight).reshape(1, -1)

    u = _solve(objective, basis.start(share.log()).reshape(1, -1)).reshape(len(share), -1)
    weight, bias = basis.coefficients(u)
    return weight, bias - bias.mean()


@dataclass(frozen=True, kw_only=True, slots=True)
class Basis:
    """Features, the eigenbasis of their covariance, and each label's scale along each axis.

    A label's variables `u` are its weights along the axes and its intercept for centred features, each divided by
    `scale`. The rotation leaves ‖w‖ as it is, so the penalty stays what it was.
    """

    mean: Float64[Tensor, "e"]
    rotation: Float64[Tensor, "e e"]
    features: Float64[Tensor, "n e"]
    scale: Float64[Tensor, "c e+1"]

    @classmethod
    def of(cls, x: Float[np.ndarray, "n e"], *, curvature: Float64[Tensor, "c"]) -> Basis:
        """`curvature` is each label's expected second derivative of its loss in the logit, C·q."""
        features = torch.from_numpy(x).double()
        mean = features.mean(dim=0)
        # float32 will do for the basis: any scaling of the variables has the same minimum.
        rough = torch.from_numpy(x).float()
        scatter = (rough.T @ rough).double() - len(x) * mean[:, None] * mean
        eigenvalues, rotation = torch.linalg.eigh(scatter)
        hessian = curvature[:, None] * eigenvalues.clamp(min=0) + 1  # [c, e]
        intercept = curvature[:, None] * len(x)  # [c, 1]
        # With a single class nothing is left to learn and q is 0: any scale will do.
        intercept = torch.where(intercept > 0, intercept, 1.0)
        scale = torch.cat([hessian, intercept], dim=1).rsqrt()  # [c, e + 1]
        return cls(mean=mean, rotation=rotation, features=features, scale=scale)

    def weight(self, u: Float64[Tensor, "c d"]) -> Float64[Tensor, "c e"]:
        """The weights of `u`, for the features' own axes."""
        return (u[:, :-1] * self.scale[:, :-1]) @ self.rotation.T

    def logits(self, u: Float64[Tensor, "c d"], weight: Float64[Tensor, "c e"]) -> Float64[Tensor, "n c"]:
        # W Xᵀ, not X Wᵀ: the same numbers, and with few labels the BLAS takes half the time over it.
        intercept = u[:, -1] * self.scale[:, -1] - weight @ self.mean
        return (weight @ self.features.T).T + intercept

    def gradient(self, residual: Float64[Tensor, "n c"], weight: Float64[Tensor, "c e"]) -> Float64[Tensor, "c d"]:
        """The gradient in `u`, from the loss's in the logits and the penalty's in the weights."""
        total = residual.sum(dim=0)[:, None]  # [c, 1]
        slope = (residual.T @ self.features - total * self.mean + weight) @ self.rotation  # [c, e]
        return torch.cat([slope, total], dim=1) * self.scale  # [c, e + 1]

    def start(self, intercept: Float64[Tensor, "c"]) -> Float64[Tensor, "c d"]:
        """The variables of the head that knows only how frequent each label is."""
        u = torch.zeros_like(self.scale)
        u[:, -1] = intercept / self.scale[:, -1]
        return u

    def coefficients(self, u: Float64[Tensor, "c d"]) -> tuple[Float64[np.ndarray, "c e"], Float64[np.ndarray, "c"]]:
        """Weights and intercepts for the features as they came."""
        weight = self.weight(u)
        bias = u[:, -1] * self.scale[:, -1] - weight @ self.mean
        return weight.numpy(), bias.numpy()


def _solve(objective: Objective, start: Float64[Tensor, "p d"]) -> Float64[Tensor, "p d"]:
    with torch.inference_mode():
        minimum = minimise(objective, start, tolerance=TOLERANCE, max_iterations=MAX_ITERATIONS)
    if not minimum.converged.all():
        raise MienError(
            f"the probe has not converged after {minimum.iterations} iterations (off by a share of "
            f"{float((minimum.gap / minimum.value.abs()).max()):.1e} of its objective); "
            "lower C, or scale the features to about unit length"
        )
    return minimum.point
