"""Draws README's picture: scenes of the theatre with what is said, and where `hmn` looks in each layer.

python scripts/draw_overview.py runs/demo/train --root runs/demo/theatre --store runs/demo/store \
    --out docs/images/overview.png
"""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mien.data.store import Store
from mien.eval.benchmarks import load_benchmark
from mien.inference import Mien
from mien.report import attention_pictures, speaking_among_others
from mien.types import EMOTIONS

SCENES = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    store, model = Store(args.store), Mien.from_pretrained(args.run / "model")
    samples, _ = load_benchmark("theatre").clips(args.root, store, "test")
    clips = speaking_among_others([sample.clip for sample in samples], store, SCENES)
    by_id = {sample.clip.id: sample for sample in samples}
    chosen = [by_id[clip.id] for clip in clips]
    pictures = attention_pictures(model, store, clips)
    layers = len(pictures[0].attention)
    figure = Figure(figsize=(2.6 * SCENES, 4.0), dpi=110, facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(3, SCENES * layers, height_ratios=[3.1, 0.45, 1], hspace=0.12, wspace=0.06)
    for i, (sample, picture) in enumerate(zip(chosen, pictures, strict=True)):
        top = figure.add_subplot(grid[0, i * layers : (i + 1) * layers])
        frame = sample.clip.start_frame + sample.clip.num_frames // 2
        reader, table = store.frames(sample.clip.video), store.boxes(sample.clip.video)
        top.imshow(reader.decode(frame))
        scale = reader.info.width / reader.info.source_width
        for x0, y0, x1, y1 in table.xyxy[(table.frame == frame) & table.speaking] * scale:
            top.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor="white", linewidth=2))
        top.axis("off")
        words = "\n".join(textwrap.wrap(f"“{sample.clip.text}”", 34))
        top.text(0.5, -0.04, words, transform=top.transAxes, ha="center", va="top", fontsize=9.5)
        top.set_title(EMOTIONS[sample.labels.category or 0], fontsize=11, fontweight="bold")
        for layer in range(layers):
            below = figure.add_subplot(grid[2, i * layers + layer])
            still = picture.still.frame
            heat = cv2.resize(picture.attention[layer], still.shape[1::-1], interpolation=cv2.INTER_CUBIC)
            below.imshow(cv2.cvtColor(still, cv2.COLOR_RGB2GRAY), cmap="gray")
            below.imshow(np.clip(heat, 0, None), cmap="inferno", alpha=0.65)
            below.set_title(f"{layer + 1}", fontsize=8, pad=2)
            below.axis("off")
    note = "Generated scenes; the box is the speaker's. Below: the subject token's attention, layer by layer."
    figure.text(0.5, 0.015, note, ha="center", fontsize=9.5, color="#555555")
    figure.subplots_adjust(left=0.01, right=0.99, top=0.93, bottom=0.09)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(args.out)


if __name__ == "__main__":
    main()
