"""A convolutional stem: pictures to a grid of tokens by residual convolutions, where few pixels must teach much.

A patch embedding cuts a picture of 48 pixels into a few dozen pieces that have never met. Convolutions look at
overlapping neighbourhoods first, and learn from tens of thousands of pictures what a transformer needs millions for
(Xiao et al. 2021, "Early Convolutions Help Transformers See Better"). The residual blocks have no norms: what norms are
for, activations of about variance 1, follows from standardised weights (Brock et al. 2021, "Characterizing signal
propagation to close the performance gap in unnormalized ResNets"). So a picture's tokens do not depend on the pictures
beside it, and a step takes half the time.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import model_validator
from torch import Tensor, nn

from mien.config import Config

RELU_GAIN = math.sqrt(2 / (1 - 1 / math.pi))
"""A rectified normal variable times this has variance 1."""
START = 0.5
"""How much a block adds to its shortcut at first: 0 is slow to leave (after 160 steps of configs/face.yaml the naming
loss was 1.64, from here 1.40), at 1 each block doubles the variance."""
VARIANCE_FLOOR = 1e-6
"""Added to the variance of a channel's weights: equal ones give zeros, not NaN; others hardly notice."""


class ConvStemConfig(Config):
    """Stages of residual blocks; each stage halves the picture's sides."""

    widths: tuple[int, ...] = (64, 128, 256)
    """Channels of each stage."""
    depths: tuple[int, ...] = (1, 2, 2)
    """Blocks of each stage."""

    @model_validator(mode="after")
    def _stages_fit(self) -> ConvStemConfig:
        if not self.widths or len(self.widths) != len(self.depths) or min(self.depths) < 1:
            raise ValueError(f"widths {self.widths} and depths {self.depths} are not one each a stage, depths ≥ 1")
        if min(self.widths) < 1:
            raise ValueError(f"widths {self.widths} are not all at least 1")
        return self

    @property
    def stride(self) -> int:
        """Pixels along a side that become one token."""
        return int(2 ** len(self.widths))


class ConvStem(nn.Module):
    """Pictures `[b, 3, h, w]` to `[b, width, h / stride, w / stride]`, as the patch embedding does."""

    def __init__(self, config: ConvStemConfig, *, width: int) -> None:
        super().__init__()
        channels = config.widths[0]
        self.first = StandardizedConv2d(3, channels, kernel_size=3, padding=1)
        blocks: list[ResidualBlock] = []
        for stage_width, depth in zip(config.widths, config.depths, strict=True):
            for number in range(depth):
                blocks.append(ResidualBlock(channels, stage_width, stride=2 if number == 0 else 1))
                channels = stage_width
        self.blocks = nn.ModuleList(blocks)
        self.last = nn.Conv2d(channels, width, kernel_size=1)

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d gh gw"]:
        x = self.first(image.contiguous(memory_format=torch.channels_last))
        for block in self.blocks:
            x = block(x)
        return self.last(F.relu(x))


class ResidualBlock(nn.Module):
    """A shortcut, and two convolutions that add to it."""

    def __init__(self, channels: int, width: int, *, stride: int) -> None:
        super().__init__()
        self.conv1 = StandardizedConv2d(channels, width, kernel_size=3, stride=stride, padding=1, gain=RELU_GAIN)
        self.conv2 = StandardizedConv2d(width, width, kernel_size=3, padding=1, gain=RELU_GAIN)
        self.strength = nn.Parameter(torch.full((1,), START))  # no scalar: FSDP2 shards none
        self.stride = stride
        self.shortcut: nn.Module | None = None
        if stride > 1 or channels != width:
            self.shortcut = StandardizedConv2d(channels, width, kernel_size=1, gain=RELU_GAIN)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d gh gw"]:
        bent = F.relu(x)
        kept = x if self.shortcut is None else self.shortcut(_every(bent, self.stride))
        return torch.addcmul(kept, self.conv2(F.relu(self.conv1(bent))), self.strength)


def _every(x: Float[Tensor, "b c h w"], stride: int) -> Float[Tensor, "b c gh gw"]:
    """What a convolution of one pixel looks at with this stride. Looked up here, as torch's own backward pass of such
    convolutions writes outside its memory (2.13, channels last, two threads)."""
    return x[:, :, ::stride, ::stride].contiguous(memory_format=torch.channels_last)


class StandardizedConv2d(nn.Conv2d):
    """A convolution whose weights have, for each channel that comes out, mean 0 and a learnt norm.

    At the start the norm is `gain`, so that inputs of variance 1 / gain² come out with about variance 1 (Qiao et al.
    2019, "Weight Standardization"; Brock et al. 2021).
    """

    def __init__(
        self, channels: int, width: int, *, kernel_size: int, stride: int = 1, padding: int = 0, gain: float = 1.0
    ) -> None:
        super().__init__(channels, width, kernel_size=kernel_size, stride=stride, padding=padding)
        self.gain = nn.Parameter(torch.full((width,), gain))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d gh gw"]:
        return F.conv2d(x, self.standardized(), self.bias, self.stride, self.padding)

    def standardized(self) -> Float[Tensor, "d c k k"]:
        """The weights that it convolves with."""
        variance, mean = torch.var_mean(self.weight, dim=(1, 2, 3), keepdim=True)
        fan_in = self.weight[0].numel()
        return (self.weight - mean) * torch.rsqrt(variance * fan_in + VARIANCE_FLOOR) * self.gain[:, None, None, None]


def stem_forward_flops(config: ConvStemConfig, *, image_size: int, width: int) -> float:
    """Operations of one picture's convolutions, a multiplication and an addition being two."""
    channels, side = config.widths[0], image_size
    total = 2.0 * side**2 * 9 * 3 * channels
    for stage_width, depth in zip(config.widths, config.depths, strict=True):
        side //= 2
        for number in range(depth):
            shortcut = channels if number == 0 else 0
            total += 2.0 * side**2 * stage_width * (9 * channels + 9 * stage_width + shortcut)
            channels = stage_width
    return total + 2.0 * side**2 * channels * width
