"""The face model on FER+ by torch and by onnxruntime, in float32 and int8: accuracy and time a face; as JSON.

    python bench/face_backends.py FERPLUS      # official layout; some minutes of one core

Both splits that the model was not trained on, by prompts alone, as `scripts/face_model.py --measure` has it.
`ms_per_face` is CPU time of one thread: the least of three batches of 256, after one that does not count. `cosine` is
the smallest between a face's embedding and float32 torch's, over the test split.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from mien.captions.naming import FACE_TEMPLATES
from mien.eval.benchmarks.ferplus import CLASSES
from mien.eval.scores import accuracy, recalls
from mien.inference import Mien

sys.path.append(str(Path(__file__).parents[1] / "scripts"))
from face_model import BATCH, Faces, read_faces

BACKENDS = ("torch", "onnx")
PRECISIONS = ("float32", "int8")
TIMED = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, help="FER+ in its official layout")
    args = parser.parse_args()
    torch.set_num_threads(1)
    splits = {name: read_faces(args.root, name) for name in ("val", "test")}
    reference: Tensor | None = None
    for backend in BACKENDS:
        for precision in PRECISIONS:
            model = Mien.from_pretrained("face", device="cpu", backend=backend, precision=precision)
            row: dict[str, object] = {"backend": backend, "precision": precision}
            for name, faces in splits.items():
                embeddings = embed(model, faces)
                row |= scores(model, embeddings, faces, split=name)
            reference = embeddings if reference is None else reference
            row["cosine"] = round(float(F.cosine_similarity(embeddings, reference).min()), 5)
            row["ms_per_face"] = round(milliseconds(model, splits["test"]), 2)
            print(json.dumps(row), flush=True)


def embed(model: Mien, faces: Faces) -> Tensor:
    """[n, e], of the whole split."""
    grey = torch.from_numpy(faces.pictures)
    parts = [
        model.encode_frames(rearrange(grey[start : start + BATCH], "n h w -> n 1 h w").expand(-1, 3, -1, -1))
        for start in range(0, len(grey), BATCH)
    ]
    return torch.cat(parts)


def scores(model: Mien, embeddings: Tensor, faces: Faces, *, split: str) -> dict[str, object]:
    """Shares of 1."""
    told = model.label_scores(embeddings, CLASSES, templates=FACE_TEMPLATES).argmax(dim=1).numpy()
    return {
        f"{split}_accuracy": round(accuracy(faces.emotion, told), 4),
        f"{split}_uar": round(recalls(faces.emotion, told, num_classes=len(CLASSES)).value, 4),
    }


def milliseconds(model: Mien, faces: Faces) -> float:
    grey = torch.from_numpy(faces.pictures[:BATCH])
    rgb = rearrange(grey, "n h w -> n 1 h w").expand(-1, 3, -1, -1).contiguous()
    spent = []
    for _ in range(TIMED + 1):
        begin = time.process_time()
        model.encode_frames(rgb)
        spent.append(time.process_time() - begin)
    return 1000 * min(spent[1:]) / len(grey)


if __name__ == "__main__":
    main()
