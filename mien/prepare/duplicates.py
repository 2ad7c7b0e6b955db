"""Videos that show the same pictures, found by perceptual hashes of a few of them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Int, UInt8, UInt64

from mien.media.frames import FrameReader
from mien.media.sampling import segment_midpoints

NUM_HASHES = 16
MIN_CONTRAST = 6.0  # grey levels of standard deviation; a blank picture says nothing
MIN_TELLING = 4  # pictures that must say something in both videos
MAX_BITS = 6  # of 64, in the median picture; a re-encoded, shrunk or brightened copy differs by 0 to 4
LEAST_TIMES_OWN = 3.0  # pictures of other times must differ by so many times more: one camera's takes look alike
MIN_OWN_BITS = 3.0  # a video whose pictures differ by less among themselves cannot be told from another take
MAX_FRAMES, MAX_SHARE = 4, 0.005  # that lengths of copies differ by
MAX_BITS_PHOTO = 1  # photographs have one hash only
WIDTH, HEIGHT = 9, 8  # of the tiny picture whose horizontal differences are the hash's 64 bits


def picture_hashes(reader: FrameReader) -> UInt64[np.ndarray, "n"]:
    """A difference hash (dHash) of 16 pictures, evenly through the video; 0 for a picture without contrast.

    They stay nearly the same when a video is encoded again, scaled or brightened; not when it is cropped, mirrored or
    cut.
    """
    chosen = np.unique(segment_midpoints(len(reader), count=NUM_HASHES))
    return np.array([_hash(reader.decode(int(i), min_short_side=32)) for i in chosen], np.uint64)


def _hash(rgb: UInt8[np.ndarray, "h w 3"]) -> int:
    grey = cv2.resize(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    if grey.std() < MIN_CONTRAST:
        return 0
    bits = grey[:, 1:] > grey[:, :-1]  # 8 8
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def find_duplicates(
    hashes: Sequence[UInt64[np.ndarray, "_"]], *, num_frames: Sequence[int], preference: Sequence[tuple]
) -> dict[int, int]:
    """For each video (by number) that shows the same as another: that other one, which is to be kept.

    Two videos are the same if their lengths differ by at most 4 frames or 0.5 %, their pictures of the same times by at
    most 6 of 64 bits in the median (over those with contrast), and those of different times by three times as much: two
    takes before one camera look alike at any time. So copies of videos in which nothing moves are not found. Of a
    group, the one with the greatest `preference` is kept, the first of equal ones.

    Only videos that agree exactly in 16 bits of some hash are compared, so a million videos take minutes, not years.
    """
    order = sorted(range(len(hashes)), key=lambda i: preference[i], reverse=True)  # stable: the first of equals first
    rank = {video: position for position, video in enumerate(order)}
    same: dict[int, int] = {}
    for a, b in sorted(_pairs(hashes, np.array(num_frames, np.int64))):
        kept, left_out = (a, b) if rank[a] < rank[b] else (b, a)
        if left_out not in same or rank[kept] < rank[same[left_out]]:
            same[left_out] = kept
    return {video: _last(same, video) for video in sorted(same)}


def are_same(a: UInt64[np.ndarray, "_"], b: UInt64[np.ndarray, "_"]) -> bool:
    """Whether two videos' hashes are those of the same pictures."""
    if len(a) != len(b):
        return False
    tells = (a != 0) & (b != 0)
    if len(a) == 1:
        return bool(tells[0] and np.bitwise_count(a[0] ^ b[0]) <= MAX_BITS_PHOTO)
    if tells.sum() < MIN_TELLING:
        return False
    bits = np.bitwise_count(a[tells][:, None] ^ b[tells][None])  # n n
    at_the_same_time = np.median(bits.diagonal())
    at_others = np.median(bits[~np.eye(len(bits), dtype=np.bool_)])
    return bool(at_the_same_time <= MAX_BITS and at_others >= max(MIN_OWN_BITS, LEAST_TIMES_OWN * at_the_same_time))


def _pairs(hashes: Sequence[UInt64[np.ndarray, "_"]], num_frames: Int[np.ndarray, "v"]) -> set[tuple[int, int]]:
    """Pairs of videos that show the same, looked for among those that agree in a quarter of one picture's hash."""
    pairs: set[tuple[int, int]] = set()
    for picture in range(NUM_HASHES):
        videos = np.array([i for i, own in enumerate(hashes) if len(own) > picture and own[picture]], np.int64)
        if len(videos) < 2:
            continue
        at = np.array([hashes[i][picture] for i in videos], np.uint64)
        for quarter in range(4):
            part = (at >> np.uint64(16 * quarter)) & np.uint64(0xFFFF)
            for a, b in _neighbours(part, at, videos, num_frames[videos]):
                if (a, b) not in pairs and are_same(hashes[a], hashes[b]):
                    pairs.add((a, b))
    return pairs


def _neighbours(
    keys: UInt64[np.ndarray, "n"],
    whole: UInt64[np.ndarray, "n"],
    videos: Int[np.ndarray, "n"],
    num_frames: Int[np.ndarray, "n"],
) -> list[tuple[int, int]]:
    """Within each group of equal keys, videos next to each other in length, if length and whole hash are near."""
    order = np.lexsort((num_frames, keys))
    a, b = order[:-1], order[1:]
    longer, difference = np.maximum(num_frames[a], num_frames[b]), np.abs(num_frames[a] - num_frames[b])
    is_near = (keys[a] == keys[b]) & (difference <= np.maximum(MAX_FRAMES, MAX_SHARE * longer))
    is_near &= np.bitwise_count(whole[a] ^ whole[b]) <= 2 * MAX_BITS
    return [(min(p), max(p)) for p in zip(videos[a[is_near]].tolist(), videos[b[is_near]].tolist(), strict=True)]


def _last(same: dict[int, int], video: int) -> int:
    while video in same:
        video = same[video]
    return video
