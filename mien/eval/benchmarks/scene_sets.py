"""Scene sets: pictures of anything, sorted into folders by the emotion they evoke or show.

`train|val|test/CLASS/*`, as UniEmoX's authors lay them out; some sets have no `val`. Emotion6 (Peng et al. 2015), FI
(You et al. 2016), UnBiasedEmo (Panda et al. 2018), CAER-S (Lee et al. 2019) and HECO (Yang et al. 2022) have the
classes of the script by which these authors split them (github.com/chincharles/u-emo), Emotion6 those of its readme too
(1,980 pictures), HECO those of its page (9,385 pictures). Splits are drawn at random there, 70, 10 and 20 % of a class
(FI 80, 5 and 15 %), some without a seed: nobody else has the same. The classes of Emo8 (Chen et al. 2024, arXiv
2409.18877) are taken to be FI's, which could not be confirmed. No copy of a real set was at hand.
"""

from __future__ import annotations

from mien.eval.benchmarks.folders import Folders, folder_benchmark

MIKELS = ("amusement", "awe", "contentment", "excitement", "anger", "disgust", "fear", "sadness")
RESEARCH = "research only; the pictures belong to those who took them"

EMOTION6 = folder_benchmark(
    "emotion6",
    Folders(title="Emotion6", classes=("anger", "disgust", "fear", "joy", "sadness", "surprise")),
    licence=RESEARCH,
    how_to_get="http://chenlab.ece.cornell.edu/downloads.html; sort the pictures into {train,val,test}/CLASS",
    notes="the release has no splits: a figure is that of the split used",
)
FI = folder_benchmark(
    "fi",
    Folders(title="FI (Flickr and Instagram)", classes=MIKELS),
    licence=RESEARCH,
    how_to_get="from its authors (You et al. 2016); sort the pictures into {train,val,test}/CLASS",
    notes="the release has no splits: a figure is that of the split used",
)
UNBIASEDEMO = folder_benchmark(
    "unbiasedemo",
    Folders(title="UnBiasedEmo", classes=("anger", "fear", "joy", "love", "sadness", "surprise")),
    licence=RESEARCH,
    how_to_get="from its authors (Panda et al. 2018); sort the pictures into {train,val,test}/CLASS",
)
CAER_S = folder_benchmark(
    "caer_s",
    Folders(
        title="CAER-S",
        classes=("anger", "disgust", "fear", "happy", "neutral", "sad", "surprise"),
        splits={"train": ("train",), "test": ("test",)},
        suffix=".png",
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
    ),
    licence="research and education only",
    how_to_get="https://heco2022.github.io (form); sort the pictures into {train,val,test}/CLASS",
    notes="here a class a picture, as UniEmoX uses it; the release annotates persons",
)
EMO8 = folder_benchmark(
    "emo8",
    Folders(title="Emo8", classes=MIKELS),
    licence=RESEARCH,
    how_to_get="from the authors of UniEmoX (arXiv 2409.18877)",
)
