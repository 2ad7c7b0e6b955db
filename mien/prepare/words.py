"""Where a video's words come from: its subtitles, else speech recognition, else nowhere."""

from __future__ import annotations

from dataclasses import dataclass, field

from mien.language.subtitles import SubtitleFile, read_captions
from mien.language.transcribe import SpeechRecogniser
from mien.media.sound import NoSoundError
from mien.prepare.videos import VideoFiles
from mien.types import UNKNOWN, Caption, Skipped


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundWords:
    """What is said in a video, what of it could not be read, and where it comes from."""

    captions: list[Caption]
    skipped: list[Skipped] = field(default_factory=list)
    kind: str = "nowhere"
    language: str = UNKNOWN


def find_words(
    subtitles: SubtitleFile | None, *, video: VideoFiles, recogniser: SpeechRecogniser | None, language: str | None
) -> FoundWords:
    """The words of `video`. A recogniser is asked only where there are no subtitles; `language` is what it is told."""
    if subtitles:
        captions, unread = read_captions(subtitles.path)
        return FoundWords(captions=captions, skipped=unread, kind=subtitles.kind, language=subtitles.language)
    if recogniser is None:
        return FoundWords(captions=[])
    try:
        captions, heard = recogniser.transcribe(video.path, language=language)
    except NoSoundError as error:
        return FoundWords(captions=[], skipped=[Skipped(what="speech", reason=str(error))])
    return FoundWords(captions=captions, kind="speech recognition", language=heard)
