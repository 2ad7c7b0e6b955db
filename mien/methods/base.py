"""What a pre-training method is to the trainer, the probe and inference: model and objective in one module."""

from __future__ import annotations

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor, nn

from mien.types import ClipBatch, StepOutput


class Method(nn.Module, ABC):
    """Calling it gives the loss of a batch. Under several processes each passes its own part of the global batch, and
    the mean of the losses over processes is the loss of the whole."""

    @abstractmethod
    def forward(self, batch: ClipBatch) -> StepOutput: ...

    @abstractmethod
    def embed(self, batch: ClipBatch) -> Float[Tensor, "b e"]:
        """What evaluation calls the representation: the clips' embeddings, not normalised, text unseen."""

    @abstractmethod
    def embed_text(self, batch: ClipBatch) -> Float[Tensor, "b e"]:
        """The utterances' embeddings, not normalised."""

    def after_step(self) -> None:
        """Called after each optimiser step, for parameters that must stay within bounds."""
