"""Layer-wise decay of the learning rate: AdamW whose rate shrinks by a factor a layer, from the head to the pixels.

Source: BEiT (Bao et al. 2022), after ELECTRA (Clark et al. 2020). The head has the whole rate, a layer d below it
`decay ** d` of it. Gains and biases are not decayed in weight, as in `mien.train.optim`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import nn

BETAS = (0.9, 0.999)


def build_decayed_optimizer(
    parameters: Iterable[tuple[str, nn.Parameter]],
    *,
    depths: Mapping[str, int],
    lr: float,
    weight_decay: float,
    layer_decay: float,
) -> torch.optim.AdamW:
    """AdamW over a group a depth and kind of parameter; `peak_lr` is what the schedule scales.

    parameters: those to train, by the names that `depths` has. Parameters of the greatest depth get `lr` itself.
    """
    deepest = max(depths.values())
    groups: dict[tuple[int, bool], list[nn.Parameter]] = {}
    for name, parameter in parameters:
        groups.setdefault((depths[name], parameter.ndim >= 2), []).append(parameter)
    return torch.optim.AdamW(
        [
            {
                "params": group,
                "lr": (rate := lr * layer_decay ** (deepest - depth)),
                "peak_lr": rate,
                "weight_decay": weight_decay if is_matrix else 0.0,
            }
            for (depth, is_matrix), group in sorted(groups.items(), key=lambda item: item[0])
        ],
        betas=BETAS,
        fused=True,
    )
