"""A batch of smooth convex problems, minimised side by side by limited-memory BFGS in float64.

The problems share each evaluation, so that a matrix product serves them all, but nothing else: each has its own
history, step length and end, after which it is evaluated no more. (One joint L-BFGS would make all of them wait for
the worst conditioned.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

HISTORY = 12
"""Pairs of steps and gradient changes that are remembered."""
SUFFICIENT_DECREASE = 1e-4
"""Armijo's constant: the share of the decrease promised by the slope that a step must deliver."""
MAX_HALVINGS = 30
ROUNDING = 1e-13
"""Relative change of a sum of many float64 terms below which "larger" and "smaller" mean nothing."""

Objective = Callable[[Float64[Tensor, "q d"], Int64[Tensor, "q"]], tuple[Float64[Tensor, "q"], Float64[Tensor, "q d"]]]
"""Points, and the numbers of the problems they belong to → values and gradients, likewise."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Minimum:
    """Where each problem ended, and `gap`, how far above its minimum the value is estimated to be.

    `history` is what was learnt of the curvature, for one who goes on from here.
    """

    point: Float64[Tensor, "p d"]
    value: Float64[Tensor, "p"]
    gap: Float64[Tensor, "p"]
    converged: Bool[Tensor, "p"]
    iterations: int
    history: tuple[_Pair, ...]


_Pair = tuple[Tensor, Tensor, Tensor]


def minimise(
    objective: Objective,
    start: Float64[Tensor, "p d"],
    *,
    tolerance: float,
    max_iterations: int,
    rounding: float = ROUNDING,
    history: Sequence[_Pair] = (),
) -> Minimum:
    """Minimise each row's problem until its gap is at most `tolerance` · |value|.

    Give it variables in which the Hessian is roughly the identity: then a first step of length one is about right.
    The gap is half the Newton decrement, `½ gᵀH⁻¹g`, with `H⁻¹` as L-BFGS knows it or the identity, whichever makes
    it larger. `rounding` is the values' relative error; `history` is a former minimum's.
    Deterministic. What has not converged after `max_iterations` is marked so in the result.
    """
    x = start
    value, gradient = objective(x, torch.arange(len(x)))
    stuck = torch.zeros_like(value, dtype=torch.bool)
    iterations = 0
    while True:
        direction = _direction(gradient, history)
        slope = (gradient * direction).sum(dim=1)
        gap = 0.5 * torch.maximum(-slope, gradient.square().sum(dim=1))
        converged = gap <= tolerance * value.abs()
        active = (~converged & ~stuck).nonzero()[:, 0]
        if iterations == max_iterations or not len(active):
            return Minimum(
                point=x, value=value, gap=gap, converged=converged, iterations=iterations, history=tuple(history)
            )
        iterations += 1
        new_x, new_value, new_gradient, left = _search(
            objective, active, x, value, gradient, direction, slope, rounding
        )
        stuck[left] = True
        history = [*history, _pair(new_x - x, new_gradient - gradient)][-HISTORY:]
        x, value, gradient = new_x, new_value, new_gradient


def _search(
    objective: Objective,
    active: Tensor,
    x: Tensor,
    value: Tensor,
    gradient: Tensor,
    direction: Tensor,
    slope: Tensor,
    rounding: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Halve each active row's step until it delivers. Rows that never do are returned last, and stay where they are."""
    new_x, new_value, new_gradient = x.clone(), value.clone(), gradient.clone()
    left, step = active, 1.0
    for _ in range(MAX_HALVINGS):
        trial = x[left] + step * direction[left]
        trial_value, trial_gradient = objective(trial, left)
        enough = value[left] + SUFFICIENT_DECREASE * step * slope[left] + rounding * value[left].abs()
        good = trial_value <= enough
        done = left[good]
        new_x[done], new_value[done], new_gradient[done] = trial[good], trial_value[good], trial_gradient[good]
        left, step = left[~good], step / 2
        if not len(left):
            break
    return new_x, new_value, new_gradient, left


def _direction(gradient: Tensor, history: Sequence[_Pair]) -> Tensor:
    """−H·gradient by the two-loop recursion (Nocedal and Wright, algorithm 7.4), row by row."""
    q = gradient.clone()
    alphas = []
    for s, y, rho in reversed(history):
        alpha = rho * (s * q).sum(dim=1)
        q -= alpha[:, None] * y
        alphas.append(alpha)
    if history:
        q *= _scale(history)[:, None]
    for (s, y, rho), alpha in zip(history, reversed(alphas), strict=True):
        beta = rho * (y * q).sum(dim=1)
        q += (alpha - beta)[:, None] * s
    return -q


def _pair(s: Tensor, y: Tensor) -> _Pair:
    """A step, its gradient change, and 1/(s·y); zero for a row that did not move, which then has no effect."""
    curvature = (s * y).sum(dim=1)
    return s, y, torch.where(curvature > 0, 1 / curvature, 0.0)


def _scale(history: Sequence[_Pair]) -> Tensor:
    """s·y / y·y of each row's latest move: the size of the inverse Hessian; 1 where a row never moved."""
    scale = torch.ones_like(history[0][2])
    for _, y, rho in history:
        scale = torch.where(rho > 0, 1 / (rho * (y * y).sum(dim=1)), scale)
    return scale
