"""A small MELD.Raw: its layout, columns, encodings and flaws, with drawn people who say things of our own."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from mien.theatre.drawn import write_drawn_video
from mien.types import MienError

COLUMNS = (
    "Sr No.", "Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID", "Season", "Episode",
    "StartTime", "EndTime",
)  # fmt: skip
SENTIMENT = {"neutral": "neutral", "joy": "positive", "surprise": "positive"}
"""The others are negative. (In the release surprise is either.)"""
APPLE_DOUBLE = bytes.fromhex("0005160700020000") + b"Mac OS X".ljust(16) + bytes(96)
"""What macOS packs beside a file as `._NAME`: it ends in .mp4, and is no video."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One row, and how long its cut is (8 frames a second); 0 frames: no video."""

    dialogue: int
    number: int
    emotion: str
    text: str
    speaker: str = "Ada"
    num_frames: int = 8

    @property
    def name(self) -> str:
        return f"dia{self.dialogue}_utt{self.number}"


# Row numbers and utterances have gaps; a title and a voice from everywhere count as speakers; commas and quotes.
TRAIN = (
    Line(dialogue=0, number=0, emotion="neutral", text="I left the keys at my mother’s, on the shelf."),
    Line(dialogue=0, number=1, emotion="joy", text="You found them!", speaker="Mrs. Lind"),
    Line(dialogue=0, number=4, emotion="anger", text="That’s “found”? They’re bent!"),
    Line(dialogue=1, number=0, emotion="fear", text='Did the door just say "leave"?', speaker="Milo"),
    Line(dialogue=1, number=1, emotion="surprise", text="It did…", speaker="All"),
    Line(dialogue=1, number=2, emotion="disgust", text="And it smells of fish – old fish.", speaker="Milo"),
    Line(dialogue=2, number=0, emotion="sadness", text="Nobody’s coming, are they?"),
    Line(dialogue=2, number=1, emotion="neutral", text="Well, it is Tuesday.", speaker="Milo", num_frames=10),
    Line(dialogue=71, number=0, emotion="neutral", text="Wait, I had something to add.", num_frames=2),
    Line(dialogue=125, number=3, emotion="neutral", text="Anyway, that’s the plan.", speaker="Milo"),
    Line(dialogue=309, number=0, emotion="joy", text="Home at last!", num_frames=40),
)
DEV = (
    Line(dialogue=0, number=0, emotion="neutral", text="It’s the second floor, I think."),
    Line(dialogue=0, number=1, emotion="joy", text="Third! I win!", speaker="Milo"),
    Line(dialogue=1, number=0, emotion="anger", text="Who’s been at my lunch?"),
    Line(dialogue=1, number=1, emotion="fear", text="N-nobody.", speaker="Milo"),
    Line(dialogue=99, number=3, emotion="surprise", text="A horse?!", num_frames=2),
    Line(dialogue=110, number=7, emotion="neutral", text="Not now.", speaker="Milo", num_frames=0),
)
TEST = (
    Line(dialogue=0, number=0, emotion="neutral", text="Do you take sugar?"),
    Line(dialogue=0, number=1, emotion="disgust", text="In soup?", speaker="Milo"),
    Line(dialogue=38, number=4, emotion="joy", text="And it’s a tie!", num_frames=40),
    Line(dialogue=93, number=6, emotion="surprise", text="You’re in the cupboard."),
    Line(dialogue=108, number=0, emotion="sadness", text="He drove off without me.", speaker="Milo"),
)
CORRUPT = "dia125_utt3"
CUT_AGAIN = ("dia93_utt6", "dia108_utt0")


def write_fake_meld(root: Path) -> None:
    """Write the tree that the archives of MELD.Raw unpack to at `root`."""
    train, dev, test = (
        root / "train" / "train_splits",
        root / "dev" / "dev_splits_complete",
        root / "test" / "output_repeated_splits_test",
    )
    _write_csv(root / "train" / "train_sent_emo.csv", TRAIN, through_windows=True)
    _write_csv(root / "dev_sent_emo.csv", DEV)
    _write_csv(root / "test_sent_emo.csv", TEST)
    for folder, lines in ((train, TRAIN), (dev, DEV), (test, TEST)):
        for line in lines:
            if line.num_frames:
                _draw(folder / f"{line.name}.mp4", seed=line.dialogue + line.number, num_frames=line.num_frames)
    broken = train / f"{CORRUPT}.mp4"
    broken.write_bytes(_without_index(broken.read_bytes()))
    for name in CUT_AGAIN:
        _draw(test / f"final_videos_test{name}.mp4", seed=200, num_frames=12)
    for stray in (dev / "dia66_utt9.mp4", test / "dia108_utt2.mp4", test / "final_videos_testdia101_utt0.mp4"):
        _draw(stray, seed=300, num_frames=4)  # these have no row
    (test / "._dia0_utt0.mp4").write_bytes(APPLE_DOUBLE)
    (test / "._final_videos_testdia93_utt6.mp4").write_bytes(APPLE_DOUBLE)


def _draw(path: Path, *, seed: int, num_frames: int) -> None:
    write_drawn_video(path, seed=seed, num_frames=num_frames, width=96, height=64)


def _without_index(mp4: bytes) -> bytes:
    """The file up to its `moov` box, without which nobody can tell where its frames are."""
    at = mp4.rfind(b"moov") - 4
    if at < 0:
        raise MienError("a drawn mp4 has no moov box; has the encoder changed?")
    return mp4[:at]


def _write_csv(path: Path, lines: tuple[Line, ...], *, through_windows: bool = False) -> None:
    """UTF-8 with CRLF. `through_windows`: bytes of Windows-1252 taken for characters, as in the official train."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for position, line in enumerate(lines):
        spoken = line.text.encode("cp1252").decode("latin-1") if through_windows else line.text
        hours = "0" if position % 2 else "00"  # both are found
        writer.writerow(
            [position + 1 + position // 3, spoken, line.speaker, line.emotion, SENTIMENT.get(line.emotion, "negative"),
             line.dialogue, line.number, 4, 7, f"{hours}:12:{position:02d},256", f"{hours}:12:{position + 1:02d},049"]
        )  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.getvalue().encode())
