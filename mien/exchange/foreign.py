"""A video of a store made from one sample of other people's shards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mien.data.store import FRAMES_FILE
from mien.data.tables import NO_BOXES, NO_FACES, ScoredSentences
from mien.exchange.finish import ImportedVideo, is_made, write_tables
from mien.exchange.sample import About
from mien.exchange.tar_samples import TarSample
from mien.media.frames import FrameReader
from mien.prepare.boxes import detect_boxes
from mien.prepare.clips import clips_of
from mien.prepare.faces import detect_faces, mark_speakers
from mien.prepare.frames import make_frames, missing_part
from mien.prepare.models import detector_for, sentiment_for
from mien.prepare.settings import PrepareSettings
from mien.types import UNKNOWN, MienError, Sentence, Skipped
from mien.whole_file import remove_left_parts

TEXT_KEYS = ("caption", "text", "captions", "texts", "clip_subtitles")
"""Where a foreign JSON may have what is said, tried in this order; only a .txt comes before them."""


def take_video(
    sample: TarSample, folder: Path, *, settings: PrepareSettings, made_with: dict[str, Any], threads: int
) -> ImportedVideo:
    """Make the files of the video `sample.name`: pictures as `mien prepare` makes them, its text as a sentence.

    Boxes are detected unless the settings say otherwise. Raises MienError if the video cannot be read.
    """
    if is_made(folder, made_with):
        return ImportedVideo(name=sample.name)
    remove_left_parts(folder)
    end = sample.video
    if end is None:
        raise MienError(f"it has no video among its files ({', '.join(sorted(sample.files))})")
    told = sample.json()
    with TemporaryDirectory(prefix="mien-") as scratch:
        video = Path(scratch, f"{sample.key.rpartition('/')[2]}.{end}")
        video.write_bytes(sample.read(end))
        make_frames(video, folder / FRAMES_FILE, settings=settings.frames, made_with=made_with, threads=threads)
    reader = FrameReader(folder / FRAMES_FILE)
    sentences = said(sample, told, duration_s=len(reader) / reader.info.fps)
    model = sentiment_for(settings.words.sentiment)
    scored = ScoredSentences(sentences=sentences, logits=model.logits([s.text for s in sentences]))
    boxes, models = NO_BOXES, {"sentiment": model.id}
    if settings.boxes.source == "detector":
        detector = detector_for(settings.boxes.detector, threads)
        boxes, models["boxes"] = detect_boxes(reader, detector, settings=settings.boxes), detector.id
    faces = None
    if settings.faces.source == "detector":
        finder = detector_for(settings.faces.detector, threads)
        faces, models["faces"] = detect_faces(reader, finder, boxes, settings=settings.faces), finder.id
    if settings.subject == "speaking" and settings.boxes.source == "detector":
        boxes = mark_speakers(reader, boxes, NO_FACES if faces is None else faces, sentences)
    clips, unfit = clips_of(sample.name, reader, boxes, scored, settings=settings.index)
    skipped = [] if sentences else [Skipped(what=sample.name, reason="it has no text: it makes no clips")]
    if missing := missing_part(reader, video=sample.name):
        skipped.append(missing)
    write_tables(
        folder,
        boxes=boxes,
        faces=faces,
        scored=scored,
        clips=clips,
        unfit=unfit,
        skipped=skipped,
        about=_about(told, sample, models),
        min_box_score=settings.index.min_box_score,
        made_with=made_with,
    )
    return ImportedVideo(name=sample.name, is_new=True)


def said(sample: TarSample, told: Any, *, duration_s: float) -> list[Sentence]:
    """What is said in a foreign sample: its `.txt` or else its JSON's caption, as one sentence as long as the video.

    Where the JSON has as many `clips` ([start, end] in seconds or `HH:MM:SS.mmm`) as captions, each is a sentence of
    its own; of several captions without times the first counts. Raises MienError if a time makes no sense.
    """
    if "txt" in sample.files and (text := _plain(_decoded(sample.read("txt")))):
        return [Sentence(start_s=0.0, end_s=duration_s, text=text)]
    about: Mapping[str, Any] = told if isinstance(told, Mapping) else {}
    texts = next((found for key in TEXT_KEYS if (found := list(_texts(about.get(key))))), [])
    clips = about.get("clips")
    if len(texts) > 1 and isinstance(clips, list) and len(clips) == len(texts):
        stretches = sorted((*_stretch(clip), text) for clip, text in zip(clips, texts, strict=True))
        return [Sentence(start_s=start, end_s=end, text=text) for start, end, text in stretches]
    return [Sentence(start_s=0.0, end_s=duration_s, text=text) for text in texts[:1]]


def _decoded(text: bytes) -> str:
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MienError(f"its .txt is not UTF-8 ({error})") from error


def _texts(value: Any) -> Iterator[str]:
    """The texts of a JSON value: itself, those of a list, or video2dataset's `lines` of subtitles as one text each."""
    for item in value if isinstance(value, list) else [value]:
        lines = item.get("lines") if isinstance(item, Mapping) else item
        text = " ".join(line for line in lines if isinstance(line, str)) if isinstance(lines, list) else lines
        if isinstance(text, str) and (plain := _plain(text)):
            yield plain


def _plain(text: str) -> str:
    return " ".join(text.split())


def _stretch(clip: Any) -> tuple[float, float]:
    try:
        start_s, end_s = (_seconds(time) for time in clip)
    except (TypeError, ValueError) as error:
        wanted = "[start, end], in seconds or HH:MM:SS.mmm"
        raise MienError(f"its JSON has the clip {clip!r}; it must be {wanted}") from error
    if not 0 <= start_s <= end_s < float("inf"):
        raise MienError(f"its JSON has the clip {clip!r}, whose times are not in order")
    return start_s, end_s


def _seconds(time: Any) -> float:
    """`00:01:02.5` is 62.5, and so is 62.5."""
    seconds = 0.0
    for part in time.split(":") if isinstance(time, str) else [time]:
        seconds = 60 * seconds + float(part)
    return seconds


def _about(told: Any, sample: TarSample, models: dict[str, str]) -> About:
    known: Mapping[str, Any] = told if isinstance(told, Mapping) else {}
    return About(
        source=str(known.get("source") or sample.shard.parent.name or UNKNOWN),
        license=str(known.get("license") or UNKNOWN),
        language=str(known.get("language") or UNKNOWN),
        words_from="txt" if "txt" in sample.files else "json",
        models=models,
    )
