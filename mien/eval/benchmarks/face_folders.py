"""Facial expression sets that are folders: SFEW 2.0, pictures, and AFEW, the videos they are frames of.

`Train` and `Val` with a folder an emotion, as the EmotiW challenges gave them out (labels of `Test` are withheld); of
SFEW the aligned faces if they are there, else the scenes. From public readers of the sets; no copy was at hand. AFEW's
counts are those of EmotiW 2016 as public readers tell them (github.com/albanie/mcnDatasets: 773, 383, 593).
"""

from __future__ import annotations

from mien.eval.benchmarks.folders import Folders, folder_benchmark

CLASSES = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
FORM = "https://users.cecs.anu.edu.au/~few_group/AFEW.html (form)"

SFEW = folder_benchmark(
    "sfew",
    Folders(
        title="SFEW 2.0",
        classes=CLASSES,
        splits={
            "train": ("Train_Aligned_Faces", "Train_Aligned_Faces_new", "Train"),
            "val": ("Val_Aligned_Faces", "Val_Aligned_Faces_new", "Val"),
        },
        cut_out=("*aligned*",),
        suffix=".png",
    ),
    licence="research only, by agreement; the films belong to their makers",
    how_to_get=FORM,
    protocols="train_val",
    notes="labels of test are withheld; figures of others are on val",
)
AFEW = folder_benchmark(
    "afew",
    Folders(
        title="AFEW",
        classes=CLASSES,
        splits={"train": ("Train_AFEW", "Train"), "val": ("Val_AFEW", "Val")},
        suffix=".avi",
    ),
    licence="research only, by agreement; the films belong to their makers",
    how_to_get=FORM,
    protocols="train_val",
    expected={"train": 773, "val": 383},
    notes="labels of test are withheld; figures of others are on val",
)
