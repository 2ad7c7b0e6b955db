"""Speech recognition: the words of a video without subtitles, with their times.

By faster-whisper (extra `asr`), with a model of the CTranslate2 format. Only a name that is no local folder is fetched.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mien.file_digest import sha256_of
from mien.hub_fetch import fetching
from mien.media.sound import SAMPLE_RATE, sound_pieces
from mien.types import UNKNOWN, Caption, MienError, Word


def transcribe(
    video: Path, *, model: str | SpeechRecogniser, language: str | None = None, vad: bool = True
) -> tuple[list[Caption], str]:
    """What is said in `video`, and the language it is in (`en`).

    It is recognised piece by piece (`mien.media.sound`), so that memory does not grow with the video. A language that
    is not given is recognised from the first half minute of the first piece in which something is said, and kept; it is
    UNKNOWN where nothing is.

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
        captions: list[Caption] = []
        num_heard = 0
        for sound in sound_pieces(video):
            start_s, end_s = num_heard / SAMPLE_RATE, (num_heard + len(sound)) / SAMPLE_RATE
            num_heard += len(sound)
            if not sound.any():
                continue
            segments, info = self._whisper.transcribe(
                sound,
                language=language,
                word_timestamps=True,
                vad_filter=vad,
                temperature=0.0,  # above, words are drawn at random: the same video would not give the same ones
                condition_on_previous_text=False,  # without drawing, it would not get out of a repetition
            )
            said = _captions(segments, start_s=start_s, end_s=end_s)
            captions += said
            if said:
                language = info.language
        return captions, language or UNKNOWN


def _captions(segments: Any, *, start_s: float, end_s: float) -> list[Caption]:
    """A caption a stretch of speech in a piece that lies there in the video, from whose start `segments` are timed.

    Times are made to follow each other and to stay within the piece, as Whisper's may not quite.
    """
    captions = []
    last_s = start_s
    for segment in segments:
        words = []
        for word in segment.words or []:
            word_start_s = min(max(start_s + float(word.start), last_s), end_s)
            last_s = min(max(start_s + float(word.end), word_start_s), end_s)
            if word.word.strip():
                words.append(Word(start_s=word_start_s, end_s=last_s, text=word.word.strip()))
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
