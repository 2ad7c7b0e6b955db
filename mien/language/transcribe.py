"""Speech recognition: the words of a video without subtitles, with their times.

By faster-whisper (extra `asr`), with a model of the CTranslate2 format. Only a name that is no local folder is fetched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import av
import numpy as np
from jaxtyping import Float32, Int16

from mien.file_digest import sha256_of
from mien.hub_fetch import fetching
from mien.types import Caption, MienError, Word

SAMPLE_RATE = 16_000
"""Of the sound that Whisper hears, in Hz."""

MAX_LATE_S = 3600.0
"""Sound that begins later than this after the start of its file does not belong there: its time stamps are broken."""


class NoSoundError(MienError):
    """There is nothing to hear; nothing else need be wrong with the video."""


def transcribe(
    video: Path, *, model: str | SpeechRecogniser, language: str | None = None, vad: bool = True
) -> tuple[list[Caption], str]:
    """What is said in `video`, and the language it is in (`en`), recognised from its first half minute unless given.

    `model` is a folder, a size (`small`), a hub id (`OWNER/NAME@REVISION`), or a recogniser made of one: make that
    once for many videos. A caption is a stretch of speech; its words have times of their own, in seconds from the
    start of the video, which never decrease nor exceed its length. With `vad`, stretches without a voice are passed
    over. Raises MienError where there is no sound, or no such model or language.
    """
    recogniser = SpeechRecogniser.load(model) if isinstance(model, str) else model
    return recogniser.transcribe(video, language=language, vad=vad)


class SpeechRecogniser:
    """A Whisper model at work; `id` names its folder or hub id, and its revision."""

    def __init__(self, whisper: Any, *, id: str) -> None:
        self.id = id
        self._whisper = whisper

    @classmethod
    def load(cls, name: str, *, threads: int = 0) -> SpeechRecogniser:
        """The model in a folder, or of a size or hub id, on the processor in 8-bit integers.

        `threads` = 0 lets CTranslate2 choose. Raises MienError if the extra is missing, or the model cannot be had.
        """
        faster_whisper = _faster_whisper()
        folder, id = _place(name)
        try:
            whisper = faster_whisper.WhisperModel(
                str(folder), device="cpu", compute_type="int8", cpu_threads=threads, local_files_only=True
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise MienError(
                f"{folder} cannot be loaded: {error}; it must be a Whisper model for CTranslate2"
            ) from error
        return cls(whisper, id=id)

    def transcribe(self, video: Path, *, language: str | None = None, vad: bool = True) -> tuple[list[Caption], str]:
        """As the function of this name."""
        known = self._whisper.supported_languages
        language = re.split("[-_]", language)[0].lower() if language else None  # "en-GB" is "en" to Whisper
        if language is not None and language not in known:
            raise MienError(f"{self.id} does not know the language {language!r}; it knows {', '.join(known)}")
        sound = read_sound(video)
        segments, info = self._whisper.transcribe(
            sound,
            language=language,
            word_timestamps=True,
            vad_filter=vad,
            temperature=0.0,  # above, words are drawn at random: the same video would not give the same ones
            condition_on_previous_text=False,  # without drawing, it would not get out of a repetition
        )
        return _captions(segments, duration_s=len(sound) / SAMPLE_RATE), info.language


def read_sound(path: Path) -> Float32[np.ndarray, "n"]:
    """The first audio track of a file, mono, at SAMPLE_RATE, in [-1, 1], from the start of the file on.

    A track that begins later is preceded by silence; broken packets are passed over. Raises MienError where the file
    cannot be read or its sound begins more than `MAX_LATE_S` late, and NoSoundError where there is no track, or none
    of it can be decoded.
    """
    if not path.is_file():
        raise MienError(f"no video at {path}")
    try:
        container = av.open(str(path), metadata_errors="replace")
    except (av.error.FFmpegError, OSError) as error:
        raise MienError(f"{path} cannot be read ({error.strerror}): fetch it again, or remove it") from error
    with container:
        if not container.streams.audio:
            raise NoSoundError(f"{path} has no sound to recognise speech in; give it subtitles")
        pieces = _decoded(path, container)
    if not any(piece.any() for piece in pieces):
        raise NoSoundError(f"{path}: its audio track is empty or silent; give it subtitles")
    return np.concatenate(pieces).astype(np.float32) / 32768


def _decoded(path: Path, container: Any) -> list[Int16[np.ndarray, "_"]]:
    """Pieces of the first audio track, one after the other from the start of the file; none where it is empty."""
    frames = _frames(container, container.streams.audio[0])
    first = next(frames, None)
    if first is None:
        return []
    origin_s = (container.start_time or 0) / av.time_base
    late_s = 0.0 if first.pts is None else max(0.0, float(first.pts * first.time_base) - origin_s)
    if late_s > MAX_LATE_S:
        raise MienError(
            f"{path}: its sound begins {late_s:.0f} s after the file, so its times are broken; fetch it again, "
            "or remove it"
        )
    return [np.zeros(round(late_s * SAMPLE_RATE), dtype=np.int16), *_mono(chain([first], frames))]


def _frames(container: Any, stream: Any) -> Iterator[Any]:
    packets = container.demux(stream)
    is_end = False
    while not is_end:
        with suppress(av.error.FFmpegError):  # a broken packet, or the file ends in the middle of something
            packet = next(packets, None)
            is_end = packet is None
            yield from stream.decode(packet)  # None: what the decoder still holds


def _mono(frames: Iterable[Any]) -> Iterator[Int16[np.ndarray, "_"]]:
    """The sound of `frames`, whose rate and channels may change midway, as in broadcasts."""
    for _, alike in groupby(frames, key=lambda frame: (frame.format.name, frame.layout.name, frame.sample_rate)):
        resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)  # floats would add up above 1
        for frame in chain(alike, [None]):  # None: what the resampler still holds
            for resampled in resampler.resample(frame):
                yield resampled.to_ndarray()[0]


def _captions(segments: Any, *, duration_s: float) -> list[Caption]:
    """A caption a stretch of speech; times are made to follow each other, as Whisper's may not quite."""
    captions = []
    last_s = 0.0
    for segment in segments:
        words = []
        for word in segment.words or []:
            start_s = min(max(float(word.start), last_s), duration_s)
            last_s = min(max(float(word.end), start_s), duration_s)
            if word.word.strip():
                words.append(Word(start_s=start_s, end_s=last_s, text=word.word.strip()))
        if words:
            text = " ".join(word.text for word in words)
            captions.append(Caption(start_s=words[0].start_s, end_s=words[-1].end_s, text=text, words=tuple(words)))
    return captions


def _faster_whisper() -> Any:
    try:
        import faster_whisper
    except ImportError:
        raise MienError("speech recognition needs faster-whisper: pip install 'mien[asr]'") from None
    return faster_whisper


def _place(name: str) -> tuple[Path, str]:
    """The folder of a model, fetched if it is not one, and the id that names it with its revision."""
    folder = Path(name)
    if folder.is_dir():
        for file in ("model.bin", "tokenizer.json"):  # faster-whisper would fetch a missing tokenizer from the hub
            if not (folder / file).is_file():
                raise MienError(
                    f"{folder} has no {file}; ct2-transformers-converter --copy_files tokenizer.json "
                    "preprocessor_config.json makes such a folder from a Whisper model"
                )
        return folder, f"{folder.resolve().name}@{sha256_of([folder / 'model.bin'])[:12]}"
    from faster_whisper.utils import download_model

    size_or_id, _, revision = name.partition("@")
    with fetching(name):
        folder = Path(download_model(size_or_id, revision=revision or None))
    return folder, f"{size_or_id}@{folder.name}"  # the cache keeps a folder a commit
