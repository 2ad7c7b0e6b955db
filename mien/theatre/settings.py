"""The settings of a theatre: everything its videos are a function of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from mien.config import Config

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Split = Literal["train", "test"]
SPLITS: tuple[Split, ...] = ("train", "test")


class TheatreSettings(Config):
    """What a theatre is made from; equal settings give equal videos.

    A video is a function of these settings, its split and its number alone, so `num_train` and `num_test`
    say how many there are and change none of them.
    """

    seed: int = Field(0, ge=0)
    num_train: int = Field(100, ge=0)
    num_test: int = Field(20, ge=0)
    min_utterances: int = Field(8, ge=1, description="fewest utterances of a video")
    max_utterances: int = Field(12, ge=1, description="most utterances of a video")
    width: int = Field(320, ge=64, le=1920, multiple_of=2)
    height: int = Field(256, ge=64, le=1080, multiple_of=2)
    fps: int = Field(8, ge=8, le=60)
    alone_share: Share = Field(0.4, description="share of the scenes with one person; the others have two or three")
    wordings: int | None = Field(None, ge=1, description="different sentences an emotion has; None for all there are")
    small_talk_share: Share = Field(0.1, description="utterances whose words give nothing away")
    sarcasm_share: Share = Field(0.08, description="angry or disgusted utterances in words of joy")
    setting_informativeness: Share = Field(
        0.2, description="share of the scenes whose place suits the first speaker's emotion"
    )
    faces: Path | None = Field(None, description="folder in FER+ layout: real faces instead of drawn ones")
    utterances: Path | None = Field(None, description="folder of train.tsv, test.tsv, labels.txt: real sentences")

    @model_validator(mode="after")
    def _bounds_in_order(self) -> TheatreSettings:
        if self.max_utterances < self.min_utterances:
            raise ValueError(f"{self.max_utterances = } must not be below {self.min_utterances = }")
        return self

    def count(self, split: Split) -> int:
        return self.num_train if split == "train" else self.num_test
