"""What `convert` refuses: files that want to run code, files of other kinds, folders it would overwrite."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from mien.convert import convert
from mien.state_file import read_tensors
from mien.types import MienError


class Malicious:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("zipped", [True, False])
def test_pickle_with_code_is_refused_and_not_run(zipped: bool, tmp_path: Path) -> None:
    proof = tmp_path / "was-run"
    content = {"model": {"backbone.visual.conv1.weight": torch.zeros(1)}, "args": Malicious(proof)}
    torch.save(content, tmp_path / "evil.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(MienError, match=r"would run code from it \(\w+\.mkdir\), which is refused") as raised:
        convert(tmp_path / "evil.pt", tmp_path / "model")
    assert "weights_only` argument" not in str(raised.value)  # PyTorch's own advice
    assert not proof.exists()
    torch.load(tmp_path / "evil.pt", weights_only=False)
    assert proof.exists()  # it would have


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"weight": torch.zeros(2)}, "first names are weight"),
        ({"state_dict": {"encoder.weight": torch.zeros(2)}}, "first names are encoder.weight"),
        ({"epoch": 3, "loss": 0.5}, "holds keys epoch, loss"),
        ([torch.zeros(2)], "holds a list"),
        (torch.zeros(2), "holds a Tensor"),
        ({}, "holds keys none"),
    ],
)
def test_checkpoint_of_another_kind_is_described(content: object, message: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(MienError, match=message):
        convert(tmp_path / "other.pt", tmp_path / "model")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("noise.pt", b"not a checkpoint at all " * 9, "is not a PyTorch checkpoint: it is neither"),
        ("README.md", b"# A page\n", "is not a PyTorch checkpoint: it is neither"),
        ("a.mp4", b"\0\0\0 ftypisom" + bytes(90), "is not a PyTorch checkpoint: it is neither"),
        ("noise.bin", b"\x80\x02" + b"not a checkpoint at all " * 9, "is not a PyTorch checkpoint, or damaged"),
        ("noise.safetensors", b"not a checkpoint at all " * 9, "is not a safetensors file"),
        ("empty.pt", b"", r"is empty \(0 bytes\)"),
        ("empty.safetensors", b"", r"is empty \(0 bytes\)"),
    ],
)
def test_file_that_is_no_checkpoint_is_named_and_no_unsafe_reading_advised(
    name: str, content: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MienError, match=rf"{name} {message}") as raised:
        convert(tmp_path / name, tmp_path / "model")
    assert "weights_only" not in str(raised.value)
    assert not str(raised.value).endswith(": ")


@pytest.mark.filterwarnings("ignore:Detected pickle protocol", "ignore:TypedStorage is deprecated")
@pytest.mark.parametrize("zipped", [True, False])
@given(changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_checkpoint_is_read_or_named(
    zipped: bool, changes: list[tuple[float, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    stream = io.BytesIO()
    content = {"model": {"a": torch.arange(5.0), "b": torch.zeros(2, 2)}, "epoch": 1}
    torch.save(content, stream, _use_new_zipfile_serialization=zipped)
    data = bytearray(stream.getvalue())
    for where, value in changes:
        data[int(where * len(data))] = value
    path = tmp_path_factory.getbasetemp() / "damaged.pt"
    path.write_bytes(data)
    with contextlib.suppress(MienError):
        read_tensors(path)


def test_script_archive_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.warns(DeprecationWarning, match="jit"):
        torch.jit.script(torch.nn.Linear(2, 2)).save(str(tmp_path / "openai.pt"))
    with pytest.raises(MienError, match=r"TorchScript archive .*state_dict"):
        convert(tmp_path / "openai.pt", tmp_path / "model")


def test_missing_source_and_other_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(MienError, match="no file or folder at"):
        convert(tmp_path / "absent.pt", tmp_path / "model")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.txt").touch()
    with pytest.raises(MienError, match=r"not a Hugging Face CLIP folder.*notes\.txt"):
        convert(tmp_path / "folder", tmp_path / "model")


def test_hugging_face_weights_without_their_config_are_refused(tmp_path: Path) -> None:
    save_file({"vision_model.embeddings.patch_embedding.weight": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(MienError, match=r"config\.json beside them"):
        convert(tmp_path / "model.safetensors", tmp_path / "model")


def test_source_is_never_replaced(tmp_path: Path) -> None:
    torch.save({}, tmp_path / "clip.pt")
    for out in (tmp_path, tmp_path / "clip.pt"):
        with pytest.raises(MienError, match="would replace"):
            convert(tmp_path / "clip.pt", out)
    assert (tmp_path / "clip.pt").is_file()
