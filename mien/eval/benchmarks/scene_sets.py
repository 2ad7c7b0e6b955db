"""Scene sets: pictures of anything, sorted into folders by the emotion they evoke or show.

`train|val|test/CLASS/*`, as UniEmoX's authors lay them out; some sets have no `val`. Emotion6 (Peng et al. 2015), FI
(You et al. 2016), UnBiasedEmo (Panda et al. 2018), CAER-S (Lee et al. 2019) and HECO (Yang et al. 2022) have the
classes of the script by which these authors split them (github.com/chincharles/u-emo), Emotion6 those of its readme too
(1,980 pictures), HECO those of its page (9,385 pictures). The script draws 70, 10 and 20 % of a class at random (FI 80,
5 and 15 %), most without a seed and all in the order of the disk, and takes CAER-S's val out of its test: nobody else
has the same. `mien data splits` draws splits that can be drawn again (`mien.eval.benchmarks.splits`), of the same
shares, and with CAER-S's val out of its train. The classes of Emo8 (Chen et al. 2024, arXiv 2409.18877) are taken to be
FI's, which could not be confirmed. No copy of a real set was at hand.
"""

from __future__ import annotations

from mien.eval.benchmarks.folders import Folders, folder_benchmark

MIKELS = ("amusement", "awe", "contentment", "excitement", "anger", "disgust", "fear", "sadness")
SEVENTY = {"": {"train": 70, "val": 10, "test": 20}}
RESEARCH = "research only; the pictures belong to those who took them"

EMOTION6 = folder_benchmark(
    "emotion6",
    Folders(title="Emotion6", classes=("anger", "disgust", "fear", "joy", "sadness", "surprise"), shares=SEVENTY),
    licence=RESEARCH,
    how_to_get="http://chenlab.ece.cornell.edu/downloads.html; CLASS/*, or sorted into {train,val,test}/CLASS",
    notes="the release has no splits: draw them with `mien data splits`; a figure is that of the splits used",
)
FI = folder_benchmark(
    "fi",
    Folders(title="FI (Flickr and Instagram)", classes=MIKELS, shares={"": {"train": 80, "val": 5, "test": 15}}),
    licence=RESEARCH,
    how_to_get="from its authors (You et al. 2016); CLASS/*, or sorted into {train,val,test}/CLASS",
    notes="the release has no splits: draw them with `mien data splits`; a figure is that of the splits used",
)
UNBIASEDEMO = folder_benchmark(
    "unbiasedemo",
    Folders(title="UnBiasedEmo", classes=("anger", "fear", "joy", "love", "sadness", "surprise"), shares=SEVENTY),
    licence=RESEARCH,
    how_to_get="from its authors (Panda et al. 2018); CLASS/*, or sorted into {train,val,test}/CLASS",
)
CAER_S = folder_benchmark(
    "caer_s",
    Folders(
        title="CAER-S",
        classes=("anger", "disgust", "fear", "happy", "neutral", "sad", "surprise"),
        splits={"train": ("train",), "test": ("test",)},
        suffix=".png",
        shares={"train": {"train": 90, "val": 10}, "test": {"test": 100}},
    ),
    licence=RESEARCH,
    how_to_get="https://caer-dataset.github.io (form); CAER-S.zip, with train/ and test/",
    notes="pictures are frames of television series; the same series are in train and in test",
)
HECO = folder_benchmark(
    "heco",
    Folders(
        title="HECO",
        classes=("surprise", "excitement", "happiness", "peace", "disgust", "anger", "fear", "sadness"),
        shares=SEVENTY,
    ),
    licence="research and education only",
    how_to_get="https://heco2022.github.io (form); CLASS/*, or sorted into {train,val,test}/CLASS",
    notes="here a class a picture, as UniEmoX uses it; the release annotates persons",
)
EMO8 = folder_benchmark(
    "emo8",
    Folders(title="Emo8", classes=MIKELS, shares=SEVENTY),
    licence=RESEARCH,
    how_to_get="from the authors of UniEmoX (arXiv 2409.18877)",
)
