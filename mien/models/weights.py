"""Foreign weights in this project's names: the released EmotionCLIP, OpenCLIP and OpenAI, Hugging Face's CLIP, MAE.

Pure functions of tensors; `mien.convert` reads the files. Every tensor of a checkpoint is used, or listed with the
reason why it is not needed, or an error; all sizes come from the tensors' shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from mien.models.mae_weights import pretraining_names, pretraining_state
from mien.models.video_clip import INITIAL_LOGIT_SCALE, VideoClip, VideoClipConfig
from mien.models.weight_names import (
    HUGGING_FACE,
    HUGGING_FACE_BLOCK,
    MAE,
    MAE_BLOCK,
    OPENCLIP,
    OPENCLIP_BLOCK,
    TEMPORAL,
    UNKNOWN,
    join_qkv,
    own_name,
)
from mien.models.weight_sizes import Unseen, infer_config, infer_encoder_config
from mien.types import MienError, Skipped

Tensors = Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True, slots=True)
class Translation:
    """Foreign weights as a state of `VideoClip(config)`, in float32, and what became of each foreign tensor."""

    format: str
    config: VideoClipConfig
    normalization: Literal["clip", "imagenet"]
    state: dict[str, Tensor]
    num_used: int
    ignored: tuple[Skipped, ...]
    pretraining: dict[str, Tensor] = field(default_factory=dict)
    """Decoder and fusion of a masked autoencoder, which are no part of the model (see `mae_weights`)."""


def translate(tensors: Tensors, *, source: str, unseen: Unseen) -> Translation:
    """The checkpoint's tensors as a `VideoClip`; recognised by their names.

    The released EmotionCLIP becomes a model with SAP and a temporal transformer, whose pixels are normalised as
    ImageNet's; a CLIP becomes exactly that CLIP: no subject, clips as the mean of their frames.

    Raises MienError for names that no known format has, for tensors that are missing or left over, and for sizes that
    do not fit together. source: what the tensors were read from, for messages.
    """
    if "backbone.visual.conv1.weight" in tensors:
        return _translate_emotionclip(tensors, source=source, unseen=unseen)
    if "visual.conv1.weight" in tensors:
        return _translate_openclip(tensors, source=source, unseen=unseen)
    if is_hugging_face(tensors):
        return _translate_hugging_face(tensors, source=source, unseen=unseen)
    if any(name.endswith(MAE_MARK) for name in tensors):
        return _translate_mae(tensors, source=source, unseen=unseen)
    raise MienError(
        f"{source} holds no weights this project knows; its first names are {', '.join(list(tensors)[:5]) or 'none'}. "
        "Known are the released EmotionCLIP (backbone.visual.conv1.weight, visual_head.…), OpenCLIP's and OpenAI's "
        "CLIP with a vision transformer (visual.conv1.weight, …), Hugging Face's CLIPModel (vision_model.…) and masked "
        "autoencoders (patch_embed.proj.weight, …)."
    )


def is_hugging_face(tensors: Iterable[str]) -> bool:
    return "vision_model.embeddings.patch_embedding.weight" in tensors


@dataclass(frozen=True, kw_only=True, slots=True)
class Initialised:
    """What `load_matching` did not touch: the model's parameters that stay fresh, the source's that found no place."""

    fresh: list[str]
    unused: list[str]


def load_matching(model: VideoClip, source: Tensors, *, name: str) -> Initialised:
    """Starts `model` from another's weights: the two towers must fit exactly, the rest is taken where it fits.

    The temporal encoder and the subject's parameters are each taken whole or stay as they were initialised: a CLIP's
    weights begin an EmotionCLIP. name: the source's, for messages. Raises MienError where the towers differ.
    """
    own = model.state_dict()
    parts = ("temporal.", "subject.")
    problems = _differences(
        {k: v for k, v in own.items() if not k.startswith(parts)},
        {k: v for k, v in source.items() if not k.startswith(parts)},
    )
    if problems:
        raise MienError(
            f"{name} has other towers than the model it should initialise ({len(problems)} differences):\n"
            f"{_listed(problems)}\nChoose the preset or sizes of {name} under method.model."
        )
    taken = {k: v for k, v in source.items() if not k.startswith(parts)}
    for part in parts:
        there = {k: v for k, v in source.items() if k.startswith(part)}
        if not _differences({k: v for k, v in own.items() if k.startswith(part)}, there):
            taken |= there
    model.load_state_dict(taken, strict=False)
    return Initialised(fresh=sorted(own.keys() - taken.keys()), unused=sorted(source.keys() - taken.keys()))


# ── formats ──────────────────────────────────────────────────────────────────────────────────────

OPENAI_SCALARS = ("input_resolution", "context_length", "vocab_size")
"""Numbers among the tensors of OpenAI's own files, and only there."""


def _translate_emotionclip(tensors: Tensors, *, source: str, unseen: Unseen) -> Translation:
    """`visual_head` must be the published temporal transformer: the ablations' heads were never released."""
    if "visual_head.frame_position_embedding.weight" not in tensors:
        found = [name for name in tensors if name.startswith("visual_head.")]
        raise MienError(
            f"{source} is an EmotionCLIP without visual_head.frame_position_embedding.weight, so its temporal encoder "
            f"is not the released transformer and cannot be converted; of visual_head it has {found[:5] or 'nothing'}"
        )
    names: dict[str, str] = {}
    for name in tensors:
        if name.startswith("backbone."):
            names[name] = own_name(name.removeprefix("backbone."), OPENCLIP, OPENCLIP_BLOCK)
        elif name.startswith("visual_head."):
            names[name] = own_name(name, TEMPORAL, {})
    ignored = {"backbone.attn_mask": "the causal mask, which the text tower makes itself"}
    if "backbone.logit_scale" not in tensors:
        names["logit_scale"] = "logit_scale"  # one shared tensor: some formats keep it under one name only
    elif "logit_scale" in tensors:
        _require_equal(tensors, "logit_scale", "backbone.logit_scale", source=source)
        ignored["logit_scale"] = "the same tensor as backbone.logit_scale"
    if "visual_head.position_ids" in tensors:
        ids = tensors["visual_head.position_ids"].flatten()
        if not torch.equal(ids, torch.arange(len(ids), dtype=ids.dtype)):
            raise MienError(f"{source}: visual_head.position_ids is {ids.tolist()[:9]}, not 0, 1, 2, …")
        ignored["visual_head.position_ids"] = "the numbers 0, 1, 2, …"
    return _finish(
        tensors, names, ignored, format="EmotionCLIP, as released", normalization="imagenet", subject="sap",
        source=source, unseen=unseen,
    )  # fmt: skip


def _translate_openclip(tensors: Tensors, *, source: str, unseen: Unseen) -> Translation:
    names = {name: own_name(name, OPENCLIP, OPENCLIP_BLOCK) for name in tensors}
    ignored = dict.fromkeys(OPENAI_SCALARS, "a size, which the other tensors' shapes tell")
    ignored["attn_mask"] = "the causal mask, which the text tower makes itself"
    return _finish(
        tensors, names, ignored, format="CLIP, OpenCLIP's names", normalization="clip", subject="vanilla",
        source=source, unseen=unseen,
    )  # fmt: skip


def _translate_hugging_face(tensors: Tensors, *, source: str, unseen: Unseen) -> Translation:
    tensors = join_qkv(tensors)
    names = {name: own_name(name, HUGGING_FACE, HUGGING_FACE_BLOCK) for name in tensors}
    tensors = {name: t.T if name.endswith("_projection.weight") else t for name, t in tensors.items()}
    ignored = dict.fromkeys(
        ("text_model.embeddings.position_ids", "vision_model.embeddings.position_ids"), "the numbers 0, 1, 2, …"
    )
    return _finish(
        tensors, names, ignored, format="CLIP, Hugging Face's names", normalization="clip", subject="vanilla",
        source=source, unseen=unseen,
    )  # fmt: skip


MAE_MARK = "patch_embed.proj.weight"


def _translate_mae(tensors: Tensors, *, source: str, unseen: Unseen) -> Translation:
    """The encoder of MAE, or of a model that holds one below a name of its own (`encoder.`, `module.`); UniEmoX's has
    MAE's names. Heads serve other classes, and are not needed."""
    prefix = next(name for name in tensors if name.endswith(MAE_MARK)).removesuffix(MAE_MARK)
    inner = {name: name.removeprefix(prefix) for name in tensors}
    beside = pretraining_names(inner)
    has_pooled_norm = any(name.startswith("fc_norm.") for name in inner.values())
    names, ignored, shaped = dict[str, str](), dict[str, str](), dict[str, Tensor]()
    for name, tensor in tensors.items():
        if name in beside:
            continue
        is_encoders = name.startswith(prefix) and inner[name].startswith(tuple(MAE))
        if not is_encoders:
            ignored[name] = "no part of encoder, decoder or fusion"
        elif has_pooled_norm and inner[name].startswith("norm."):
            ignored[name] = "not read where the patches' mean is, which fc_norm normalises"
        names[name] = own_name(inner[name], MAE, MAE_BLOCK) if is_encoders else UNKNOWN + name
        shaped[name] = tensor.reshape(tensor.shape[1:]) if is_encoders and inner[name] == "pos_embed" else tensor
        shaped[name] = shaped[name].flatten() if is_encoders and inner[name] == "cls_token" else shaped[name]
    scalar = {"logit_scale": torch.tensor(INITIAL_LOGIT_SCALE)}  # every VideoClip has one; nobody asks this one for it
    kinds = {own.split(".")[0] for own in beside.values()}
    found = _finish(
        shaped | scalar, names | {"logit_scale": "logit_scale"}, ignored,
        format=f"a masked autoencoder's encoder{''.join(f', {kind}' for kind in sorted(kinds))}",
        normalization="imagenet", subject="vanilla", source=source, unseen=unseen, infer=infer_encoder_config,
    )  # fmt: skip
    pretraining = pretraining_state(tensors, beside, vision=found.config.vision, source=source)
    return replace(found, pretraining=pretraining, num_used=found.num_used + len(beside) - len(scalar))


# ── sizes and accounts ───────────────────────────────────────────────────────────────────────────


def _finish(
    tensors: Tensors,
    names: Mapping[str, str],
    ignored: Mapping[str, str],
    *,
    format: str,
    normalization: Literal["clip", "imagenet"],
    subject: Literal["sap", "vanilla"],
    source: str,
    unseen: Unseen,
    infer: Callable[..., VideoClipConfig] | None = None,
) -> Translation:
    used = {name: tensor for name, tensor in tensors.items() if name not in ignored}
    own = {names.get(name, UNKNOWN + name): name for name in used}
    state = {to: used[name].detach().float().contiguous() for to, name in own.items()}
    if "logit_scale" in state:
        state["logit_scale"] = state["logit_scale"].reshape(())
    config = (infer or partial(infer_config, subject=subject))(state, source=source, unseen=unseen)
    with torch.device("meta"):
        expected = VideoClip(config).state_dict()
    problems = [f"unknown: {own[to]} {tuple(state[to].shape)}" for to in state.keys() - expected.keys()]
    problems += [f"twice: {name}" for name in used if own[names.get(name, UNKNOWN + name)] != name]
    problems += _differences(expected, {k: v for k, v in state.items() if k in expected})
    if problems:
        raise MienError(
            f"{source} looks like {format}, but {len(problems)} tensors do not fit it:\n{_listed(problems)}\n"
            "Only the published architectures are known; nothing was converted."
        )
    return Translation(
        format=format,
        config=config,
        normalization=normalization,
        state=state,
        num_used=len(used),
        ignored=tuple(Skipped(what=name, reason=why) for name, why in ignored.items() if name in tensors),
    )


def _require_equal(tensors: Tensors, a: str, b: str, *, source: str) -> None:
    if not torch.equal(tensors[a].flatten(), tensors[b].flatten()):
        raise MienError(f"{source}: {a} and {b} must be one shared tensor, but are {tensors[a]} and {tensors[b]}")


def _differences(expected: Tensors, found: Tensors) -> list[str]:
    problems = [f"missing: {name} {tuple(expected[name].shape)}" for name in expected.keys() - found.keys()]
    problems += [f"left over: {name} {tuple(found[name].shape)}" for name in found.keys() - expected.keys()]
    problems += [
        f"{name}: {tuple(found[name].shape)} there, {tuple(expected[name].shape)} wanted"
        for name in expected.keys() & found.keys()
        if found[name].shape != expected[name].shape
    ]
    return sorted(problems)


def _listed(problems: list[str], *, most: int = 12) -> str:
    rest = [f"  … and {len(problems) - most} more"] if len(problems) > most else []
    return "\n".join([f"  {problem}" for problem in sorted(problems)[:most]] + rest)
