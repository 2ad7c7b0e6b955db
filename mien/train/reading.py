"""What a run reads: the clips that its config chooses, as datasets of samples and batches of the method's kind."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import Field

from mien.config import Config
from mien.data.captioned import CaptionedDataset, Captions, CaptionSettings, collate_captioned
from mien.data.clips import ClipDataset, ClipFilter, ClipSettings, collate
from mien.data.loader import Collate, Samples
from mien.data.store import Store
from mien.data.views import ViewDataset, ViewSettings, collate_views
from mien.media.transforms import Augment, Preprocess
from mien.text import Tokenizer
from mien.types import Clip, MienError


class DataConfig(Config):
    """Where the clips are and which are used."""

    store: Path
    captions: CaptionSettings | None = None
    """For methods that learn from captions: what is said of the store's pictures, or of whole videos. Those that have
    a caption are then what is trained on, in place of the store's index."""
    views: ViewSettings | None = None
    """For methods that look at a picture's scene and person: how these are cut."""
    filter: ClipFilter = ClipFilter()
    validation: ClipFilter | None = None
    """Clips to evaluate on while training (loss and retrieval); must not overlap with `filter`'s."""
    max_validation_clips: int = Field(512, gt=0)
    neighbours: int = Field(1, gt=0)
    """So many clips that follow each other in a video share a batch, as hard negatives; 1 (published) shuffles."""
    clip: ClipSettings = ClipSettings()
    augment: Augment = Augment()


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """The run's clips: those trained on and those validated on, and how they are read."""

    config: DataConfig
    preprocess: Preprocess
    tokenizer: Tokenizer | None
    """None for a method that reads no texts."""
    context_length: int
    patches: int
    """Of a picture."""
    seed: int
    store: Store
    captions: Captions | None
    clips: list[Clip]
    validation: list[Clip]
    num_excluded: int
    num_uncaptioned: int
    """Videos of the store that have no caption, where captions are what is learnt from."""

    def dataset(self, clips: Sequence[Clip], *, augment: Augment | None) -> Samples:
        """Samples of `clips` by (epoch, index)."""
        settings, captions = self.config.captions, self.captions
        read = ClipDataset(
            self.store,
            clips,
            settings=self.config.clip,
            preprocess=self.preprocess,
            augment=augment,
            seed=self.seed,
        )
        if self.config.views is not None:
            return ViewDataset(read, self.config.views, patches=self.patches)
        if settings is None or captions is None:
            return read
        return CaptionedDataset(read, captions, max_local=settings.max_local)

    @property
    def collate(self) -> Collate:
        """Samples to a batch."""
        if self.config.views is not None:
            return functools.partial(collate_views, tokenizer=self.tokenizer, context_length=self.context_length)
        if self.config.captions is None:
            return functools.partial(collate, tokenizer=self.tokenizer, context_length=self.context_length)
        assert self.tokenizer is not None  # whoever learns from captions reads them
        return functools.partial(
            collate_captioned,
            tokenizer=self.tokenizer,
            context_length=self.context_length,
            max_local=self.config.captions.max_local,
        )

    @property
    def num_truncated(self) -> int:
        """Clips trained on whose text, or their first caption's longest sentence, is longer than the model reads."""
        if self.tokenizer is None:
            return 0
        texts = [clip.text for clip in self.clips]
        if self.captions is not None and self.config.views is None:
            texts = [max(self.captions.by_image[clip.video][0].sentences, key=len) for clip in self.clips]
        return len(self.tokenizer.truncated(texts, context_length=self.context_length))

    @property
    def digest(self) -> str:
        """A fingerprint of which clips are trained on, in which order, and what is said in or of them."""
        text = "\n".join(f"{c.id}\t{c.start_frame}\t{c.end_frame}\t{c.text}" for c in self.clips)
        if self.captions is not None:
            said = (str(record) for clip in self.clips for record in self.captions.by_image[clip.video])
            text += "\n".join(said)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def open_reading(
    config: DataConfig,
    *,
    preprocess: Preprocess,
    tokenizer: Tokenizer | None,
    context_length: int,
    patches: int,
    seed: int,
) -> Reading:
    """Opens the store and the captions. Raises MienError where training and validation share clips."""
    store = Store(config.store)
    captions = None if config.captions is None else Captions.read(config.captions.file)
    if config.views is not None:
        every = pictures_of_store(store, captions)
    else:
        every = store.clips() if captions is None else captions.clips(store)
    clips = config.filter.apply(every)
    validation = list[Clip]()
    if config.validation is not None:
        validation = config.validation.apply(every)[: config.max_validation_clips]
        shared = {clip.id for clip in validation} & {clip.id for clip in clips}
        if shared:
            raise MienError(f"{len(shared)} clips are in data.filter and in data.validation both, first {min(shared)}")
        if not validation:
            raise MienError(f"no clip of {config.store} passes data.validation ({config.validation!r})")
    return Reading(
        config=config,
        preprocess=preprocess,
        tokenizer=tokenizer,
        context_length=context_length,
        patches=patches,
        seed=seed,
        store=store,
        captions=captions,
        clips=clips,
        validation=validation,
        num_excluded=len(every) - len(clips),
        num_uncaptioned=0 if captions is None else len(store.videos) - len({clip.video for clip in every}),
    )


def pictures_of_store(store: Store, captions: Captions | None) -> list[Clip]:
    """What is seen twice, with what is said of it: captioned pictures with their captions' first sentence; without
    captions the store's clips with their utterances, and whole what has none, pictures among it, without a text."""
    if captions is not None:
        return [replace(clip, text=captions.by_image[clip.video][0].overall) for clip in captions.clips(store)]
    clips = store.clips()
    spoken = {clip.video for clip in clips}
    return clips + [store.whole_clip(video) for video in store.videos if video not in spoken]
