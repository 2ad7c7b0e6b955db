"""`mien classify`: which of somebody's words fit a video, or each face in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mien.terminal import console, errors, say, show_cut_off, show_faces, show_moments

if TYPE_CHECKING:
    from mien.inference import Mien

BackendOption = Annotated[
    Literal["torch", "onnx"] | None,
    typer.Option(
        help="onnx: by onnxruntime, on the CPU; graphs are made first if MODEL has none. By default as MODEL is."
    ),
]
PrecisionOption = Annotated[
    Literal["float32", "bfloat16", "int8"],
    typer.Option(help="Nearly the same, faster: int8 two to three times on a CPU; bfloat16 for GPUs."),
]


def classify(
    video: Annotated[Path, typer.Argument(help="A video or a picture.")],
    labels: Annotated[
        str | None, typer.Option(help="Your words, separated by commas; with --faces, the eight of FER+ by default.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Model folder, or hf:ID of one on the hub; with --faces, the shipped one by default."),
    ] = None,
    window: Annotated[float, typer.Option(help="Seconds a moment.")] = 4.0,
    precision: PrecisionOption = "float32",
    backend: BackendOption = None,
    template: Annotated[list[str] | None, typer.Option(help="Prompt with {} for the label; repeatable.")] = None,
    faces: Annotated[bool, typer.Option("--faces", help="Each face by itself, by a model made for faces.")] = False,
    draw: Annotated[
        Path | None, typer.Option(help="With --faces: a picture to draw the faces and their scores in, faces.png say.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For a machine to read.")] = False,
) -> None:
    """Say which of your words fits a video when: a probability a word, every few seconds. Apparent emotion only.

    Example: `mien classify photo.jpg --faces --labels "happiness,anger,surprise"`, or of whole scenes
    `mien classify video.mp4 --model models/emotionclip --labels "joy,anger,relief"`
    """
    with errors():
        from mien.inference import Mien
        from mien.prompts import split_words
        from mien.types import MienError, Skipped

        words = None if labels is None else split_words(labels)
        if faces:
            loaded = Mien.from_pretrained(model or "face", precision=precision, backend=backend)
            _classify_faces(loaded, video, words, templates=template, window_s=window, draw=draw, as_json=as_json)
            return
        if model is None or words is None or draw is not None:
            raise MienError("add --faces, which --draw is for too; or name a --model of scenes and --labels")
        loaded = Mien.from_pretrained(model, precision=precision, backend=backend)
        if loaded.config.shown == "faces":
            raise MienError(f"{model} is a model of faces; add --faces, which tells of each face by itself")
        with console.status(f"reading {video}, finding people, embedding"):
            cut_off = list[Skipped]()
            moments = loaded.classify(
                video, words, templates=template or None, window_s=window, on_missing=cut_off.append
            )
        show_cut_off(cut_off)
        show_moments(moments, words, as_json=as_json)


def _classify_faces(
    model: Mien,
    path: Path,
    labels: list[str] | None,
    *,
    templates: list[str] | None,
    window_s: float,
    draw: Path | None,
    as_json: bool,
) -> None:
    from mien.captions.lexicon import FACE_EMOTIONS
    from mien.captions.naming import FACE_TEMPLATES
    from mien.face_moments import classify_faces
    from mien.face_pictures import draw_faces, require_picture
    from mien.whole_file import require_writable

    words = FACE_EMOTIONS if labels is None else labels
    if draw is not None:
        require_picture(draw)
        require_writable(draw)
    with console.status(f"reading {path}, finding faces, embedding"):
        found = classify_faces(model, path, words, templates=templates or FACE_TEMPLATES, window_s=window_s)
        if draw is not None:
            num_drawn, num_moments = draw_faces(path, found, draw)
    show_faces(found, words, as_json=as_json)
    if draw is not None:
        say(f"drawn in {draw}" + (f", {num_drawn} of {num_moments} moments" if num_drawn < num_moments else ""))
