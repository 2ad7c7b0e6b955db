"""The masked autoencoder against an implementation written apart from it, with the same weights and masks."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mien.losses.distillation import patches_of, reconstruction_losses
from mien.models.mae import DecoderConfig, MaskedDecoder, encode_seen, masked_of, num_seen, rebuild
from mien.models.transformer import Transformer
from mien.models.video_clip import VideoClipConfig
from mien.models.vit import VisionConfig, VisionTransformer, sincos_positions

CONFIG = VisionConfig(image_size=32, patch_size=8, width=24, layers=2, heads=3, mlp_width=48, layout="mae")


def build() -> tuple[VisionTransformer, MaskedDecoder]:
    torch.manual_seed(0)
    encoder = VisionTransformer(CONFIG, embed_dim=24)
    return encoder, MaskedDecoder(CONFIG, DecoderConfig(width=16, layers=2, heads=2))


def published_positions(grid: int, width: int) -> np.ndarray:
    """MAE's positions by its paper's formula, one number at a time."""
    table = np.zeros((1 + grid**2, width))
    for row in range(grid):
        for column in range(grid):
            for i in range(width // 4):
                frequency = 1 / 10_000 ** (4 * i / width)
                token = table[1 + row * grid + column]
                token[i], token[i + width // 4] = math.sin(column * frequency), math.cos(column * frequency)
                token[i + width // 2] = math.sin(row * frequency)
                token[i + 3 * width // 4] = math.cos(row * frequency)
    return table


def blocks(tower: Transformer, x: Tensor, *, heads: int) -> Tensor:
    """A pre-norm transformer in matrix products, one picture and one head at a time."""
    for block in tower.blocks:
        weights = block.state_dict()
        normed = F.layer_norm(x, x.shape[-1:], weights["norm1.weight"], weights["norm1.bias"], 1e-6)
        q, k, v = (normed @ weights["attention.qkv.weight"].T + weights["attention.qkv.bias"]).chunk(3, dim=-1)
        size = x.shape[-1] // heads
        parts = []
        for head in range(heads):
            own = slice(head * size, (head + 1) * size)
            attention = (q[:, own] @ k[:, own].T / math.sqrt(size)).softmax(dim=-1)
            parts.append(attention @ v[:, own])
        x = x + torch.cat(parts, dim=1) @ weights["attention.out.weight"].T + weights["attention.out.bias"]
        normed = F.layer_norm(x, x.shape[-1:], weights["norm2.weight"], weights["norm2.bias"], 1e-6)
        hidden = F.gelu(normed @ weights["mlp.up.weight"].T + weights["mlp.up.bias"])
        x = x + hidden @ weights["mlp.down.weight"].T + weights["mlp.down.bias"]
    return x


def by_hand(encoder: VisionTransformer, decoder: MaskedDecoder, picture: Tensor, order: list[int], seen: int) -> Tensor:
    """MAE's forward pass of one picture: the pixels of every patch."""
    w, d, positions = encoder.state_dict(), decoder.state_dict(), torch.from_numpy(published_positions(4, 24)).float()
    tokens = {}
    for number in range(16):
        top, left = 8 * (number // 4), 8 * (number % 4)
        patch = picture[:, top : top + 8, left : left + 8]
        tokens[number] = (w["patch_embedding.weight"] * patch).sum(dim=(1, 2, 3))
        tokens[number] = tokens[number] + w["patch_embedding.bias"] + positions[1 + number]
    x = torch.stack([w["class_embedding"], *(tokens[number] for number in order[:seen])])
    x = blocks(encoder.transformer, x, heads=3)
    x = F.layer_norm(x, (24,), w["post_norm.weight"], w["post_norm.bias"], 1e-6)
    x = x @ d["from_encoder.weight"].T + d["from_encoder.bias"]
    rows = dict.fromkeys(range(16), d["mask_token"]) | dict(zip(order[:seen], x[1:], strict=True))
    y = torch.stack([x[0], *(rows[number] for number in range(16))])
    y = blocks(decoder.transformer, y + torch.from_numpy(published_positions(4, 16)).float(), heads=2)
    y = F.layer_norm(y, (16,), d["norm.weight"], d["norm.bias"], 1e-6)
    return (y @ d["to_pixels.weight"].T + d["to_pixels.bias"])[1:]


@pytest.mark.parametrize("seen", [1, 4, 15])
def test_forward_pass_is_that_of_an_independent_implementation(seen: int) -> None:
    (encoder, decoder), pictures = build(), torch.randn(3, 3, 32, 32)
    order = torch.rand(3, 16).argsort(dim=1)
    with torch.no_grad():
        found = decoder(encode_seen(encoder, pictures, order, num_seen=seen), order)
        each = (by_hand(encoder, decoder, p, o.tolist(), seen) for p, o in zip(pictures, order, strict=True))
        expected = torch.stack(list(each))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_positions_are_the_published_ones() -> None:
    torch.testing.assert_close(sincos_positions(5, width=24), torch.from_numpy(published_positions(5, 24)).float())


def test_masked_patches_are_not_looked_at() -> None:
    (encoder, _), pictures = build(), torch.randn(2, 3, 32, 32)
    order = torch.rand(2, 16).argsort(dim=1)
    is_masked = masked_of(order, num_seen=4)
    assert is_masked.sum(dim=1).tolist() == [12, 12]
    assert not is_masked.gather(1, order[:, :4]).any()
    hidden = is_masked.reshape(2, 1, 4, 4).repeat_interleave(8, 2).repeat_interleave(8, 3)
    other = torch.where(hidden, torch.randn_like(pictures), pictures)
    found, expected = (encode_seen(encoder, x, order, num_seen=4) for x in (other, pictures))
    assert torch.equal(found, expected)


def test_rebuilt_picture_is_the_decoders_where_masked_and_the_picture_elsewhere() -> None:
    (encoder, decoder), pictures = build(), torch.randn(2, 3, 32, 32)
    order = torch.rand(2, 16).argsort(dim=1)
    found = patches_of(rebuild(encoder, decoder, pictures, order, num_seen=4), patch=8)
    with torch.no_grad():
        painted = decoder(encode_seen(encoder, pictures, order, num_seen=4), order)
    masked = masked_of(order, num_seen=4)
    assert torch.equal(found[masked], painted[masked])
    assert torch.equal(found[~masked], patches_of(pictures, patch=8)[~masked])


def test_a_picture_is_read_from_the_mean_of_its_patches() -> None:
    (encoder, _), pictures = build(), torch.randn(2, 3, 32, 32)
    tokens = encoder.encode(encoder.embed(pictures))
    assert encoder.num_read is None
    torch.testing.assert_close(encoder.pool(tokens), encoder.post_norm(tokens[:, 1:].mean(dim=1)))


def test_positions_stay_as_they_are() -> None:
    names = {name for part in build() for name, p in part.named_parameters() if not p.requires_grad}
    assert names == {"position_embedding", "positions"}


@pytest.mark.parametrize(("ratio", "seen"), [(0.75, 4), (0.9, 1), (0.0, 16)])
def test_ratio_says_how_many_patches_are_seen(ratio: float, seen: int) -> None:
    assert num_seen(CONFIG, mask_ratio=ratio) == seen


def test_embeddings_are_as_wide_as_the_tower() -> None:
    vision = CONFIG.model_dump()
    for changes in ({"embed_dim": 8, "subject": "vanilla"}, {"embed_dim": 24, "subject": "sap"}):
        with pytest.raises(ValueError, match=r"vision\.layout mae wants embed_dim 24, its width, and subject vanilla"):
            VideoClipConfig.model_validate({"vision": vision} | changes)
    with pytest.raises(ValueError, match="width 6 is not a multiple of 4"):
        VisionConfig(width=6, heads=1, layout="mae")


class KeepsFirstToken(MaskedDecoder):
    """The released code's decoder: of `[cls]` and the patches it keeps `x[:, :1]`, where it must drop the first."""

    def forward(self, encoded: Tensor, order: Tensor) -> Tensor:
        tokens = self.from_encoder(encoded)
        masked = self.mask_token.expand(len(tokens), order.shape[1] - encoded.shape[1] + 1, -1)
        back = order.argsort(dim=1)[..., None].expand(-1, -1, tokens.shape[2])
        patches = torch.cat([tokens[:, 1:], masked], dim=1).gather(1, back)
        decoded = self.transformer(torch.cat([tokens[:, :1], patches], dim=1) + self.positions)
        return self.to_pixels(self.norm(decoded[:, :1])).expand(-1, order.shape[1], -1)


def evenly_coloured(generator: torch.Generator) -> Tensor:
    """Pictures of one colour each, which a seen patch tells."""
    return torch.randn(32, 3, 1, 1, generator=generator).expand(-1, -1, 32, 32)


def sloping(generator: torch.Generator) -> Tensor:
    """Slopes of any direction, whose seen patches tell the rest."""
    ramp = torch.linspace(-1, 1, 32)
    across, down = torch.randn(2, 32, 1, 1, 1, generator=generator)
    return (across * ramp + down * ramp[:, None]).expand(-1, 3, -1, -1)


def loss_after_training(
    decoder_of: type[MaskedDecoder], draw: Callable[[torch.Generator], Tensor], *, steps: int
) -> float:
    """The loss on pictures that are drawn anew each step, as a share of their variance."""
    torch.manual_seed(0)
    encoder = VisionTransformer(CONFIG, embed_dim=24)
    decoder = decoder_of(CONFIG, DecoderConfig(width=16, layers=2, heads=2))
    trained = [p for part in (encoder, decoder) for p in part.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=3e-3)
    for step in range(steps):
        generator = torch.Generator().manual_seed(step)
        pictures = draw(generator)
        order = torch.rand(32, 16, generator=generator).argsort(dim=1)
        predicted = decoder(encode_seen(encoder, pictures, order, num_seen=4), order)
        pixels = patches_of(pictures, patch=8)
        loss = reconstruction_losses(predicted, pixels, masked_of(order, num_seen=4)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return float(loss.detach() / pixels.var())


def test_it_learns_to_rebuild_what_it_does_not_see() -> None:
    assert loss_after_training(MaskedDecoder, evenly_coloured, steps=150) < 0.2


@pytest.mark.slow
def test_released_decoder_s_token_costs_all_that_differs_between_patches() -> None:
    right, released = (loss_after_training(each, sloping, steps=300) for each in (MaskedDecoder, KeepsFirstToken))
    assert right < 0.1
    assert released > 0.9
