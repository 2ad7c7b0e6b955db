"""A batch of smooth convex problems, minimised side by side by limited-memory BFGS in float64.

The problems share one evaluation, so that a matrix product serves them all, but nothing else: each has its own
history, step length and end. (One joint L-BFGS would make all of them wait for the worst conditioned.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

HISTORY = 12
"""Pairs of steps and gradient changes that are remembered."""
SUFFICIENT_DECREASE = 1e-4
"""Armijo's constant: the share of the decrease promised by the slope that a step must deliver."""
MAX_HALVINGS = 30
ROUNDING = 1e-13
"""Relative change of a sum of many float64 terms below which "larger" and "smaller" mean nothing."""

Objective = Callable[[Float64[Tensor, "p d"]], tuple[Float64[Tensor, "p"], Float64[Tensor, "p d"]]]
"""Points, one a problem → values and gradients, likewise."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Minimum:
    """Where each problem ended, and `gap`, how far above its minimum the value is estimated to be."""

    point: Float64[Tensor, "p d"]
    value: Float64[Tensor, "p"]
    gap: Float64[Tensor, "p"]
    converged: Bool[Tensor, "p"]
    iterations: int


def minimise(objective: Objective, start: Float64[Tensor, "p d"], *, tolerance: float, max_iterations: int) -> Minimum:
    """Minimise each row's problem until its gap is at most `tolerance` · |value|.

    Give it variables in which the Hessian is roughly the identity: then a first step of length one is about right.
    The gap is half the Newton decrement, `½ gᵀH⁻¹g`, with `H⁻¹` as L-BFGS knows it or the identity, whichever makes
    it larger. Deterministic. What has not converged after `max_iterations` is marked so in the result.
    """
    x = start.clone()
    value, gradient = objective(x)
    history: list[_Pair] = []
    stuck = torch.zeros_like(value, dtype=torch.bool)
    iterations = 0
    while True:
        direction = _direction(gradient, history)
        slope = (gradient * direction).sum(dim=1)
        gap = 0.5 * torch.maximum(-slope, gradient.square().sum(dim=1))
        converged = gap <= tolerance * value.abs()
        active = ~converged & ~stuck
        if iterations == max_iterations or not active.any():
            return Minimum(point=x, value=value, gap=gap, converged=converged, iterations=iterations)
        iterations += 1
        new_x, value, new_gradient, moved = _search(objective, x, value, direction * active[:, None], slope * active)
        stuck |= active & ~moved
        history = [*history, _pair(new_x - x, new_gradient - gradient)][-HISTORY:]
        x, gradient = new_x, new_gradient


_Pair = tuple[Tensor, Tensor, Tensor]


def _search(
    objective: Objective, x: Tensor, value: Tensor, direction: Tensor, slope: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Halve each row's step until it delivers; a row that never does stays where it is."""
    step = torch.ones_like(value)
    allowance = ROUNDING * value.abs()
    new_value, new_gradient = value, direction
    accepted = torch.zeros_like(value, dtype=torch.bool)
    for _ in range(MAX_HALVINGS):
        new_value, new_gradient = objective(x + step[:, None] * direction)
        accepted = new_value <= value + SUFFICIENT_DECREASE * step * slope + allowance
        if accepted.all():
            break
        step = torch.where(accepted, step, step / 2)
    if not accepted.all():
        step = torch.where(accepted, step, 0.0)
        new_value, new_gradient = objective(x + step[:, None] * direction)
    return x + step[:, None] * direction, new_value, new_gradient, accepted


def _direction(gradient: Tensor, history: list[_Pair]) -> Tensor:
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


def _scale(history: list[_Pair]) -> Tensor:
    """s·y / y·y of each row's latest move: the size of the inverse Hessian; 1 where a row never moved."""
    scale = torch.ones_like(history[0][2])
    for _, y, rho in history:
        scale = torch.where(rho > 0, 1 / (rho * (y * y).sum(dim=1)), scale)
    return scale
