"""The arithmetic by formula is what torch counts."""

from __future__ import annotations

import pytest
from tiny import CONFIG, random_batch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mien.methods import EmotionClip, EmotionClipConfig
from mien.methods.emotionclip import subject_coverage
from mien.methods.flops import text_forward_flops, video_forward_flops
from mien.models.video_clip import VideoClipConfig


def counted(method: EmotionClip, *, backward: bool) -> float:
    batch = random_batch()
    pixels, covered = method.config.preprocess.normalize(batch.frames), subject_coverage(batch, method.config.model)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):  # whose products are seen one by one
        embedded = method.model.encode_video(pixels, covered).sum() + method.model.encode_text(batch.token_ids).sum()
        if backward:
            embedded.backward()
    return counter.get_total_flops()


@pytest.mark.parametrize("subject", ["vanilla", "sap", "saam"])
@pytest.mark.parametrize("temporal", ["transformer", "mean"])
def test_forward_pass_costs_what_torch_counts(subject: str, temporal: str) -> None:
    data = CONFIG.model.model_dump() | {"subject": subject}
    data["temporal"]["kind"] = temporal
    model = VideoClipConfig.model_validate(data)
    method = EmotionClipConfig(model=model).build()
    expected = 8 * (video_forward_flops(model, num_frames=3) + text_forward_flops(model, length=6))
    sap = 8 * 3 * 2 * 4 * 16 if subject == "sap" else 0  # the prompt's sum over 4 patches of width 16, not counted
    assert counted(method, backward=False) == expected + sap


def test_training_costs_three_times_that_and_two_where_matrices_are_frozen() -> None:
    method, batch = CONFIG.build(), random_batch()
    forward = counted(method, backward=False)
    assert method.flops(batch) == pytest.approx(3 * forward, rel=0.01)
    pixels = 8 * 3 * 2 * 4 * (3 * 8 * 8) * 16  # of 4 patches a frame; their gradient is nobody's, but it counts here
    assert method.flops(batch) == pytest.approx(counted(method, backward=True) + pixels, rel=0.01)
    for parameter in method.parameters():
        parameter.requires_grad_(parameter.ndim < 2)
    assert method.flops(batch) == pytest.approx(2 * forward, rel=0.01)
    method.model.text.requires_grad_(False)
    text = 8 * text_forward_flops(CONFIG.model, length=6)
    assert method.flops(batch) == pytest.approx(2 * forward - text, rel=0.01)


def test_published_model_costs_a_quarter_of_a_teraflop_a_clip() -> None:
    """ViT-B/32 on 8 frames, three passes. By parameters: 2 × 51 tokens × 86 M a frame, 2 × 77 × 38 M the text."""
    model = VideoClipConfig.model_validate({"preset": "ViT-B/32"})
    video, text = video_forward_flops(model, num_frames=8), text_forward_flops(model, length=77)
    assert video == pytest.approx(8 * 2 * 51 * 86e6 + 6 * 8 * 2 * 3.15e6, rel=0.05)
    assert text == pytest.approx(2 * 77 * 38e6, rel=0.05)
    assert 3 * (video + text) == pytest.approx(0.23e12, rel=0.05)
