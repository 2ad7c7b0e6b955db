"""Supervised fine-tuning: a linear head on a tower's embeddings, and the loss of a benchmark's labels through both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, Shaped
from torch import Tensor, nn

from mien.methods.base import Embeddings, Method
from mien.methods.running_mean import RunningMean
from mien.types import ClipBatch, LabelKind, MienError, MixedBatch, StepOutput

HEAD_DEVIATION = 0.01
"""Of the head's first weights: small, so that the first steps' gradients do not shake what is pre-trained."""

EmbedWith = Callable[[nn.Module, ClipBatch], Float[Tensor, "b e"]]
"""A tower and a batch → the clips' embeddings."""


class Tower(nn.Module):
    """A model and the head on top: `weight · x + bias`, x the embedding scaled to a mean square of 1 over its entries.

    That is the norm → linear that vision transformers are fine-tuned with; as x is √e times the L2-normalised
    embedding, the head is a linear one on the features that probes are fitted on.
    """

    def __init__(self, model: nn.Module, *, width: int, num_outputs: int) -> None:
        super().__init__()
        self.model = model
        self.head = nn.Linear(width, num_outputs)
        nn.init.normal_(self.head.weight, std=HEAD_DEVIATION)
        nn.init.zeros_(self.head.bias)

    def outputs(self, embedding: Float[Tensor, "b e"]) -> Float[Tensor, "b c"]:
        """Logits, or numbers scaled as the targets are."""
        with torch.autocast(embedding.device.type, enabled=False):
            return self.head(F.normalize(embedding.float(), dim=-1) * embedding.shape[-1] ** 0.5)


class Supervised(Method):
    """Cross-entropy of a category, binary cross-entropy of labels that go together, or squares of numbers.

    targets: a row an id of `ids`; indices of classes, booleans, or numbers. class_weights: what an exclusive class
    counts, 1 on the mean over samples. ema_decay: `deployed` is then a running mean of the weights. clip_flops: a
    clip's forward pass, for the log.
    """

    targets: Tensor
    class_weights: Tensor | None

    def __init__(
        self,
        model: nn.Module,
        *,
        embed: EmbedWith,
        width: int,
        num_outputs: int,
        labels: LabelKind,
        ids: Sequence[str],
        targets: Shaped[Tensor, "n *c"],
        label_smoothing: float = 0.0,
        class_weights: Float[Tensor, "c"] | None = None,
        ema_decay: float = 0.0,
        clip_flops: float = 0.0,
    ) -> None:
        super().__init__()
        self.trained = Tower(model, width=width, num_outputs=num_outputs)
        self.averaged = RunningMean(self.trained, decay=ema_decay) if ema_decay else None
        self.embed_with = embed
        self.labels = labels
        self.row_of = {id_: row for row, id_ in enumerate(ids)}
        self.label_smoothing = label_smoothing
        self.clip_flops = clip_flops
        self.register_buffer("targets", targets, persistent=False)
        self.register_buffer("class_weights", class_weights, persistent=False)

    @property
    def deployed(self) -> Tower:
        """What is evaluated and kept: the running mean, or without one what is trained."""
        return self.trained if self.averaged is None else cast(Tower, self.averaged.model)

    def embeddings(self, batch: ClipBatch) -> Embeddings:
        found = {
            "outputs": self.trained.outputs(self.embed_with(self.trained.model, batch)),
            "targets": self._targets(batch.ids),
        }
        if isinstance(batch, MixedBatch):
            found |= {"partner_targets": self._targets(batch.partner_ids), "share": batch.share}
        return found

    def objective(self, embeddings: Embeddings) -> StepOutput:
        outputs, targets = embeddings["outputs"].float(), embeddings["targets"]
        with torch.autocast(outputs.device.type, enabled=False):
            losses = self._losses(outputs, targets)
            if "share" in embeddings:
                share = embeddings["share"]
                losses = share * losses + (1 - share) * self._losses(outputs, embeddings["partner_targets"])
        logs = dict[str, Tensor]()
        if self.labels == "category":
            logs["train_accuracy"] = (outputs.detach().argmax(dim=1) == targets).float().mean()
        return StepOutput(loss=losses.mean(), logs=logs)

    def embed(self, batch: ClipBatch) -> Float[Tensor, "b e"]:
        return self.embed_with(self.deployed.model, batch)

    def embed_text(self, token_ids: Int64[Tensor, "n l"]) -> Float[Tensor, "n e"]:
        raise MienError("fine-tuning by labels looks at no texts; ask the model itself for their embeddings")

    def flops(self, batch: ClipBatch) -> float:
        return 3 * self.clip_flops * len(batch.ids)  # forward, back to the inputs, back to the weights

    def after_step(self) -> None:
        if self.averaged is not None:
            self.averaged.update(self.trained)

    def _targets(self, ids: Sequence[str]) -> Shaped[Tensor, "b *c"]:
        return self.targets[torch.tensor([self.row_of[id_] for id_ in ids], device=self.targets.device)]

    def _losses(self, outputs: Float[Tensor, "b c"], targets: Shaped[Tensor, "b *c"]) -> Float[Tensor, "b"]:
        """Each sample's: their mean is the loss, so that parts of a batch add up to it."""
        match self.labels:
            case "category":
                each = F.cross_entropy(outputs, targets, label_smoothing=self.label_smoothing, reduction="none")
                return each if self.class_weights is None else each * self.class_weights[targets]
            case "scores":
                return F.binary_cross_entropy_with_logits(outputs, targets.float(), reduction="none").mean(dim=1)
            case "vad":
                return F.mse_loss(outputs, targets.float(), reduction="none").mean(dim=1)
