"""Models as ONNX graphs: every kind computes what torch does, whatever the size of the batch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mien.hub import ModelFolder, load_model, read_config, save_model, weights_hash
from mien.media.transforms import Preprocess
from mien.models.video_clip import VideoClip, VideoClipConfig
from mien.onnx_clip import OnnxClip
from mien.onnx_export import export_onnx
from mien.text import Tokenizer
from mien.types import ASSETS, MienError

VOCABULARY, CONTEXT, FRAMES_MOST = 60, 12, 5
KINDS: dict[str, dict[str, Any]] = {
    "sap": {"subject": "sap"},
    "saam": {"subject": "saam", "saam_layers": 1},
    "vanilla with convolutions over time": {"subject": "vanilla", "temporal": {"kind": "conv1d"}},
    "quick gelu, an end-of-text id, the mean of frames": {
        "vision": {"activation": "quick_gelu"},
        "text": {"activation": "quick_gelu", "eot_id": VOCABULARY - 2},
        "temporal": {"kind": "mean"},
    },
    "a stem of convolutions": {
        "subject": "vanilla",
        "vision": {"stem": {"widths": [4, 6, 8], "depths": [1, 2, 1]}},
        "temporal": {"kind": "mean"},
    },
    "a masked autoencoder's encoder, no texts": {
        "embed_dim": 16, "subject": "vanilla", "text": None, "vision": {"layout": "mae"}, "temporal": {"kind": "mean"},
    },
    "clips of two frames": {"temporal": {"num_frames": 2}},
}  # fmt: skip


def config_of(kind: str) -> VideoClipConfig:
    base: dict[str, Any] = {
        "embed_dim": 12,
        "vision": {"image_size": 24, "patch_size": 8, "width": 16, "layers": 2, "heads": 2, "mlp_width": 32},
        "text": {
            "context_length": CONTEXT, "vocab_size": VOCABULARY, "width": 16, "layers": 2, "heads": 2, "mlp_width": 32,
        },
        "temporal": {"num_frames": FRAMES_MOST, "layers": 1, "heads": 2, "mlp_width": 32},
    }  # fmt: skip
    for key, value in KINDS[kind].items():
        base[key] = base[key] | value if isinstance(value, dict) else value
    return VideoClipConfig.model_validate(base)


def saved(path: Path, config: VideoClipConfig) -> Path:
    torch.manual_seed(0)
    model = VideoClip(config)
    with torch.no_grad():  # weights at the start are small, and biases zero: a mistake in them would hardly show
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    folder = ModelFolder(architecture=config, preprocess=Preprocess(image_size=config.vision.image_size))
    save_model(path, weights=model.state_dict(), config=folder, tokenizer=Tokenizer.clip())
    return path


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[VideoClip, OnnxClip]]:
    """By kind, what was made before: to write graphs takes seconds."""
    return {}


def both(kind: str, folders: dict[str, tuple[VideoClip, OnnxClip]], tmp_path: Path) -> tuple[VideoClip, OnnxClip]:
    if kind not in folders:
        export_onnx(saved(tmp_path / "torch", config_of(kind)), tmp_path / "onnx")
        folders[kind] = load_model(tmp_path / "torch")[0], OnnxClip(tmp_path / "onnx", threads=1)
    return folders[kind]


def pictures(config: VideoClipConfig, *leading: int) -> tuple[Tensor, Tensor]:
    """Random pixels, and subjects: in part covered, everywhere, nowhere."""
    size, grid = config.vision.image_size, config.vision.grid
    coverage = torch.rand(*leading, grid, grid)
    coverage[0], coverage[-1] = 1, 0
    return torch.randn(*leading, 3, size, size), coverage


def texts(config: VideoClipConfig, *, count: int, length: int) -> Tensor:
    ids = torch.randint(1, VOCABULARY - 2, (count, length))
    ends = torch.randint(0, length, (count,))
    ids[torch.arange(count), ends] = config.reads.eot_id or VOCABULARY - 1
    return ids


def same(ours: Tensor, theirs: Tensor) -> None:
    assert ours.shape == theirs.shape
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_graphs_compute_what_torch_does(kind: str, folders, tmp_path: Path) -> None:
    model, graphs = both(kind, folders, tmp_path)
    config = model.config
    torch.manual_seed(1)
    for count in (1, 2, 7):
        frames, coverage = pictures(config, count)
        same(graphs.encode_frames(frames, coverage), model.encode_frames(frames, coverage))
    lengths = {"clips of two frames": (2,), "vanilla with convolutions over time": (3, 5, 9)}.get(kind, (1, 2, 4, 5))
    for count, length in zip((1, 3, 2, 1), lengths, strict=False):
        video, coverage = pictures(config, count, length)
        same(graphs.encode_video(video, coverage), model.encode_video(video, coverage))
    for count, length in ((1, 2), (3, CONTEXT), (5, 7), (1, 1)) if config.text else ():
        ids = texts(config, count=count, length=length)
        same(graphs.encode_text(ids), model.encode_text(ids))


@pytest.mark.slow
@torch.inference_mode()
def test_graph_looks_at_the_subject_where_the_model_does(folders, tmp_path: Path) -> None:
    for kind, looks in (("sap", True), ("saam", True), ("a stem of convolutions", False)):
        _, graphs = both(kind, folders, tmp_path / kind)
        frames, coverage = pictures(config_of(kind), 3)
        differs = not torch.allclose(graphs.encode_frames(frames, coverage), graphs.encode_frames(frames, 1 - coverage))
        assert differs == looks


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("face") / "graphs"
    export_onnx("face", out)
    return out


@pytest.mark.slow
@torch.inference_mode()
def test_shipped_face_model_computes_the_same_as_graphs(face: Path) -> None:
    (model, _, tokenizer), graphs = load_model("face"), OnnxClip(face, threads=2)
    torch.manual_seed(0)
    for count in (1, 32):
        frames, coverage = pictures(model.config, count)
        same(graphs.encode_frames(frames, coverage), model.encode_frames(frames, coverage))
    assert tokenizer is not None
    for words in (["joy"], ["joy", "a look of contempt, as if he had heard it all before", "fear"]):
        ids = tokenizer.encode(words, context_length=model.config.reads.context_length)
        same(graphs.encode_text(ids), model.encode_text(ids))


@pytest.mark.slow
def test_folder_keeps_config_tokenizer_card_and_the_weights_fingerprint(face: Path) -> None:
    names = {"README.md", "config.json", "frames.onnx", "temporal.onnx", "text.onnx", "tokenizer.json"}
    assert {path.name for path in face.iterdir()} == names
    assert weights_hash(face) == weights_hash(ASSETS / "face")
    assert read_config(face).model_copy(update={"graphs": None}) == read_config(ASSETS / "face")
    card = (face / "README.md").read_text(encoding="utf-8")
    assert card.startswith((ASSETS / "face" / "README.md").read_text(encoding="utf-8").rstrip())
    assert "`frames` float32 [n, 3, 48, 48] |" in card


@pytest.mark.slow
def test_graphs_tell_nothing_of_the_machine_they_were_made_on(face: Path) -> None:
    for path in face.glob("*.onnx"):
        graph = onnx.load(path).graph
        assert not [prop for node in graph.node for prop in node.metadata_props if "trace" in prop.key]
        assert str(Path(torch.__file__).parent).encode() not in path.read_bytes()


@pytest.mark.slow
@torch.inference_mode()
def test_graphs_in_int8_are_smaller_and_nearly_the_same(tmp_path: Path) -> None:
    config = VideoClipConfig.model_validate({"preset": "nano"})
    export_onnx(saved(tmp_path / "torch", config), tmp_path / "onnx", precision="int8")
    assert read_config(tmp_path / "onnx").graphs.precision == "int8"
    model, graphs = load_model(tmp_path / "torch")[0], OnnxClip(tmp_path / "onnx", threads=1)
    video, coverage = pictures(config, 2, 4)
    ids = torch.randint(1, 900, (3, 9))
    ids[:, -1] = 49407
    pairs = [
        (graphs.encode_video(video, coverage), model.encode_video(video, coverage)),
        (graphs.encode_text(ids), model.encode_text(ids)),
    ]
    for ours, theirs in pairs:
        assert F.cosine_similarity(ours, theirs).min() > 0.99
        assert not torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4)  # or nothing would have been quantised
    blocks = sum(p.numel() for name, p in model.named_parameters() if ".blocks." in name and p.ndim == 2)
    others = 4 * (sum(p.numel() for p in model.parameters()) - blocks)
    assert sum(path.stat().st_size for path in (tmp_path / "onnx").glob("*.onnx")) < others + 1.3 * blocks


def test_missing_libraries_are_named_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MienError, match=r"pip install 'mien\[onnx\]'"):
        export_onnx("face", tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_folder_of_something_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(MienError, match="name a new folder"):
        export_onnx("face", tmp_path)
    saved(tmp_path / "mine", config_of("sap"))
    with pytest.raises(MienError, match="holds a model's weights, which graphs would replace"):
        export_onnx(tmp_path / "mine", tmp_path / "mine")
    assert (tmp_path / "mine" / "model.safetensors").is_file()
