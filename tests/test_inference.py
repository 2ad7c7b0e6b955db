"""`Mien`: three lines to an embedding, and the same embedding whichever way one asks."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from made_videos import write_subtitles, write_video
from small_mien import SIZE, small_mien
from tiny_store import write_store

from mien import Mien
from mien.inference import mask_coverage, windows
from mien.text import Tokenizer
from mien.types import ClipBatch, MienError, Skipped

MJPEG = {"codec": "mjpeg", "pix_fmt": "yuvj420p"}  # every picture for itself: a half of the file is a half of them


@pytest.fixture
def model() -> Mien:
    return small_mien()


def test_saved_model_embeds_as_before(model: Mien, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path / "model")
    again = Mien.from_pretrained(tmp_path / "model", device="cpu")
    video, mask = torch.randn(2, 4, 3, SIZE, SIZE), torch.rand(2, 4, SIZE, SIZE)
    assert torch.equal(again.encode_video(video, mask), model.encode_video(video, mask))
    assert torch.equal(again.encode_text(["so happy"]), model.encode_text(["so happy"]))


def test_bytes_are_normalised_and_floats_are_taken_as_normalised(model: Mien) -> None:
    raw = torch.randint(0, 256, (2, 3, SIZE, SIZE), dtype=torch.uint8)
    ready = model.config.preprocess.normalize(raw)
    assert torch.allclose(model.encode_frames(raw), model.encode_frames(ready))


def test_clip_of_one_repeated_frame_is_not_the_frame_but_has_its_size(model: Mien) -> None:
    frame = torch.randn(1, 3, SIZE, SIZE)
    assert model.encode_video(frame[:, None].expand(1, 4, 3, SIZE, SIZE)).shape == model.encode_frames(frame).shape


def test_first_frames_of_a_batch_are_embedded_as_single_frames_with_their_boxes(model: Mien) -> None:
    frames, boxes = torch.randint(0, 256, (2, 3, 3, SIZE, SIZE), dtype=torch.uint8), torch.zeros(2, 3, 1, 4)
    boxes[:, 0, 0] = torch.tensor([0, 0, SIZE, 16])
    batch = ClipBatch(
        frames=frames, boxes=boxes, token_ids=torch.zeros(2, 1, dtype=torch.int64), sentiment_logits=torch.zeros(2, 7),
        ids=("a", "b"),
    )  # fmt: skip
    mask = torch.zeros(2, SIZE, SIZE)
    mask[:, :16] = 1
    assert torch.allclose(model.embed_first_frames(batch), model.encode_frames(frames[:, 0], mask), atol=1e-6)


def test_embeddings_have_unit_length_only_when_asked(model: Mien) -> None:
    frames = torch.randn(3, 3, SIZE, SIZE)
    assert model.encode_frames(frames, normalize=True).norm(dim=-1) == pytest.approx(1, abs=1e-5)
    assert model.encode_frames(frames).norm(dim=-1).numpy() != pytest.approx(1, abs=1e-3)


def test_subject_mask_changes_the_embedding_and_none_means_the_whole_picture(model: Mien) -> None:
    frames, mask = torch.randn(1, 3, SIZE, SIZE), torch.zeros(1, SIZE, SIZE)
    mask[:, :16] = 1
    assert not torch.allclose(model.encode_frames(frames, mask), model.encode_frames(frames))
    assert torch.equal(model.encode_frames(frames, torch.ones(1, SIZE, SIZE)), model.encode_frames(frames))


def test_pixel_mask_becomes_the_share_of_each_patch() -> None:
    mask = torch.zeros(1, 4, 4)
    mask[0, :2, :3] = 1
    assert mask_coverage(mask, patch=2).tolist() == [[[1.0, 0.5], [0.0, 0.0]]]


def test_tokens_and_texts_give_the_same(model: Mien) -> None:
    texts = ["I am happy.", "go away"]
    padded = torch.full((2, 16), 49407)
    ids = Tokenizer.clip().encode(texts)
    padded[:, : ids.shape[1]] = ids
    assert torch.allclose(model.encode_text(texts), model.encode_text(padded), atol=1e-6)


def test_classify_arrays_gives_probabilities_of_the_labels(model: Mien) -> None:
    moments = model.classify(torch.randn(3, 4, 3, SIZE, SIZE), ["joy", "relief"])
    assert [list(m.scores) for m in moments] == [["joy", "relief"]] * 3
    assert [sum(m.scores.values()) for m in moments] == pytest.approx([1, 1, 1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.encode_frames(torch.randn(1, 3, 16, 16)), r"\[n, 3, 32, 32\]"),
        (lambda m: m.encode_frames(torch.randn(1, 3, SIZE, SIZE), torch.ones(1, 8, 8)), "the subject mask is"),
        (lambda m: m.encode_text("joy"), "list of texts"),
        (lambda m: m.classify(torch.randn(1, 2, 3, SIZE, SIZE), []), "list of words"),
        (lambda m: m.classify(torch.randn(1, 2, 3, SIZE, SIZE), ["joy", "fear", "joy"]), "each label once"),
        (lambda m: m.encode_frames(torch.zeros(1, 3, SIZE, SIZE, dtype=torch.uint8)[0]), "n, 3, 32, 32"),
        (lambda m: m.encode_video(torch.randn(2, 0, 3, SIZE, SIZE)), "b, t, 3, 32, 32"),
        (lambda m: m.classify(torch.randn(1, 2, 3, SIZE, SIZE), ["joy", "fear"], templates=["no slot"]), "needs {}"),
        (lambda m: m.classify(torch.randn(1, 2, 3, SIZE, SIZE), ["joy"]), "another beside 'joy'"),
        (lambda m: m.classify(torch.randn(1, 2, 3, SIZE, SIZE), ["joy", ""]), "one of the labels is empty"),
        (lambda m: m.classify(torch.randn(1, 2, 3, SIZE, SIZE), ["joy", "fear " * 90]), "shorten '"),
        (lambda m: m.encode_video(torch.randn(1, 9, 3, SIZE, SIZE)), "9 frames"),
    ],
)
def test_what_does_not_fit_is_named(model: Mien, call, message: str) -> None:
    with pytest.raises(MienError, match=message):
        call(model)


def test_embed_gives_a_row_a_source_whatever_kind_it_is_of(model: Mien, tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    path, video = tmp_path / "a.png", write_video(tmp_path / "a.mp4", num_frames=24)
    cv2.imwrite(str(path), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    rows = model.embed([rgb, video, path, path.read_bytes()])
    assert (rows.shape, rows.dtype) == ((4, 16), np.float32)
    assert np.allclose(rows[[2, 3]], rows[0], atol=1e-6)
    assert np.allclose(rows[1], model.embed_file(video, window_s=100)[0].embedding, atol=1e-6)
    assert np.linalg.norm(model.embed(path, normalize=True), axis=1) == pytest.approx(1)
    assert model.embed([]).shape == (0, 16)


def test_picture_in_memory_is_embedded_as_the_model_embeds_a_clip_of_it(model: Mien) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    clip = torch.from_numpy(rgb).permute(2, 0, 1).expand(1, 8, 3, SIZE, SIZE)
    assert np.allclose(model.embed(rgb, cropped=True), model.encode_video(clip).numpy(), atol=1e-6)


def test_pictures_are_classified_one_by_one_and_compared_with_texts(model: Mien) -> None:
    pictures = [np.full((40, 40, 3), grey, np.uint8) for grey in (0, 255)]
    moments = model.classify(pictures, ["joy", "relief"], cropped=True)
    assert [moment.video for moment in moments] == ["#0", "#1"]
    assert [sum(moment.scores.values()) for moment in moments] == pytest.approx([1, 1])
    cosines = model.compare(pictures, ["joy", "go away", "well"], cropped=True)
    assert cosines.shape == (2, 3)
    text = model.encode_text(["go away"], normalize=True).numpy()
    expected = model.embed(pictures, cropped=True, normalize=True) @ text.T
    assert np.allclose(cosines[:, [1]], expected, atol=1e-6)
    assert np.allclose(model.compare(pictures[0], "go away", cropped=True), expected[:1], atol=1e-6)


def test_a_model_of_faces_refuses_a_video_and_says_who_takes_it(tmp_path: Path) -> None:
    faces = Mien.from_pretrained("face", device="cpu")
    with pytest.raises(MienError, match="classify_faces"):
        faces.embed(write_video(tmp_path / "a.mp4"))


def test_windows_cut_a_video_into_equal_stretches_without_a_rest(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store")  # 20 frames at 8 a second: 2.5 s
    cut = windows(store, "train/0", window_s=1.0)
    assert [(c.start_frame, c.end_frame) for c in cut] == [(0, 10), (10, 20)]
    assert len(windows(store, "train/0", window_s=60)) == 1


def test_many_windows_keep_their_own_times_and_none_is_lost(model: Mien, tmp_path: Path) -> None:
    store = write_store(tmp_path / "store", num_videos=14)  # 5 windows each: more than two batches
    expected = [(c.video, c.start_s, c.end_s) for v in store.videos for c in windows(store, v, window_s=0.5)]
    moments = list(model.embed_store(store, window_s=0.5))
    assert len(expected) == 70
    assert [(m.video, m.start_s, m.end_s) for m in moments] == expected


def test_store_is_embedded_a_moment_a_window(model: Mien, tmp_path: Path) -> None:
    store = write_store(tmp_path / "store")
    moments = list(model.embed_store(store, window_s=1.25))
    assert [m.video for m in moments] == ["test/0", "test/0", "train/0", "train/0", "train/1", "train/1"]
    assert np.isfinite(np.stack([m.embedding for m in moments])).all()


@pytest.fixture
def cut_off(tmp_path: Path) -> Path:
    """A video whose header tells of eight seconds, and whose file ends before."""
    whole = write_video(tmp_path / "whole.mp4", num_frames=64, options={"movflags": "faststart"}, **MJPEG)
    path = tmp_path / "cut.mp4"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size * 7 // 10])
    return path


def test_part_that_does_not_decode_is_told(model: Mien, cut_off: Path) -> None:
    told: list[Skipped] = []
    moments = model.embed_file(cut_off, window_s=1.0, on_missing=told.append)
    assert 0 < moments[-1].end_s < 7
    ((what, reason),) = [(each.what, each.reason) for each in told]
    assert what == str(cut_off)
    assert f"decoded only {moments[-1].end_s:.1f} of 8.0 s" in reason


def test_part_that_does_not_decode_is_a_warning_where_nobody_asks(model: Mien, cut_off: Path) -> None:
    with pytest.warns(UserWarning, match=r"cut\.mp4: decoded only .* of 8\.0 s"):
        model.classify(cut_off, ["joy", "anger"])


def test_last_moment_ends_with_the_video_not_with_its_last_frame(model: Mien, tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", num_frames=49, fps=30)  # 1.633 s, 14 frames at 8 a second
    assert [m.end_s for m in model.embed_file(video, window_s=1.0)][-1] == pytest.approx(49 / 30, abs=0.002)


@pytest.mark.parametrize("name", ["a.wav", "a.srt"])
def test_sound_and_subtitles_are_refused_by_the_path_that_was_given(model: Mien, name: str, tmp_path: Path) -> None:
    path = write_subtitles(tmp_path / name, [(0.0, 1.0, "Hello.")])
    with pytest.raises(MienError, match=rf"{path} .*neither a video nor a picture"):
        model.embed_file(path)
    with pytest.raises(MienError, match=rf"{path} cannot be decoded as a picture: a JPEG"):
        model.classify(path, ["joy", "anger"])


def test_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(MienError, match="nothing can be computed on device 'gpu' here"):
        Mien.from_pretrained("face", device="gpu")
