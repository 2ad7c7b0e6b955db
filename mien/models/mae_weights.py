"""What masked autoencoders' checkpoints hold beside the encoder, in this project's names: decoder and fusion.

They serve pre-training alone, so they are no part of a model; `init_from` goes on with them. The names are MAE's, which
UniEmoX's released code shares. Its fusion stands beside the model in `checkpoint.pth`; the numbered ones lack it.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mien.models.mae import DecoderConfig, MaskedDecoder
from mien.models.vit import VisionConfig
from mien.models.weight_names import MAE_BLOCK, MAE_DECODER, MAE_FUSION, UNKNOWN, own_name
from mien.types import MienError

Tensors = Mapping[str, Tensor]
DECODER, FUSION = "decoder.", "fusion."


def pretraining_names(names: Mapping[str, str]) -> dict[str, str]:
    """Of a checkpoint's names, each given with what it is called within its model, those of decoder and fusion, by
    their own names."""
    found = dict[str, str]()
    for name, inner in names.items():
        own = own_name(inner, MAE_DECODER | MAE_FUSION, MAE_BLOCK)
        if not own.startswith(UNKNOWN):
            found[name] = own
    return found


def pretraining_state(
    tensors: Tensors, names: Mapping[str, str], *, vision: VisionConfig, source: str
) -> dict[str, Tensor]:
    """Decoder and fusion in own names and float32, those of them that are there.

    names: foreign to own. Raises MienError for a decoder that is not whole, or of sizes that do not fit the encoder.
    """
    state = {own: tensors[name].detach().float().clone() for name, own in names.items()}
    if "decoder.positions" in state:
        state["decoder.positions"] = state["decoder.positions"].squeeze(0)
    if "decoder.mask_token" in state:
        state["decoder.mask_token"] = state["decoder.mask_token"].flatten()
    decoder = {name: tensor for name, tensor in state.items() if name.startswith(DECODER)}
    if decoder:
        _require_whole(decoder, vision=vision, source=source)
    norms = [name for name in state if name.startswith("fusion.scene_norm.")]
    return state | {name.replace("scene", "person"): state[name].clone() for name in norms}  # one norm, in both places


def start_pretraining(method: nn.Module, state: Tensors) -> list[str]:
    """Starts a method's decoder and fusion from `state`, each whole or, where its sizes differ, not at all.

    Returns those of them that stay as they were initialised.
    """
    own, fresh = method.state_dict(), list[str]()
    for part in (DECODER, FUSION):
        mine = {name: tensor.shape for name, tensor in own.items() if name.startswith(part)}
        found = {name: tensor for name, tensor in state.items() if name.startswith(part)}
        if mine and mine == {name: tensor.shape for name, tensor in found.items()}:
            method.load_state_dict(found, strict=False)
        elif mine:
            fresh.append(part.removesuffix("."))
    return fresh


def _require_whole(decoder: Tensors, *, vision: VisionConfig, source: str) -> None:
    """Compares names and shapes with those of the decoder that these shapes tell of."""
    blocks = {name.split(".")[3] for name in decoder if name.startswith("decoder.transformer.blocks.")}
    told = decoder.get("decoder.from_encoder.weight")
    if told is None or not blocks:
        raise MienError(f"{source} has part of a decoder, without decoder_embed.weight or decoder_blocks")
    config = DecoderConfig(width=len(told), layers=len(blocks), heads=1)  # heads change no shape
    with torch.device("meta"):
        expected = {DECODER + n: t.shape for n, t in MaskedDecoder(vision, config).state_dict().items()}
    found = {name: tensor.shape for name, tensor in decoder.items()}
    problems = [f"{name} {tuple(expected[name])} is missing" for name in expected.keys() - found.keys()]
    problems += [f"{name} {tuple(found[name])} is left over" for name in found.keys() - expected.keys()]
    problems += [
        f"{name} is {tuple(found[name])}, not {tuple(expected[name])}"
        for name in expected.keys() & found.keys()
        if expected[name] != found[name]
    ]
    if problems:
        raise MienError(f"the decoder in {source} is not whole: {'; '.join(sorted(problems)[:6])}")
