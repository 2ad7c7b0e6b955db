"""Embedding clips on the CPU against the released model's way, eager float32: frames a second, and how near; as JSON.

    python bench/embed.py                              # ViT-B/32, random weights: some minutes of one core
    python bench/embed.py --model runs/demo/model      # a trained model's weights
    python bench/embed.py --model face --clips 16      # the shipped face model's

The baseline has the same weights in towers as OpenCLIP writes them (`nn.MultiheadAttention`, sequence first). `cosine`
is the smallest between an embedding and the baseline's. onnxruntime runs the graphs that `mien to-onnx` would write.
All take turns in one process; times are its CPU seconds, of one thread by default: the least of `--rounds`, after one
that does not count.
"""

from __future__ import annotations

import argparse
import copy
import json
import tempfile
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from step import written_with_multihead_attention
from torch import Tensor

from mien.hub import load_model, save_model
from mien.media.transforms import Preprocess
from mien.model_folder import GraphPrecision, ModelFolder
from mien.models.int8 import use_int8
from mien.models.video_clip import VideoClip, VideoClipConfig
from mien.onnx_clip import OnnxClip
from mien.onnx_export import export_onnx

ONNX: dict[str, GraphPrecision] = {"onnx float32": "float32", "onnx int8": "int8"}
USUAL_NAMES = {
    "norm1": "ln_1",
    "norm2": "ln_2",
    "attention.qkv.": "attn.in_proj_",
    "attention.out": "attn.out_proj",
    "mlp.up": "mlp.0",
    "mlp.down": "mlp.2",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a model folder; random weights of --preset without")
    parser.add_argument("--preset", default="ViT-B/32")
    parser.add_argument("--clips", type=int, default=4, help="embedded at a time, of eight frames each")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    config = VideoClipConfig.model_validate({"preset": args.preset})
    model = (load_model(args.model)[0] if args.model else VideoClip(config)).eval()
    vision, num_frames = model.config.vision, model.config.temporal.num_frames
    video = torch.randn(args.clips, num_frames, 3, vision.image_size, vision.image_size)
    coverage = torch.rand(args.clips, num_frames, vision.grid, vision.grid)
    in_int8 = copy.deepcopy(model)
    use_int8(in_int8)
    variants = {"baseline": usually_written(model), "float32": model, "int8": in_int8}
    for name, precision in ONNX.items():
        variants[name] = as_graphs(model, precision=precision, threads=args.threads)
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    embeddings: dict[str, Tensor] = {}
    with torch.inference_mode():
        for round_ in range(args.rounds + 1):
            for name, variant in variants.items():
                begin = time.process_time()
                embeddings[name] = variant.encode_video(video, coverage)
                if round_:
                    seconds[name].append(time.process_time() - begin)
    least = {name: min(values) for name, values in seconds.items()}
    for name in variants:
        row = {
            "embedding": name,
            "frames_per_s": round(args.clips * num_frames / least[name], 1),
            "ratio": round(least["baseline"] / least[name], 2),
            "cosine": round(float(F.cosine_similarity(embeddings[name], embeddings["baseline"]).min()), 5),
        }
        print(json.dumps(row), flush=True)


def as_graphs(model: VideoClip, *, precision: GraphPrecision, threads: int) -> OnnxClip:
    """The same network and weights, run by onnxruntime."""
    with tempfile.TemporaryDirectory() as folder:
        config = ModelFolder(
            architecture=model.config, preprocess=Preprocess(image_size=model.config.vision.image_size)
        )
        save_model(Path(folder) / "torch", weights=model.state_dict(), config=config, tokenizer=None)
        export_onnx(Path(folder) / "torch", Path(folder) / "onnx", precision=precision)
        return OnnxClip(Path(folder) / "onnx", threads=threads)


def usually_written(model: VideoClip) -> VideoClip:
    """The same network and weights, its towers written as usual."""
    usual = copy.deepcopy(model)
    written_with_multihead_attention(usual)
    for part in ("vision", "text"):
        ours = getattr(model, part).transformer.state_dict()
        getattr(usual, part).transformer.load_state_dict({usual_name(name): value for name, value in ours.items()})
    return usual.eval()


def usual_name(name: str) -> str:
    for ours, theirs in USUAL_NAMES.items():
        name = name.replace(ours, theirs)
    return name


if __name__ == "__main__":
    main()
