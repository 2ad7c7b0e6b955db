"""The sound of a video for speech recognition: mono, 16 kHz, in pieces that end where it is quiet.

A piece is at most three minutes, so that neither it nor what is made of it grows with the video.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import av
import numpy as np
from jaxtyping import Float32, Int16

from mien.media.container import open_media
from mien.types import MienError

SAMPLE_RATE = 16_000
"""Of the sound that Whisper hears, in Hz."""

PIECE_S = 180.0
"""No piece of sound is longer."""

LOOK_BACK_S = 30.0
"""A piece ends within so much of its greatest length: few speak as long without a pause."""

PAUSE_S = 0.5
"""As long is the quiet that is looked for: longer than the closure of a plosive, which is silent within a word."""

MAX_LATE_S = 3600.0
"""Sound that begins later than this after the start of its file does not belong there: its time stamps are broken."""


class NoSoundError(MienError):
    """There is nothing to hear; nothing else need be wrong with the video."""


def sound_pieces(path: Path) -> Iterator[Float32[np.ndarray, "_"]]:
    """The first audio track of a file, mono, at SAMPLE_RATE, in [-1, 1], from the start of the file on.

    Joined, the pieces are the whole sound; each but the last ends in the quietest `PAUSE_S` of its last `LOOK_BACK_S`.
    They are decoded as they are asked for. A track that begins later is preceded by silence; broken packets are passed
    over. Raises MienError where the file cannot be read or its sound begins more than `MAX_LATE_S` late, and
    NoSoundError where there is no track or, at its end, if none of it could be decoded or all was silent.
    """
    if not path.is_file():
        raise MienError(f"no video at {path}")
    try:
        container = open_media(path)
    except (av.error.FFmpegError, OSError) as error:
        raise MienError(f"{path} cannot be read ({error.strerror}): fetch it again, or remove it") from error
    is_silent = True
    with container:
        if not container.streams.audio:
            raise NoSoundError(f"{path} has no sound to recognise speech in; give it subtitles")
        at_most, look_back, pause = (round(s * SAMPLE_RATE) for s in (PIECE_S, LOOK_BACK_S, PAUSE_S))
        for piece in cut_where_quiet(_decoded(path, container), at_most=at_most, look_back=look_back, pause=pause):
            is_silent = is_silent and not piece.any()
            yield piece.astype(np.float32) / 32768
    if is_silent:
        raise NoSoundError(f"{path}: its audio track is empty or silent; give it subtitles")


def cut_where_quiet(
    sound: Iterable[Int16[np.ndarray, "_"]], *, at_most: int, look_back: int, pause: int
) -> Iterator[Int16[np.ndarray, "_"]]:
    """The same samples in pieces of `at_most`, each but the last ending in the quietest `pause` of its `look_back`.

    All are counted in samples, `pause` <= `look_back` <= `at_most`. What is no longer than a piece is left whole.
    """
    held: list[Int16[np.ndarray, "_"]] = []
    num_held = 0
    for part in sound:
        held.append(part)
        num_held += len(part)
        while num_held > at_most:
            whole = np.concatenate(held)
            cut = at_most - look_back + quietest_point(whole[at_most - look_back : at_most], pause=pause)
            yield whole[:cut]
            held, num_held = [whole[cut:]], num_held - cut
    if num_held:
        yield np.concatenate(held)


def quietest_point(sound: Int16[np.ndarray, "n"], *, pause: int) -> int:
    """The middle of the `pause` samples with the least energy, the first of equal ones: 3 in 9 9 0 0 9, pause = 2."""
    energy = np.cumsum(np.square(sound, dtype=np.int64))
    energy = np.concatenate([[0], energy])  # (n + 1): before the first sample, and after each
    return int(np.argmin(energy[pause:] - energy[:-pause])) + pause // 2


def _decoded(path: Path, container: Any) -> Iterator[Int16[np.ndarray, "_"]]:
    """The first audio track bit by bit from the start of the file; none where it is empty."""
    frames = _frames(container, container.streams.audio[0])
    first = next(frames, None)
    if first is None:
        return
    origin_s = (container.start_time or 0) / av.time_base
    late_s = 0.0 if first.pts is None else max(0.0, float(first.pts * first.time_base) - origin_s)
    if late_s > MAX_LATE_S:
        raise MienError(
            f"{path}: its sound begins {late_s:.0f} s after the file, so its times are broken; fetch it again, "
            "or remove it"
        )
    num_late = round(late_s * SAMPLE_RATE)
    for start in range(0, num_late, SAMPLE_RATE):
        yield np.zeros(min(SAMPLE_RATE, num_late - start), dtype=np.int16)
    yield from _mono(chain([first], frames))


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
