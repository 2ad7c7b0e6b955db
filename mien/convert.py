"""Foreign checkpoints as model folders: reads files without running code from them, and saves what they amount to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from mien.hub import TOKENIZER, ModelFolder, save_model
from mien.media.transforms import NORMALIZATION, Preprocess
from mien.models.transformer import Activation
from mien.models.video_clip import VideoClip, VideoClipConfig
from mien.models.weight_sizes import HEAD_WIDTH, Unseen
from mien.models.weights import OPENAI_SCALARS, Translation, is_hugging_face, translate
from mien.state_file import read_tensors
from mien.text import Tokenizer
from mien.types import MienError, Skipped

HUGGING_FACE_FILES = ("model.safetensors", "pytorch_model.bin")


@dataclass(frozen=True, kw_only=True, slots=True)
class ConversionReport:
    """What was recognised and what became of every tensor; `notes` are things the user should know."""

    format: str
    architecture: VideoClipConfig
    preprocess: Preprocess
    num_tensors: int
    ignored: tuple[Skipped, ...]
    notes: tuple[str, ...]

    def summary(self) -> str:
        vision, text, temporal = self.architecture.vision, self.architecture.text, self.architecture.temporal
        lines = [
            f"{self.format}: {self.num_tensors} tensors used, {len(self.ignored)} not needed",
            f"image tower {vision.width} wide, {vision.layers} layers, {vision.heads} heads, {vision.activation}, "
            f"patch {vision.patch_size} at {vision.image_size} px; {self.preprocess.normalization} pixels",
            f"text tower {text.width} wide, {text.layers} layers, {text.heads} heads, {text.activation}, "
            f"{text.vocab_size} tokens, context {text.context_length}"
            if text
            else "no text tower",
            f"subject {self.architecture.subject}; temporal encoder {temporal.kind}",
        ]
        lines += [f"not needed: {skipped.what} ({skipped.reason})" for skipped in self.ignored]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def convert(
    source: str | Path,
    out: str | Path,
    *,
    quick_gelu: bool = False,
    vision_heads: int | None = None,
    text_heads: int | None = None,
    temporal_heads: int = 8,
    weights_license: str = "unknown",
) -> ConversionReport:
    """Writes `source`'s weights as the model folder `out`.

    source: the released EmotionCLIP's checkpoint, an OpenCLIP or OpenAI state dict (.pt, .bin, .safetensors), a masked
    autoencoder's or UniEmoX's (whose encoder is the model; decoder and fusion lie beside it, for `init_from`), or a
    Hugging Face CLIP folder. quick_gelu: OpenAI's activation, which
    state dicts do not tell (OpenAI's own do, and so do Hugging Face folders). Heads: only where they are not one per 64
    channels, and 8 in the temporal encoder.

    Raises MienError for files of another kind, for files that want code to be run, and for tensors nobody expects.
    """
    source, out = Path(source), Path(out)
    if out.absolute() in (source.absolute(), *source.absolute().parents):
        raise MienError(f"{out} would replace {source} itself; name another folder for the model")
    translation, notes = read_foreign(
        source,
        quick_gelu=quick_gelu,
        vision_heads=vision_heads,
        text_heads=text_heads,
        temporal_heads=temporal_heads,
    )
    config = translation.config
    preprocess = Preprocess(image_size=config.vision.image_size, normalization=translation.normalization)
    tokenizer, about_tokenizer = _find_tokenizer(source, config)
    model = VideoClip(config)
    model.load_state_dict(translation.state)
    save_model(
        out,
        weights=model.state_dict(),
        config=ModelFolder(
            architecture=config,
            preprocess=preprocess,
            weights_license=weights_license,
            trained_on=f"unknown; converted from {source.name} ({translation.format})",
        ),
        tokenizer=tokenizer,
        notes=f"Converted from {source.name}, recognised as: {translation.format}.",
        pretraining=translation.pretraining,
    )
    return ConversionReport(
        format=translation.format,
        architecture=config,
        preprocess=preprocess,
        num_tensors=translation.num_used,
        ignored=translation.ignored,
        notes=(*notes, *about_tokenizer),
    )


def read_foreign(
    source: Path,
    *,
    quick_gelu: bool = False,
    vision_heads: int | None = None,
    text_heads: int | None = None,
    temporal_heads: int = 8,
) -> tuple[Translation, list[str]]:
    """The weights of a foreign file or folder in this project's names, and notes on what had to be assumed."""
    tensors, file = _read_source(source)
    activation: Activation = "quick_gelu" if quick_gelu else "gelu"
    notes = []
    if any(name in tensors for name in OPENAI_SCALARS) and not quick_gelu:
        activation = "quick_gelu"
        notes.append(f"{', '.join(n for n in OPENAI_SCALARS if n in tensors)} say it is OpenAI's: QuickGELU")
    unseen = Unseen(
        vision_heads=vision_heads,
        text_heads=text_heads,
        temporal_heads=temporal_heads,
        vision_activation=activation,
        text_activation=activation,
    )
    if is_hugging_face(tensors):
        unseen, more = _unseen_of_hugging_face(file.parent, unseen)
        notes += more
    translation = translate(tensors, source=str(source), unseen=unseen)
    vision, text = translation.config.vision, translation.config.text
    marks_pooling = translation.pretraining or any("fc_norm" in name for name in tensors)
    if vision.layout == "mae" and not marks_pooling:
        notes.append("taken to be a masked autoencoder's, though it has no decoder: others of this form read [cls]")
    towers = [("vision", vision.width, vision.heads, unseen.vision_heads)]
    towers += [("text", text.width, text.heads, unseen.text_heads)] if text else []
    for name, width, heads, given in towers:
        if given is None and width % HEAD_WIDTH:
            notes.append(f"the {name} tower is {width} wide and taken to have {heads} heads; see {name}_heads")
    return translation, notes


def _read_source(source: Path) -> tuple[dict[str, Tensor], Path]:
    """The tensors of a file, or of the weights' file of a folder, and that file."""
    if not source.exists():
        raise MienError(f"no file or folder at {source}")
    if source.is_file():
        return read_tensors(source), source
    file = next((source / name for name in HUGGING_FACE_FILES if (source / name).is_file()), None)
    if file is None or not (source / "config.json").is_file():
        names = sorted(path.name for path in source.iterdir())
        raise MienError(
            f"{source} is not a Hugging Face CLIP folder: that holds config.json and "
            f"{' or '.join(HUGGING_FACE_FILES)}, this one {', '.join(names[:8]) or 'nothing'}; "
            "of other checkpoints, give the file"
        )
    return read_tensors(file), file


def _unseen_of_hugging_face(folder: Path, given: Unseen) -> tuple[Unseen, list[str]]:
    """Heads, activations and the end-of-text token from a Hugging Face folder's `config.json`; absent keys have the
    library's defaults."""
    path = folder / "config.json"
    if not path.is_file():
        raise MienError(f"the weights have Hugging Face's names, which need their config.json beside them: no {path}")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        vision, text = config["vision_config"], config["text_config"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise MienError(f"{path} is not the config of a Hugging Face CLIPModel: {error!r}") from error
    _refuse_other_pixels(folder / "preprocessor_config.json")
    for name, tower in (("vision", vision), ("text", text)):
        if tower.get("layer_norm_eps", 1e-5) != 1e-5:
            raise MienError(f"{path}: {name}_config.layer_norm_eps is {tower['layer_norm_eps']}; only 1e-5 is known")
    eot_id, notes = text.get("eos_token_id", 49407), []
    vocab_size = text.get("vocab_size", 49408)
    if eot_id in (
        None,
        2,
        vocab_size - 1,
    ):  # 2: configs written before the library could tell; both mean the largest id
        eot_id = None
    elif eot_id >= vocab_size:
        notes.append(f"eos_token_id {eot_id} is outside the vocabulary of {vocab_size}: texts are read at their start")
    return Unseen(
        vision_heads=given.vision_heads or vision.get("num_attention_heads", 12),
        text_heads=given.text_heads or text.get("num_attention_heads", 8),
        vision_activation=_activation(vision, path),
        text_activation=_activation(text, path),
        eot_id=eot_id,
    ), notes


def _activation(tower: Mapping[str, Any], path: Path) -> Activation:
    name = tower.get("hidden_act", "quick_gelu")
    if name == "gelu" or name == "quick_gelu":
        return "gelu" if name == "gelu" else "quick_gelu"
    raise MienError(f"{path}: hidden_act is {name!r}; known are 'gelu' and 'quick_gelu'")


def _refuse_other_pixels(path: Path) -> None:
    if not path.is_file():
        return
    found = json.loads(path.read_text(encoding="utf-8"))
    for key, wanted in zip(("image_mean", "image_std"), NORMALIZATION["clip"], strict=True):
        values = found.get(key, wanted)
        if any(abs(a - b) > 1e-3 for a, b in zip(values, wanted, strict=True)):
            raise MienError(f"{path}: {key} is {values}; this project knows CLIP's, {list(wanted)}, for such models")


def _find_tokenizer(source: Path, config: VideoClipConfig) -> tuple[Tokenizer | None, list[str]]:
    """The source's own tokenizer where it has one, else CLIP's, provided that it is the model's size; none where it
    reads no texts."""
    if config.text is None:
        return None, []
    beside = (source if source.is_dir() else source.parent) / TOKENIZER
    tokenizer = Tokenizer.load(beside) if source.is_dir() and beside.is_file() else Tokenizer.clip()
    vocab_size, eot_id = config.reads.vocab_size, config.reads.eot_id
    if tokenizer.vocab_size == vocab_size and tokenizer.eot_id == (vocab_size - 1 if eot_id is None else eot_id):
        return tokenizer, []
    return None, [
        f"no tokenizer: the model has {vocab_size} tokens, the tokenizer {tokenizer.vocab_size}, ending texts with "
        f"{tokenizer.eot_id}; the model takes token ids only"
    ]
