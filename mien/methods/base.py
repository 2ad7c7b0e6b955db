"""What a pre-training method is to the trainer, the probe and inference: model and objective in one module.

A step has two halves. `embeddings` looks at clips one by one, so it may be given a batch in parts; `objective` looks at
the whole batch, but only through the embeddings. That is what `mien.train.gradient_cache` needs to train on batches
whose activations do not fit in memory.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from jaxtyping import Float, Int64
from torch import Tensor, nn

from mien.types import ClipBatch, StepOutput

Embeddings = dict[str, Tensor]
"""By name, everything the objective reads of a batch, targets included: one row a clip in every tensor."""


class Method(nn.Module, ABC):
    """Calling it gives the loss of a batch. Under several processes each passes its own part of the global batch, and
    the mean of the losses over processes is the loss of the whole."""

    def forward(self, batch: ClipBatch) -> StepOutput:
        return self.objective(self.embeddings(batch))

    @abstractmethod
    def embeddings(self, batch: ClipBatch) -> Embeddings:
        """What the objective reads of these clips. A clip's row does not depend on the clips beside it, so the rows of
        two halves of a batch are the rows of the batch; a loss of each clip alone may travel as a row too."""

    @abstractmethod
    def objective(self, embeddings: Embeddings) -> StepOutput:
        """The loss of this process's part of the global batch. The only place that communicates."""

    @abstractmethod
    def embed(self, batch: ClipBatch) -> Float[Tensor, "b e"]:
        """What evaluation calls the representation: the clips' embeddings, not normalised, text unseen."""

    @abstractmethod
    def embed_text(self, token_ids: Int64[Tensor, "n l"]) -> Float[Tensor, "n e"]:
        """Embeddings of texts, not normalised."""

    @abstractmethod
    def flops(self, batch: ClipBatch) -> float:
        """Floating-point operations of a forward and backward pass over the batch, a multiplication and an addition
        being two. What is computed twice to save memory counts once."""

    def after_step(self) -> None:
        """Called after each optimiser step, for parameters that must stay within bounds."""
