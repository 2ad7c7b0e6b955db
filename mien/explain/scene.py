"""A moment of a video or a picture explained: what a video model sees in the subject, the context, and the faces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from einops import repeat
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from mien.data.clips import ClipDataset, Sample
from mien.data.store import Store
from mien.explain.attention import attention_of_tokens
from mien.explain.explanation import Explanation
from mien.explain.occlusion import heat_map, mask_parts
from mien.inference import PREPARING, TEMPLATES, Mien, require_media, require_window
from mien.media.boxes import coverage
from mien.media.sampling import evenly
from mien.media.transforms import centre_crop, crop_boxes_with
from mien.prepare import prepared_moment
from mien.prompts import require_prompts
from mien.types import Clip

CELLS = 7
"""Squares along a side of the heat map: of 224 pixels, 32 each, a patch of ViT-B/32."""
CLIPS_AT_A_TIME = 8


def explain_scene(
    model: Mien,
    path: Path,
    words: Sequence[str],
    *,
    at_s: float | None = None,
    window_s: float = 4.0,
    templates: Sequence[str] = TEMPLATES,
    on_fraction: Callable[[float], None] = lambda _: None,
) -> Explanation:
    """The moment around `at_s`, by default the middle of the video, as the model sees it.

    Whoever was found (or is told of by a side-car) stays pointed out to the model while pixels are hidden. Raises
    MienError where the file cannot be read, or has ended by then.
    """
    require_media(path)
    require_window(window_s)
    require_prompts(words, templates)
    _ = model.network, model.config.architecture.reads  # raise where onnxruntime computes, and where no texts are read
    with prepared_moment(path, at_s=at_s, window_s=window_s, frames=PREPARING.frames) as moment:
        clip = moment.store.whole_clip(moment.video)
        dataset = ClipDataset(moment.store, [clip], settings=model.config.clip, preprocess=model.config.preprocess)
        sample = dataset[0, 0]
        frames = np.ascontiguousarray(sample.frames.permute(0, 2, 3, 1).numpy())
        parts = _parts(moment.store, clip, sample)
    preprocess = model.config.preprocess
    patch, size = model.config.architecture.vision.patch_size, frames.shape[1]
    covered = torch.stack([coverage(own, height=size, width=size, patch=patch) for own in sample.boxes])

    total, done = 3 + 2 * len(parts) + CELLS**2, 0  # the whole, unmarked, and the whole again by the heat map

    def score(clips: UInt8[Tensor, "n t 3 h w"], subject: Float[Tensor, "t gh gw"] = covered) -> Float[Tensor, "n c"]:
        nonlocal done
        embedded = list[Tensor]()
        for few in torch.split(clips, CLIPS_AT_A_TIME):
            of_each = repeat(subject, "t gh gw -> n t gh gw", n=len(few)).to(model.device)
            with torch.inference_mode():
                embedded.append(model.model.encode_video(preprocess.normalize(few.to(model.device)), of_each))
            done += len(few)
            on_fraction(done / total)
        return model.label_scores(torch.cat(embedded), words, templates=templates).cpu()

    is_told = model.config.architecture.subject != "vanilla" and bool(covered.any())
    whole = score(sample.frames[None])[0]
    unmarked = score(sample.frames[None], torch.zeros_like(covered))[0]
    return Explanation(
        file=path.name,
        title="the scene",
        start_s=moment.start_s,
        end_s=moment.end_s,
        frames=frames,
        boxes=tuple(own.numpy() for own in sample.boxes),
        parts=parts,
        scores=dict(zip(words, whole.tolist(), strict=True)),
        unmarked=dict(zip(words, unmarked.tolist(), strict=True)) if is_told else None,
        masked=mask_parts(frames, parts, score=score, words=words),
        heat_map=heat_map(frames, score=score, words=words, cells=CELLS),
        attention=attention_of_tokens(model, sample.frames, covered),
        notes=_notes(parts),
    )


def _parts(store: Store, clip: Clip, sample: Sample) -> dict[str, Bool[np.ndarray, "t h w"]]:
    """The subject, the context and the faces, where there are such."""
    size = sample.frames.shape[-1]
    subject = _inside(sample.boxes, size=size)
    faces = _inside(_face_boxes(store, clip, num_frames=len(sample.boxes), size=size), size=size)
    found = {"the subject": subject, "the context": ~subject, "the faces": faces}
    if not subject.any() or subject.all():
        found = {"the faces": faces}
    return {name: mask for name, mask in found.items() if mask.any()}


def _inside(boxes: Sequence[Float[Tensor, "_ 4"]], *, size: int) -> Bool[np.ndarray, "t h w"]:
    """The pixels at least half of which lies in a box."""
    return torch.stack([coverage(own, height=size, width=size, patch=1) >= 0.5 for own in boxes]).numpy()


def _face_boxes(store: Store, clip: Clip, *, num_frames: int, size: int) -> list[Float[Tensor, "_ 4"]]:
    """Of the frames that are read of the clip, in pixels of what the model is fed."""
    info, table = store.frames(clip.video).info, store.faces(clip.video)
    crop = centre_crop(height=info.height, width=info.width)
    to_stored = torch.tensor(info.stored_per_source * 2)
    chosen = evenly(clip.num_frames, count=num_frames) + clip.start_frame
    rows = [torch.from_numpy(table.xyxy[table.frame == frame]) for frame in chosen]
    return [crop_boxes_with(own * to_stored, crop, size=size) for own in rows]


def _notes(parts: dict[str, Bool[np.ndarray, "t h w"]]) -> tuple[str, ...]:
    """What could not be hidden, and why."""
    nobody = "nobody was found, or somebody everywhere: subject and context cannot be told apart"
    return (
        *([] if "the subject" in parts else [nobody]),
        *([] if "the faces" in parts else ["no face was found in what the model sees"]),
    )
