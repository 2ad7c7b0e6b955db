"""From store to training batch: clips a second of one core, against the released loader's way; as JSON.

    python bench/loader.py                             # drawn pictures of 360×288 and 720×576: half a minute
    python bench/loader.py --video franck.mp4          # a real video's pictures, scaled to these sizes

The baseline does what the released EmotionCLIP loader does: an HDF5 file a video, opened for every sample, holds JPEGs
of the source's size; PIL decodes and resizes them to a short side of 256 (bicubic); a mask is drawn at that size; both
are cropped anew in every frame; pixels are normalised frame by frame in float32, masks become int64. Ours is
`load_for_training` without workers. What it leaves to the device (pixels normalised, boxes to patches) is in
`ratio_with_device_work`, done on the same core.

Our store has a thousand videos, of which the next sample's is seldom one that is open, as in training on a corpus.

The two take turns in one process, `--rounds` times, in its CPU seconds. JPEGs have quality 90 on both sides.
"""

from __future__ import annotations

import argparse
import functools
import io
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import av
import cv2
import h5py
import numpy as np
import simplejpeg
import torch
from PIL import Image
from torch import Tensor

from mien.data.clips import ClipDataset, ClipSettings, collate
from mien.data.loader import BatchPlan, load_for_training
from mien.data.store import BOXES_FILE, FORMAT, FRAMES_FILE, INDEX_FILE, SETTINGS_FILE, Store
from mien.data.tables import write_boxes, write_index
from mien.media.boxes import coverage
from mien.media.frames import FrameWriter
from mien.media.transforms import NORMALIZATION, Augment, Preprocess
from mien.text import Tokenizer
from mien.types import BoxTable, Clip, ClipBatch, VideoInfo

SIZES = ((360, 288), (720, 576))
FRAMES_PER_VIDEO, NUM_FRAMES, IMAGE_SIZE, SHORT_SIDE, QUALITY, PERSONS = 40, 8, 224, 256, 90, 2
TEXT = "I never thought that I would see you here again."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path, help="whose pictures to use; drawn ones by default")
    parser.add_argument("--videos", type=int, default=1000, help="so many files of the same pictures, each opened anew")
    parser.add_argument("--clips", type=int, default=32, help="clips a round")
    parser.add_argument("--rounds", type=int, default=4)
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    for width, height in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            measured = compare(
                Path(folder),
                args.video,
                width=width,
                height=height,
                videos=args.videos,
                clips=args.clips,
                rounds=args.rounds,
            )
        print(json.dumps({"source": f"{width}x{height}", **measured}), flush=True)


def compare(
    folder: Path, video: Path | None, *, width: int, height: int, videos: int, clips: int, rounds: int
) -> dict[str, float | int]:
    pictures = list(pictures_of(video, width=width, height=height))
    write_hdf5(folder / "released.h5", pictures)
    store = write_store(folder / "store", pictures, num_videos=max(videos, clips))
    theirs = released_batches(folder / "released.h5", boxes_of(width, height), batch_size=clips)
    ours = our_batches(store, batch_size=clips)
    batch = next(ours)
    ways: dict[str, Callable[[], object]] = {
        "released": lambda: next(theirs),
        "mien": lambda: next(ours),
        "device": lambda: device_work(batch),
    }
    seconds = take_turns(ways, rounds=rounds)
    return {
        "released_clips_per_s": round(clips / seconds["released"], 1),
        "mien_clips_per_s": round(clips / seconds["mien"], 1),
        "ratio": round(seconds["released"] / seconds["mien"], 2),
        "ratio_with_device_work": round(seconds["released"] / (seconds["mien"] + seconds["device"]), 2),
        "bytes_per_stored_frame": round((store.folder("0") / FRAMES_FILE).stat().st_size / FRAMES_PER_VIDEO),
    }


def take_turns(ways: dict[str, Callable[[], object]], *, rounds: int) -> dict[str, float]:
    """Each way's CPU seconds, the least of `rounds` rounds after one that does not count."""
    seconds = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, way in ways.items():
            begin = time.process_time()
            way()
            seconds[name].append(time.process_time() - begin)
    return {name: min(values[1:]) for name, values in seconds.items()}


# ── the released way ─────────────────────────────────────────────────────────────────────────────


def write_hdf5(path: Path, pictures: Sequence[np.ndarray]) -> None:
    """A data set a frame, named by its number, as the released pre-processing writes them."""
    with h5py.File(path, "w") as file:
        for i, picture in enumerate(pictures):
            file[f"{i:08d}.jpg"] = np.asarray(simplejpeg.encode_jpeg(picture, quality=QUALITY, colorsubsampling="420"))


def released_batches(path: Path, boxes: np.ndarray, *, batch_size: int) -> Iterator[tuple[Tensor, ...]]:
    rng, tokenizer = np.random.default_rng(0), Tokenizer.clip()
    while True:
        samples = [released_sample(path, boxes, rng) for _ in range(batch_size)]
        token_ids = torch.full((batch_size, 77), 49407)
        encoded = tokenizer.encode([TEXT] * batch_size, context_length=77)
        token_ids[:, : encoded.shape[1]] = encoded
        yield torch.stack([s[0] for s in samples]), torch.stack([s[1] for s in samples]), token_ids


def released_sample(path: Path, boxes: np.ndarray, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Pixels [t, 3, 224, 224] float32 and masks [t, 224, 224] int64."""
    chosen = np.sort(rng.choice(len(boxes), size=NUM_FRAMES, replace=False))
    with h5py.File(path, "r", swmr=True) as file:
        pictures = [Image.open(io.BytesIO(np.array(file[f"{i:08d}.jpg"]))) for i in chosen]
    pixels, masks = zip(*(released_frame(p, boxes[i], rng) for p, i in zip(pictures, chosen, strict=True)), strict=True)
    return torch.stack(pixels), torch.stack(masks).long()


def released_frame(picture: Image.Image, boxes: np.ndarray, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    scale = SHORT_SIDE / min(picture.size)
    width, height = (round(side * scale) for side in picture.size)
    picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    mask = torch.zeros(height, width)
    for x0, y0, x1, y1 in (boxes * scale).astype(int):
        mask[y0:y1, x0:x1] = 1
    left, top = int(rng.integers(width - IMAGE_SIZE + 1)), int(rng.integers(height - IMAGE_SIZE + 1))
    picture = picture.crop((left, top, left + IMAGE_SIZE, top + IMAGE_SIZE))
    pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous().float().div(255)  # 3 h w
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in NORMALIZATION["imagenet"])
    return pixels.sub(mean).div(std), mask[top : top + IMAGE_SIZE, left : left + IMAGE_SIZE]


# ── our way ──────────────────────────────────────────────────────────────────────────────────────


def our_batches(store: Store, *, batch_size: int) -> Iterator[ClipBatch]:
    clips = store.clips()
    dataset = ClipDataset(
        store,
        clips,
        settings=ClipSettings(num_frames=NUM_FRAMES),
        preprocess=Preprocess(image_size=IMAGE_SIZE),
        augment=Augment(),
    )
    return load_for_training(
        dataset,
        BatchPlan(videos=[clip.video for clip in clips], batch_size=batch_size, seed=0),
        collate=functools.partial(collate, tokenizer=Tokenizer.clip(), context_length=77),
        first_step=0,
        workers=0,
    )


def device_work(batch: ClipBatch) -> tuple[Tensor, Tensor]:
    pixels = Preprocess(image_size=IMAGE_SIZE).normalize(batch.frames)
    return pixels, coverage(batch.boxes, height=IMAGE_SIZE, width=IMAGE_SIZE, patch=32)


def write_store(path: Path, pictures: Sequence[np.ndarray], *, num_videos: int) -> Store:
    """A video, its frames shrunk as `mien prepare` does, under many names; it is one clip."""
    height, width = pictures[0].shape[:2]
    scale = SHORT_SIDE / min(height, width)
    stored = (round(width * scale), round(height * scale))
    folder = path / "videos" / "0"
    folder.mkdir(parents=True)
    info = VideoInfo(
        source="drawn", source_width=width, source_height=height, source_duration_s=len(pictures) / 8,
        width=stored[0], height=stored[1], fps=8.0, num_frames=len(pictures),
    )  # fmt: skip
    with FrameWriter(folder / FRAMES_FILE, info=info, made_with={}, quality=QUALITY) as writer:
        for i, picture in enumerate(pictures):
            writer.add(cv2.resize(picture, stored, interpolation=cv2.INTER_AREA), time_s=i / 8)
    boxes = boxes_of(width, height).reshape(-1, 4)
    table = BoxTable(
        frame=np.repeat(np.arange(len(pictures), dtype=np.int32), PERSONS),
        xyxy=boxes,
        score=np.full(len(boxes), 0.9, np.float32),
        track=np.tile(np.arange(PERSONS, dtype=np.int32), len(pictures)),
        speaking=np.zeros(len(boxes), bool),
    )
    write_boxes(folder / BOXES_FILE, table, made_with={})
    for number in range(1, num_videos):
        other = path / "videos" / str(number)
        other.mkdir()
        for name in (FRAMES_FILE, BOXES_FILE):
            os.link(folder / name, other / name)
    clips = [
        Clip(
            id=f"{number}#0", video=str(number), start_frame=0, end_frame=len(pictures), start_s=0.0,
            end_s=len(pictures) / 8, text=TEXT, sentiment_logits=(0.0,) * 7, person_share=1.0,
        )
        for number in range(num_videos)
    ]  # fmt: skip
    write_index(path / INDEX_FILE, clips, made_with={})
    settings = {"format": FORMAT, "settings": {"subject": "all", "boxes": {"source": "sidecar"}}}
    (path / SETTINGS_FILE).write_text(json.dumps(settings), encoding="utf-8")
    return Store(path)


# ── what is in the pictures ──────────────────────────────────────────────────────────────────────


def pictures_of(video: Path | None, *, width: int, height: int) -> Iterator[np.ndarray]:
    """RGB pictures of a video, eight a second or so, or drawn ones."""
    if video is None:
        yield from drawn(width=width, height=height)
        return
    with av.open(str(video)) as container:
        every = max(1, round(float(container.streams.video[0].average_rate or 24) / 8))
        for number, frame in enumerate(container.decode(video=0)):
            if number == FRAMES_PER_VIDEO * every:
                return
            if number % every == 0:
                yield frame.to_ndarray(format="rgb24", width=width, height=height, interpolation="AREA")


def drawn(*, width: int, height: int) -> Iterator[np.ndarray]:
    """Noise whose amplitude falls with the frequency until a stored frame has 14 kB, near those of real videos."""
    rng = np.random.default_rng(0)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = 1 / max(height, width)
    for _ in range(FRAMES_PER_VIDEO):
        spectrum = np.fft.rfft2(rng.normal(size=(3, height, width))) / frequency**1.8
        noise = np.fft.irfft2(spectrum, s=(height, width)).transpose(1, 2, 0)
        grey = noise[..., :1] + 0.2 * noise  # colours vary less than brightness
        yield np.ascontiguousarray((128 + 50 * grey / grey.std()).clip(0, 255).astype(np.uint8))


def boxes_of(width: int, height: int) -> np.ndarray:
    """Two persons a frame who walk: [frames, persons, 4], in pixels of the source."""
    shift = np.linspace(0, 0.2, FRAMES_PER_VIDEO)
    left = np.stack([0.1 + shift, 0.7 - shift], axis=1)  # f 2
    boxes = np.stack([left, np.full_like(left, 0.2), left + 0.25, np.full_like(left, 0.95)], axis=-1)
    return (boxes * [width, height, width, height]).astype(np.float32)


if __name__ == "__main__":
    main()
