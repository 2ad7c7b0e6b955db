"""`Mien`: a model with its tokenizer and its preprocessing, for those who want embeddings in three lines."""

from __future__ import annotations

import functools
import itertools
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange, reduce
from jaxtyping import Float, Float32, Int64, Shaped, UInt8
from torch import Tensor

from mien.captions.naming import FACE_TEMPLATES
from mien.data.clips import ClipDataset, collate
from mien.data.loader import load_in_order
from mien.data.pictures import PictureReader, Source, is_video, named
from mien.data.store import Store
from mien.engine import Backend, Engine, Precision, open_engine
from mien.hub import ModelFolder, push_model, save_model
from mien.media.boxes import coverage
from mien.media.pictures import read_picture
from mien.media.sampling import evenly, segment_midpoints
from mien.media.video import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from mien.models.bfloat16 import Bfloat16Linear
from mien.models.int8 import Int8Linear
from mien.models.video_clip import VideoClip
from mien.prepare import PrepareSettings, prepared_alone
from mien.prepare.frames import missing_part
from mien.prompts import require_prompts
from mien.text import Tokenizer
from mien.types import Clip, ClipBatch, MienError, Skipped

TEMPLATES = ("{}.", "a person who feels {}.", "a person showing {}.", "someone is speaking with {}.")
"""Prompts a label is put into; the scores of all are averaged. A result depends on them: state them."""


Mask = Shaped[Tensor, "*n mask_h mask_w"]
Pixels = Float[Tensor, "*n 3 h w"] | UInt8[Tensor, "*n 3 h w"]
WHOLE = float("inf")
"""The window of who takes a video in one."""
OnMissing = Callable[[Skipped], None]
"""Told what of a file did not decode, though the rest did."""

PREPARING = PrepareSettings(images=True, exclude=())
"""How files are read for embedding."""


def warn_of_missing(missing: Skipped) -> None:
    """What is done where nobody asks to be told: a Python warning."""
    warnings.warn(f"{missing.what}: {missing.reason}", stacklevel=2)


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """What a model makes of a stretch of a video: its embedding, and a probability a label where labels were asked."""

    video: str
    start_s: float
    end_s: float
    embedding: Float32[np.ndarray, "e"]
    scores: dict[str, float]


class Mien:
    """Embeds pictures, clips and texts in one space.

    Pixels are uint8 RGB (0 to 255, normalised here) or float, already normalised as `config.preprocess` says; both at
    the model's size. Masks say where the subject is, in [0, 1], at the pixels' size; without one, the subject is the
    whole picture. Embeddings are not normalised unless `normalize=True`.
    """

    def __init__(
        self,
        model: Engine,
        *,
        config: ModelFolder,
        tokenizer: Tokenizer | None,
        device: str | None = None,
        card: str | None = None,
    ) -> None:
        """model: what computes. card: the README of the folder it came from, which it is saved and pushed with."""
        if isinstance(model, VideoClip):
            device = device or ("cuda" if torch.cuda.is_available() else "cpu")
            model = model.to(device).eval()
        self.device = device or "cpu"
        self.model = model
        self.config = config
        self.tokenizer = tokenizer
        self.card = card

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        device: str | None = None,
        precision: Precision = "float32",
        backend: Backend | None = None,
        threads: int | None = None,
    ) -> Mien:
        """The model in a folder (`mien train`, `mien convert` and `mien to-onnx` make such), on the hub
        (`hf:OWNER/NAME`), or the one that comes with the package, `face`.

        precision: `int8` computes the transformers' linear layers in 8-bit integers, on the CPU: two to three times as
        fast, embeddings nearly the same; `bfloat16` in that type, for GPUs. Such a model cannot be saved. backend:
        `onnx` computes by onnxruntime on the CPU, with `threads` threads, as many as torch has by default. A folder of
        ONNX graphs is run so by itself, in the precision it was written in; of another model, graphs are made first,
        which takes seconds to a minute.
        """
        found = open_engine(name, backend=backend, precision=precision, device=device, threads=threads)
        return cls(found.engine, config=found.config, tokenizer=found.tokenizer, device=found.device, card=found.card)

    @property
    def network(self) -> VideoClip:
        """The torch module, for those who train it or look into it. Raises MienError where onnxruntime computes."""
        if not isinstance(self.model, VideoClip):
            raise MienError("this model runs by onnxruntime, which only embeds; load the one it was made of")
        return self.model

    def save_pretrained(self, path: str | Path, *, half: bool = False) -> None:
        """Writes the folder that `from_pretrained` reads; with `half`, weights as 16-bit floats.

        The card is that of the folder the model was loaded from, if it had one. What pre-training alone needs (a masked
        autoencoder's decoder, UniEmoX's fusion) is left out.
        """
        network = self.network
        if any(isinstance(module, Int8Linear | Bfloat16Linear) for module in network.modules()):
            raise MienError("a model in int8 or bfloat16 has lost its weights' precision; save it as loaded in float32")
        save_model(
            Path(path),
            weights=network.state_dict(),
            config=self.config,
            tokenizer=self.tokenizer,
            card=self.card,
            half=half,
        )

    def push_to_hub(self, repo_id: str, *, private: bool = True) -> str:
        """Uploads the model folder to the Hugging Face hub as OWNER/NAME, with its card, and returns its address.

        What is there already stays as public as it was. Raises MienError without a token, and where the hub refuses.
        """
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(Path(folder) / "model")
            return push_model(Path(folder) / "model", repo_id, private=private)

    def embed(
        self, sources: Source | Sequence[Source], *, cropped: bool = False, normalize: bool = False
    ) -> Float32[np.ndarray, "n e"]:
        """Embeddings of pictures and videos, a row each, in their order; `torch.from_numpy` makes a tensor of them.

        sources: one or several, mixed as you like: paths, bytes, arrays, tensors, images of PIL (`mien.media.pictures`
        says of which shapes), faces that `find_faces` found. They may be of any size. cropped: the subject fills the
        picture; else a model of faces takes the largest face, and a model of scenes the people, both as found by the
        detectors that come with mien. A video is one clip, its frames spread evenly over all of it; for moments of it
        see `classify` and `embed_file`. Memory holds 32 pictures at a time, at the model's size.

        Raises MienError, which names the source, where one cannot be read, or holds no face and should.
        """
        listed = named(sources)
        rows = np.empty((len(listed), self.config.architecture.embed_dim), np.float32)
        pictures = [row for row, (_, source) in enumerate(listed) if not is_video(source)]
        rest = iter(pictures)
        for batch in self._reader.batches([listed[row] for row in pictures], cropped=cropped):
            rows[list(itertools.islice(rest, len(batch.ids)))] = self.embed_batch(batch).float().cpu().numpy()
        for row in set(range(len(listed))).difference(pictures):
            (moment,) = self.embed_file(Path(listed[row][0]), window_s=WHOLE)
            rows[row] = moment.embedding
        return rows / np.linalg.norm(rows, axis=1, keepdims=True) if normalize else rows

    def compare(
        self, sources: Source | Sequence[Source], texts: str | Sequence[str], *, cropped: bool = False
    ) -> Float32[np.ndarray, "n m"]:
        """Cosines, in [-1, 1], of pictures and videos with texts: a row a source, a column a text.

        sources, cropped: as in `embed`. What a cosine means differs from model to model: compare them with each other.
        """
        text = self.encode_text([texts] if isinstance(texts, str) else texts, normalize=True)
        return self.embed(sources, cropped=cropped, normalize=True) @ text.float().cpu().numpy().T

    @torch.inference_mode()
    def encode_frames(
        self, frames: Pixels, subject_mask: Mask | None = None, *, normalize: bool = False
    ) -> Float[Tensor, "n e"]:
        """Embeddings of single pictures `[n, 3, h, w]`, masks `[n, h, w]`."""
        pixels = self._pixels(frames, ndim=4)
        return _finish(self.model.encode_frames(pixels, self._coverage(pixels, subject_mask)), normalize=normalize)

    @torch.inference_mode()
    def encode_video(
        self, video: Pixels, subject_mask: Mask | None = None, *, normalize: bool = False
    ) -> Float[Tensor, "b e"]:
        """Embeddings of clips `[b, t, 3, h, w]`, masks `[b, t, h, w]`."""
        pixels = self._pixels(video, ndim=5)
        return _finish(self.model.encode_video(pixels, self._coverage(pixels, subject_mask)), normalize=normalize)

    @torch.inference_mode()
    def encode_text(
        self, texts: Sequence[str] | Int64[Tensor, "b l"], *, normalize: bool = False
    ) -> Float[Tensor, "b e"]:
        """Embeddings of texts, or of token ids that end with the tokenizer's end-of-text id."""
        if isinstance(texts, str):
            raise MienError(f"encode_text takes a list of texts; write [{texts!r}]")
        if len(texts) == 0:
            return torch.empty(0, self.config.architecture.embed_dim, device=self.device)
        reads = self.config.architecture.reads
        if not isinstance(texts, Tensor):
            if self.tokenizer is None:
                raise MienError("this model came without a tokenizer; give it token ids, an int64 tensor [b, l]")
            texts = self.tokenizer.encode(texts, context_length=reads.context_length)
        return _finish(self.model.encode_text(texts.to(self.device)), normalize=normalize)

    @torch.inference_mode()
    def embed_batch(self, batch: ClipBatch) -> Float[Tensor, "b e"]:
        """Embeddings of a batch as the loader makes it; what evaluation calls."""
        return embed_clips(self.model, batch.to(self.device), config=self.config)

    @torch.inference_mode()
    def embed_first_frames(self, batch: ClipBatch) -> Float[Tensor, "b e"]:
        """The frame encoder's embeddings of each clip's first frame: what evaluation calls for pictures."""
        return embed_clips(self.model, batch.to(self.device), config=self.config, features="frame")

    @torch.inference_mode()
    def embed_mean_of_frames(self, batch: ClipBatch) -> Float[Tensor, "b e"]:
        """The mean of the frame encoder's embeddings of a clip's frames, as Exp-CLIP's protocol has it."""
        moved = batch.to(self.device)
        height, width = moved.frames.shape[-2:]
        covered = coverage(moved.boxes, height=height, width=width, patch=self.config.architecture.vision.patch_size)
        pixels = rearrange(self.config.preprocess.normalize(moved.frames), "b t c h w -> (b t) c h w")
        frames = self.model.encode_frames(pixels, rearrange(covered, "b t gh gw -> (b t) gh gw"))
        return reduce(frames, "(b t) e -> b e", "mean", b=len(moved.ids))

    @torch.inference_mode()
    def label_scores(
        self, embeddings: Float[Tensor, "n e"], labels: Sequence[str], *, templates: Sequence[str] = TEMPLATES
    ) -> Float[Tensor, "n c"]:
        """Zero-shot probabilities of `labels`: the softmax of scaled cosines, averaged over templates before it."""
        return self.prompt_scores(embeddings, self.encode_prompts(labels, templates=templates))

    def encode_prompts(self, labels: Sequence[str], *, templates: Sequence[str] = TEMPLATES) -> Float[Tensor, "c t e"]:
        """Each label in each template, embedded and L2-normalised: for those who score many batches by the same."""
        require_prompts(labels, templates)
        prompts = [template.replace("{}", label) for label in labels for template in templates]
        self.require_read_whole(prompts)
        return rearrange(self.encode_text(prompts, normalize=True), "(c t) e -> c t e", t=len(templates))

    def require_read_whole(self, texts: Sequence[str]) -> None:
        """Raise MienError where a text is longer than this model reads."""
        longest = self.config.architecture.reads.context_length
        if self.tokenizer and (cut := self.tokenizer.truncated(texts, context_length=longest)):
            raise MienError(f"this model reads {longest} tokens of a text; shorten {texts[cut[0]][:60]!r}…")

    @torch.inference_mode()
    def prompt_scores(self, embeddings: Float[Tensor, "n e"], prompts: Float[Tensor, "c t e"]) -> Float[Tensor, "n c"]:
        """`label_scores` by prompts that `encode_prompts` made."""
        cosine = F.normalize(embeddings.to(self.device), dim=-1) @ prompts.mean(dim=1).T  # the mean over templates
        return (self.model.logit_scale.exp() * cosine).softmax(dim=-1)

    @torch.inference_mode()
    def encode_subjects(self, frames: UInt8[Tensor, "n 3 h w"], boxes: Float[Tensor, "n k 4"]) -> Float[Tensor, "n e"]:
        """Embeddings of single pictures, each with the boxes of its subject in its own pixels; empty boxes are none."""
        pixels = self._pixels(frames, ndim=4)
        height, width = pixels.shape[-2:]
        covered = coverage(boxes, height=height, width=width, patch=self.config.architecture.vision.patch_size)
        return self.model.encode_frames(pixels, covered.to(self.device, pixels.dtype))

    @torch.inference_mode()
    def join_frames(self, frames: Float[Tensor, "b t e"]) -> Float[Tensor, "b e"]:
        """Embeddings of clips from those of their frames: what `encode_video` does after its frames."""
        return self.model.temporal(frames.to(self.device))

    def classify(
        self,
        source: Source | Sequence[Source] | Pixels,
        labels: Sequence[str],
        templates: Sequence[str] | None = None,
        *,
        window_s: float = 4.0,
        cropped: bool = False,
        on_missing: OnMissing = warn_of_missing,
    ) -> list[Moment]:
        """Which of `labels` fits: one `Moment` per `window_s` seconds of a video, or per picture, or per clip.

        source: the path of a video, pictures as in `embed` (`cropped` too), or clips `[b, t, 3, h, w]` as in
        `encode_video`. templates: prompts that labels are put into, by default those of the kind of model (`prompts`).
        The scores of a moment sum to one over the labels. `on_missing` is told of the part of a video that is damaged.
        Raises MienError, before anything is read, of a model that reads no texts.
        """
        prompts = self.prompts if templates is None else templates
        require_prompts(labels, prompts)
        _ = self.config.architecture.reads  # raises for a model that reads no texts
        if isinstance(source, Tensor) and source.ndim == 5:
            clips = self.encode_video(source).float().cpu().numpy()
            moments = _whole([f"#{place}" for place in range(len(clips))], clips)
        elif is_video(source):
            moments = self.embed_file(Path(source), window_s=window_s, on_missing=on_missing)
        else:
            moments = _whole([name for name, _ in named(source)], self.embed(source, cropped=cropped))
        if not moments:
            return []
        embeddings = torch.from_numpy(np.stack([m.embedding for m in moments]))
        scores = self.label_scores(embeddings, labels, templates=prompts).cpu().tolist()
        return [
            replace(moment, scores=dict(zip(labels, row, strict=True)))
            for moment, row in zip(moments, scores, strict=True)
        ]

    def embed_file(
        self, path: Path, *, window_s: float = 4.0, cropped: bool = False, on_missing: OnMissing = warn_of_missing
    ) -> list[Moment]:
        """Embeddings of a video file or a picture (`cropped` as in `embed`), a moment per `window_s` seconds.

        The file goes through `prepare` into a temporary store, so that it is read just as training data are. Of a file
        that is cut off, what decodes is embedded, and `on_missing` told. Raises MienError if it cannot be read.
        """
        require_media(path)
        require_window(window_s)
        if path.suffix.lower() in IMAGE_SUFFIXES:
            return _whole([str(path)], self.embed(path, cropped=cropped))
        if self.config.shown == "faces":
            raise MienError(
                f"this model is of faces: mien.classify_faces (mien classify --faces) tells of those in {path}"
            )
        with prepared_alone(path, settings=PREPARING) as store:
            if missing := missing_part(store.frames(path.stem), video=str(path)):
                on_missing(missing)
            return list(self.embed_store(store, window_s=window_s))

    def embed_store(self, store: Store, *, window_s: float = 4.0) -> Iterator[Moment]:
        """Embeddings of all videos of a store, a moment per `window_s` seconds."""
        clips = [clip for video in store.videos for clip in windows(store, video, window_s=window_s)]
        rest = iter(clips)
        for batch in self.loader(store, clips):
            embeddings = self.embed_batch(batch).float().cpu().numpy()
            for clip, embedding in zip(itertools.islice(rest, len(embeddings)), embeddings, strict=True):
                yield Moment(video=clip.video, start_s=clip.start_s, end_s=clip.end_s, embedding=embedding, scores={})

    def loader(
        self, store: Store, clips: Sequence[Clip], *, workers: int = 0, midpoints: int | None = None
    ) -> Iterable[ClipBatch]:
        """The clips in order, as this model wants them; or `midpoints` frames of each, of as many equal segments."""
        text = self.config.architecture.text
        collate_batch = functools.partial(
            collate,
            tokenizer=(self.tokenizer or Tokenizer.clip()) if text else None,
            context_length=text.context_length if text else 0,
        )
        settings, sample_frames = self.config.clip, evenly
        if midpoints is not None:
            settings, sample_frames = settings.model_copy(update={"num_frames": midpoints}), segment_midpoints
        dataset = ClipDataset(
            store, clips, settings=settings, preprocess=self.config.preprocess, sample_frames=sample_frames
        )
        return load_in_order(dataset, collate=collate_batch, batch_size=32, workers=workers)

    @property
    def prompts(self) -> Sequence[str]:
        """The prompts that labels are put into, unless others are given: those of faces for a model of faces."""
        return FACE_TEMPLATES if self.config.shown == "faces" else TEMPLATES

    @functools.cached_property
    def _reader(self) -> PictureReader:
        return PictureReader(
            preprocess=self.config.preprocess,
            settings=self.config.clip,
            shown=self.config.shown,
            finds_people=self.config.architecture.subject != "vanilla",
        )

    def _pixels(self, pixels: Pixels, *, ndim: int) -> Float[Tensor, "*n 3 h w"]:
        size = self.config.preprocess.image_size
        if not isinstance(pixels, Tensor):
            raise MienError(f"pixels must be a torch tensor, not {type(pixels).__name__}; torch.from_numpy makes one")
        if pixels.ndim != ndim or tuple(pixels.shape[-3:]) != (3, size, size) or 0 in pixels.shape:
            leading = "n" if ndim == 4 else "b, t"
            raise MienError(
                f"pixels are {tuple(pixels.shape)}, but this model takes [{leading}, 3, {size}, {size}]; "
                "mien.media.transforms crops and resizes"
            )
        moved = pixels.to(self.device)
        if moved.is_floating_point():
            return moved.to(self.model.logit_scale.dtype)
        if moved.dtype != torch.uint8:
            raise MienError(f"pixels are {moved.dtype}; uint8 from 0 to 255, or normalised floats, are wanted")
        return self.config.preprocess.normalize(moved)

    def _coverage(self, pixels: Tensor, mask: Tensor | None) -> Float[Tensor, "*n gh gw"]:
        size = (*pixels.shape[:-3], *pixels.shape[-2:])
        if mask is None:
            mask = torch.ones(size)
        if tuple(mask.shape) != size:
            raise MienError(f"the subject mask is {tuple(mask.shape)}, but the pixels want {size}")
        patch = self.config.architecture.vision.patch_size
        return mask_coverage(mask.to(self.device, pixels.dtype), patch=patch)


def require_media(path: Path) -> None:
    """Raise MienError unless `path` is a file that is, by its name, a video or a picture; pictures must be whole."""
    if not path.is_file():
        is_folder = f"{path} is a folder; `mien analyze` and `mien embed` take those"
        raise MienError(is_folder if path.exists() else f"no file at {path}")
    if path.suffix.lower() not in VIDEO_SUFFIXES | IMAGE_SUFFIXES:
        known = ", ".join(sorted(VIDEO_SUFFIXES | IMAGE_SUFFIXES))
        raise MienError(f"{path} is, by its name, neither a video nor a picture: known are {known}")
    if path.suffix.lower() in IMAGE_SUFFIXES:
        read_picture(path)  # FFmpeg would make something of half a picture


def embed_clips(
    model: Engine, batch: ClipBatch, *, config: ModelFolder, features: Literal["video", "frame"] = "video"
) -> Float[Tensor, "b e"]:
    """Embeddings of a batch on the model's device, not normalised; gradients flow where they are on.

    features: of whole clips, or the frame encoder's of each clip's first frame.
    """
    patch, (height, width) = config.architecture.vision.patch_size, batch.frames.shape[-2:]
    if features == "frame":
        frames, boxes = batch.frames[:, 0], batch.boxes[:, 0]  # b 3 h w, b k 4
        covered = coverage(boxes, height=height, width=width, patch=patch)
        return model.encode_frames(config.preprocess.normalize(frames), covered)
    covered = coverage(batch.boxes, height=height, width=width, patch=patch)
    return model.encode_video(config.preprocess.normalize(batch.frames), covered)


def mask_coverage(mask: Float[Tensor, "*n h w"], *, patch: int) -> Float[Tensor, "*n gh gw"]:
    """The mean of a pixel mask in each patch: what `mien.media.boxes.coverage` is for boxes."""
    flat = mask.reshape(-1, 1, *mask.shape[-2:])
    return F.avg_pool2d(flat, patch).reshape(*mask.shape[:-2], mask.shape[-2] // patch, mask.shape[-1] // patch)


def windows(store: Store, video: str, *, window_s: float) -> list[Clip]:
    """A video cut into stretches of about `window_s` seconds, all equally long, none left over."""
    info = store.frames(video).info
    duration = info.num_frames / info.fps
    count = max(1, round(duration / window_s))
    edges = np.linspace(0, duration, count + 1)
    cut = [store.clip(video, start_s=float(start), end_s=float(end)) for start, end in itertools.pairwise(edges)]
    if cut[-1].start_s < info.source_duration_s < duration < info.source_duration_s + 1 / info.fps:
        # the video ends while its last frame is shown
        cut[-1] = replace(cut[-1], end_s=info.source_duration_s)
    return cut


def require_window(window_s: float) -> None:
    frame_s = 1 / PREPARING.frames.fps
    if not window_s >= frame_s:
        raise MienError(f"the window must last a frame or more, {frame_s} s; got {window_s}")


def _whole(names: Sequence[str], embeddings: Float32[np.ndarray, "n e"]) -> list[Moment]:
    """Of what has no time: each one moment."""
    return [
        Moment(video=name, start_s=0.0, end_s=0.0, embedding=embedding, scores={})
        for name, embedding in zip(names, embeddings, strict=True)
    ]


def _finish(embedding: Tensor, *, normalize: bool) -> Tensor:
    return F.normalize(embedding, dim=-1) if normalize else embedding
