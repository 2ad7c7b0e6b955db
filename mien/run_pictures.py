"""Pictures of a run: what its model attends to, rebuilds and finds alike, gathered from checkpoint and store."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
import torch.distributed.checkpoint as dcp
import torch.nn.functional as F
from jaxtyping import UInt8
from safetensors import SafetensorError, safe_open
from torch import Tensor

from mien.checkpoint import WEIGHTS, checkpoints
from mien.data.clips import ClipDataset, collate
from mien.data.store import Store
from mien.data.views import ViewDataset, ViewSample
from mien.eval.neighbours import Neighbours, ShownClip, nearest_to
from mien.eval.pictures import AttentionPicture, Still, hmn_attention, plain_attention
from mien.eval.rebuilt import RebuiltPicture, RebuiltView
from mien.inference import Mien
from mien.media.boxes import coverage
from mien.methods import UniEmoX, UniEmoxConfig
from mien.models.mae import masked_of, rebuild
from mien.train.run import RunConfig
from mien.train.sharding import SHARDS
from mien.types import Clip, ClipBatch, MienError

T = TypeVar("T")
LAST_LAYERS = 3
"""Of a model without a subject token; what the first ones attend to is neighbours and edges."""


def attention_pictures(model: Mien, store: Store, clips: Sequence[Clip]) -> tuple[AttentionPicture, ...]:
    """What `hmn` attends to in the middle frame of each clip; of a model without that token `[cls]` and the patches."""
    if not clips:
        return ()
    batch = batch_of(model, store, clips)
    middle = batch.frames.shape[1] // 2
    frames, boxes = batch.frames[:, middle], batch.boxes[:, middle]
    vision, (height, width) = model.config.architecture.vision, frames.shape[-2:]
    matrices = model.network.attention(
        model.config.preprocess.normalize(frames.to(model.device)),
        coverage(boxes, height=height, width=width, patch=vision.patch_size).to(model.device),
    )
    first = 1
    if model.config.architecture.subject == "vanilla":
        first = max(1, vision.layers - LAST_LAYERS + 1)
        weights = plain_attention(matrices[first - 1 :], grid=vision.grid)
    else:
        weights = {"hmn": hmn_attention(matrices, grid=vision.grid)}
    return tuple(
        AttentionPicture(
            still=still_of(frames[i], boxes[i]),
            attention=own[i],
            caption=clip.text or clip.id,
            token=token,
            first_layer=first,
        )
        for i, clip in enumerate(clips)
        for token, own in weights.items()
    )


def rebuilt_pictures(
    run: Path, config: RunConfig, store: Store | None, clips: Sequence[Clip]
) -> tuple[RebuiltPicture, ...] | None:
    """The clips' views as the run's latest checkpoint rebuilds them; the exported model has no decoder any more.

    None for a method that rebuilds nothing; no picture where there is no checkpoint yet, or no store any more.
    """
    method, views = config.method, config.data.views
    if not isinstance(method, UniEmoxConfig) or not method.reconstruction_weight or views is None:
        return None
    found = checkpoints(run / "checkpoints")
    if not found or store is None or not clips:
        return ()
    autoencoder = load_autoencoder(found[-1], method)
    read = ClipDataset(
        store, clips, settings=config.data.clip, preprocess=method.preprocess, augment=None, seed=config.seed
    )
    dataset = ViewDataset(read, views, patches=method.model.vision.grid**2)
    samples = [dataset[0, index] for index in range(len(clips))]
    scenes = _rebuilt(autoencoder, samples, [sample.scene for sample in samples], view=0)
    persons = _rebuilt(autoencoder, samples, [sample.person for sample in samples], view=1)
    return tuple(
        RebuiltPicture(scene=scene, person=person if sample.has_person else None, caption=clip.text or clip.id)
        for sample, scene, person, clip in zip(samples, scenes, persons, clips, strict=True)
    )


def load_autoencoder(checkpoint: Path, config: UniEmoxConfig) -> UniEmoX:
    """The checkpoint's encoder and decoder, be it whole or in shards; without the teacher, who need not be there.

    Shards hold pickles: read those of one's own runs only.
    """
    alone = {"teacher": None, "profile_weight": 0.0, "image_weight": 0.0}
    autoencoder = UniEmoX(config.model_copy(update=alone), teacher=None).eval()
    autoencoder.load_state_dict(_read_weights(checkpoint, autoencoder.state_dict()))
    return autoencoder


def neighbour_rows(
    model: Mien, store: Store, clips: Sequence[Clip], *, queries: int, count: int
) -> tuple[Neighbours, ...]:
    """Of some of the clips, spread evenly, those nearest to them by embedding."""
    if len(clips) < 2:
        return ()
    x = torch.cat([F.normalize(model.embed_batch(batch).float(), dim=-1).cpu() for batch in model.loader(store, clips)])
    rows = []
    for query in spread(range(len(clips)), queries):
        order, cosine = nearest_to(x.numpy(), query=query, sources=[clip.video for clip in clips], count=count)
        own, *others = _shown(model, store, [clips[query], *(clips[i] for i in order)])
        rows.append(Neighbours(query=own, nearest=tuple(zip(others, cosine.tolist(), strict=True))))
    return tuple(rows)


def batch_of(model: Mien, store: Store, clips: Sequence[Clip]) -> ClipBatch:
    """The clips as one batch, as the model sees them."""
    dataset = ClipDataset(store, clips, settings=model.config.clip, preprocess=model.config.preprocess)
    text = model.config.architecture.text
    collate_batch = functools.partial(
        collate, tokenizer=model.tokenizer, context_length=text.context_length if text else 0
    )
    return collate_batch([dataset[0, i] for i in range(len(clips))])


def still_of(frame: UInt8[Tensor, "3 h w"], boxes: Tensor) -> Still:
    """A frame as it is drawn, with the boxes that are not empty."""
    is_box = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    return Still(frame=_last_channels(frame), boxes=boxes[is_box].numpy())


def spread(items: Sequence[T], count: int) -> list[T]:
    """`count` of the items, evenly from first to last."""
    chosen = np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)
    return [items[i] for i in dict.fromkeys(chosen.tolist())]


def _read_weights(checkpoint: Path, own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of these names, of a checkpoint that may have more."""
    weights = {name: torch.empty_like(tensor) for name, tensor in own.items()}
    try:
        if (checkpoint / SHARDS).is_dir():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # it says that it does as asked: one process reads
                dcp.load({"method": weights}, checkpoint_id=checkpoint / SHARDS, no_dist=True)
            return weights
        with safe_open(checkpoint / WEIGHTS, framework="pt") as file:
            return {name: file.get_tensor(name) for name in weights}
    except (OSError, SafetensorError, dcp.CheckpointException) as error:
        raise MienError(f"{checkpoint} cannot be read ({error}); remove it to fall back on an earlier one") from error


@torch.no_grad()
def _rebuilt(
    autoencoder: UniEmoX, samples: Sequence[ViewSample], pictures: Sequence[Tensor], *, view: int
) -> list[RebuiltView]:
    preprocess, vision = autoencoder.config.preprocess, autoencoder.model.vision
    order = torch.stack([sample.patch_order[view] for sample in samples]).long()
    pixels = preprocess.normalize(torch.stack(list(pictures)))
    painted = rebuild(vision, autoencoder.decoder, pixels, order, num_seen=autoencoder.num_seen)
    masked = masked_of(order, num_seen=autoencoder.num_seen).reshape(len(samples), vision.config.grid, -1)
    return [
        RebuiltView(original=_last_channels(before), rebuilt=_last_channels(after), is_masked=hidden.numpy())
        for before, after, hidden in zip(pictures, preprocess.denormalize(painted), masked, strict=True)
    ]


def _shown(model: Mien, store: Store, clips: Sequence[Clip]) -> list[ShownClip]:
    batch = batch_of(model, store, clips)
    middle = batch.frames.shape[1] // 2
    return [
        ShownClip(still=Still(frame=_last_channels(frame), boxes=np.zeros((0, 4), np.float32)), caption=clip.video)
        for frame, clip in zip(batch.frames[:, middle], clips, strict=True)
    ]


def _last_channels(frame: UInt8[Tensor, "3 h w"]) -> UInt8[np.ndarray, "h w 3"]:
    return np.ascontiguousarray(frame.permute(1, 2, 0).numpy())
