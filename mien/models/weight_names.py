"""What the published CLIPs call their tensors, and what this project does."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

UNKNOWN = "?"
"""Before a name that no table has."""


def own_name(name: str, renames: Mapping[str, str], block: Mapping[str, str]) -> str:
    """The own name; the foreign one, marked, where there is none."""
    for foreign, own in renames.items():
        if name.startswith(foreign):
            name = own + name.removeprefix(foreign)
            break
    else:
        return UNKNOWN + name
    if match := re.fullmatch(r"(\w+\.transformer\.blocks\.\d+\.)(.+)", name):
        for foreign, own in block.items():
            if match[2].startswith(foreign):
                return match[1] + own + match[2].removeprefix(foreign)
    return name


def join_qkv(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Every layer's `q_proj`, `k_proj`, `v_proj` as one `qkv`."""
    joined: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if not re.search(r"\.self_attn\.[qkv]_proj\.", name):
            joined[name] = tensor
            continue
        three = [re.sub(r"\.[qkv]_proj\.", f".{letter}_proj.", name) for letter in "qkv"]
        if not all(part in tensors for part in three):
            joined[name] = tensor  # ends as an unknown tensor
        elif name == three[0]:
            joined[name.replace("q_proj", "qkv")] = torch.cat([tensors[part] for part in three])
    return joined


# Names and beginnings of names, foreign to own. What is renamed wrongly by a beginning ends as an unknown tensor.
OPENCLIP = {
    "visual.conv1.": "vision.patch_embedding.",
    "visual.class_embedding": "vision.class_embedding",
    "visual.positional_embedding": "vision.position_embedding",
    "visual.ln_pre.": "vision.pre_norm.",
    "visual.transformer.resblocks.": "vision.transformer.blocks.",
    "visual.ln_post.": "vision.post_norm.",
    "visual.proj": "vision.projection",
    "token_embedding.": "text.token_embedding.",
    "positional_embedding": "text.position_embedding",
    "transformer.resblocks.": "text.transformer.blocks.",
    "ln_final.": "text.final_norm.",
    "text_projection": "text.projection",
    "logit_scale": "logit_scale",
}
OPENCLIP_BLOCK = {
    "ln_1.": "norm1.",
    "attn.in_proj_": "attention.qkv.",
    "attn.out_proj.": "attention.out.",
    "ln_2.": "norm2.",
    "mlp.c_fc.": "mlp.up.",
    "mlp.c_proj.": "mlp.down.",
}
HUGGING_FACE = {
    "vision_model.embeddings.patch_embedding.": "vision.patch_embedding.",
    "vision_model.embeddings.class_embedding": "vision.class_embedding",
    "vision_model.embeddings.position_embedding.weight": "vision.position_embedding",
    "vision_model.pre_layrnorm.": "vision.pre_norm.",  # sic
    "vision_model.pre_layernorm.": "vision.pre_norm.",
    "vision_model.encoder.layers.": "vision.transformer.blocks.",
    "vision_model.post_layernorm.": "vision.post_norm.",
    "visual_projection.weight": "vision.projection",
    "text_model.embeddings.token_embedding.": "text.token_embedding.",
    "text_model.embeddings.position_embedding.weight": "text.position_embedding",
    "text_model.encoder.layers.": "text.transformer.blocks.",
    "text_model.final_layer_norm.": "text.final_norm.",
    "text_projection.weight": "text.projection",
    "logit_scale": "logit_scale",
}
HUGGING_FACE_BLOCK = {
    "layer_norm1.": "norm1.",
    "self_attn.qkv.": "attention.qkv.",
    "self_attn.out_proj.": "attention.out.",
    "layer_norm2.": "norm2.",
    "mlp.fc1.": "mlp.up.",
    "mlp.fc2.": "mlp.down.",
}
MAE = {
    "patch_embed.proj.": "vision.patch_embedding.",
    "cls_token": "vision.class_embedding",
    "pos_embed": "vision.position_embedding",
    "blocks.": "vision.transformer.blocks.",
    "norm.": "vision.post_norm.",
    "fc_norm.": "vision.post_norm.",  # of fine-tuned ones, which have no other
}
MAE_DECODER = {
    "decoder_embed.": "decoder.from_encoder.",
    "mask_token": "decoder.mask_token",
    "decoder_pos_embed": "decoder.positions",
    "decoder_blocks.": "decoder.transformer.blocks.",
    "decoder_norm.": "decoder.norm.",
    "decoder_pred.": "decoder.to_pixels.",
}
MAE_FUSION = {  # of UniEmoX alone, as its checkpoints hold it beside the model
    "att_fusion.linear.weight": "fusion.to_teacher.weight",
    "att_fusion.linear.bias": "fusion.bias",
    "att_fusion.bn.": "fusion.scene_norm.",  # a layer norm, whatever its name
}
MAE_BLOCK = {
    "norm1.": "norm1.",
    "attn.qkv.": "attention.qkv.",
    "attn.proj.": "attention.out.",
    "norm2.": "norm2.",
    "mlp.fc1.": "mlp.up.",
    "mlp.fc2.": "mlp.down.",
}
TEMPORAL = {
    "visual_head.fusion_layer.": "temporal.encoder.",
    "visual_head.frame_position_embedding.weight": "temporal.position_embedding",
}
