"""How long a 320×256 picture takes to decode: simplejpeg against OpenCV, whole and halved in the decoder; as JSON.

python bench/jpeg.py
"""

from __future__ import annotations

import json
import timeit
from collections.abc import Callable

import cv2
import numpy as np
import simplejpeg

WIDTH, HEIGHT, QUALITY = 320, 256, 90


def main() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8)
    picture = cv2.resize(noise, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)  # smooth, as photographs are
    jpeg = simplejpeg.encode_jpeg(np.ascontiguousarray(picture), quality=QUALITY)
    coded = np.frombuffer(jpeg, np.uint8)
    half = {"min_height": HEIGHT // 2, "min_width": WIDTH // 2, "min_factor": 1}
    ways: dict[str, Callable[[], object]] = {
        "simplejpeg whole": lambda: simplejpeg.decode_jpeg(jpeg),
        "opencv whole": lambda: cv2.imdecode(coded, cv2.IMREAD_COLOR_RGB),
        "simplejpeg half": lambda: simplejpeg.decode_jpeg(jpeg, **half),
        "opencv half": lambda: cv2.imdecode(coded, cv2.IMREAD_REDUCED_COLOR_2),
    }
    seconds = {name: min(timeit.repeat(way, number=200, repeat=9)) / 200 for name, way in ways.items()}
    print(json.dumps({name: round(1e6 * value) for name, value in seconds.items()} | {"unit": "microseconds"}))


if __name__ == "__main__":
    main()
