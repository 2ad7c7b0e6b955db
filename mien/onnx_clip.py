"""`OnnxClip`: what `VideoClip` computes, by ONNX graphs and onnxruntime on the CPU; for embedding only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int64
from torch import Tensor

from mien.hub import read_config
from mien.model_folder import FRAMES, TEMPORAL, TEXT, Graphs
from mien.models.video_clip import NO_TEXT
from mien.perception.onnx_session import open_session
from mien.types import MienError


class OnnxClip:
    """Embeds frames, clips and texts in one space. Pixels come normalised; embeddings leave un-normalised."""

    def __init__(self, folder: Path, *, threads: int) -> None:
        """folder: what `mien to-onnx` wrote. threads: of onnxruntime, 0 for as many as there are cores."""
        config = read_config(folder)
        if config.graphs is None:
            raise MienError(f"{folder} holds weights, not ONNX graphs; `mien to-onnx` makes a folder of these")
        self.config = config.architecture
        self.graphs: Graphs = config.graphs
        self.logit_scale = torch.tensor(config.graphs.logit_scale)
        self._frames = open_session(folder / FRAMES, threads=threads)
        self._temporal = open_session(folder / TEMPORAL, threads=threads)
        self._text = None if config.architecture.text is None else open_session(folder / TEXT, threads=threads)
        self._reads_coverage = "coverage" in {each.name for each in self._frames.get_inputs()}

    def encode_frames(
        self, frames: Float[Tensor, "n 3 h w"], coverage: Float[Tensor, "n gh gw"]
    ) -> Float[Tensor, "n e"]:
        """Embeddings of pictures. coverage: the share of each patch that the subject covers, in [0, 1]."""
        inputs = {"frames": frames, "coverage": coverage} if self._reads_coverage else {"frames": frames}
        return _run(self._frames, inputs)

    def temporal(self, frames: Float[Tensor, "b t e"]) -> Float[Tensor, "b e"]:
        """Embeddings of clips from those of their frames."""
        kind, positions = self.config.temporal.kind, self.config.temporal.num_frames
        if kind == "transformer" and (frames.shape[1] > positions or (positions <= 2 and frames.shape[1] != positions)):
            raise MienError(f"a clip has {frames.shape[1]} frames but the temporal encoder has {positions} positions")
        return _run(self._temporal, {"frames": frames})

    def encode_video(
        self, video: Float[Tensor, "b t 3 h w"], coverage: Float[Tensor, "b t gh gw"]
    ) -> Float[Tensor, "b e"]:
        """Embeddings of clips of T frames each."""
        frames = self.encode_frames(
            rearrange(video, "b t c h w -> (b t) c h w"), rearrange(coverage, "b t gh gw -> (b t) gh gw")
        )
        return self.temporal(rearrange(frames, "(b t) e -> b t e", t=video.shape[1]))

    def encode_text(self, token_ids: Int64[Tensor, "b l"]) -> Float[Tensor, "b e"]:
        """Embeddings of texts, from token ids that end with the end-of-text id."""
        if self._text is None:
            raise MienError(NO_TEXT)
        if token_ids.shape[1] > self.config.reads.context_length:
            raise MienError(
                f"token ids of length {token_ids.shape[1]} exceed the model's context of "
                f"{self.config.reads.context_length}; tokenise with truncation"
            )
        return _run(self._text, {"token_ids": token_ids})


def _run(session: Any, inputs: dict[str, Tensor]) -> Tensor:
    arrays = {name: np.ascontiguousarray(x.detach().cpu().numpy()) for name, x in inputs.items()}
    (embeddings,) = session.run(["embeddings"], arrays)
    return torch.from_numpy(embeddings)
