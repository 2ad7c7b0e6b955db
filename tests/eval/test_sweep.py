import numpy as np
import pytest

from mien.config import validate
from mien.eval.protocol import ClassNames, Sweep, Task, load_protocol
from mien.eval.sweep import choose, hold_out
from mien.types import Features, MienError

CLASSES = ClassNames(vad=("valence",))


def features(x: list[float], y: list[float], *, groups: str = "") -> Features:
    return Features(
        x=np.array(x, dtype=np.float32)[:, None],
        category=None,
        scores=None,
        vad=np.array(y, dtype=np.float32)[:, None],
        ids=tuple(f"clip {i}" for i in range(len(x))),
        groups=tuple(groups),
    )


def ridge(**sweep) -> Task:
    settings = {"grid": [0.02, 2.0, 200.0], "metric": "mse"} | sweep
    return validate(Task, {"name": "v", "probe": {"kind": "ridge", "alpha": 7.0}, "sweep": settings}, source="here")


def test_value_that_scores_best_on_validation_is_chosen():
    # Of x = ±1 and y = ±1 the ridge has slope 2 / (2 + alpha): 0.99, 0.5, 0.0099. Validation's slope is 0.5.
    train, validation = features([-1, 1], [-1, 1]), features([-2, 2], [-1, 1])
    chosen = choose(ridge(), classes=CLASSES, train=train, validation=validation)
    assert chosen.probe.model_dump() == {"kind": "ridge", "alpha": 2.0}
    steep = choose(ridge(), classes=CLASSES, train=train, validation=train)
    assert steep.probe.model_dump()["alpha"] == 0.02
    flat = choose(ridge(metric="r2"), classes=CLASSES, train=train, validation=features([-1, 1], [1, -1]))
    assert flat.probe.model_dump()["alpha"] == 200.0


def test_first_of_equals_is_chosen():
    task = ridge(metric="pearson")  # any slope above 0 has correlation 1
    train = features([-1, 1], [-1, 1])
    assert choose(task, classes=CLASSES, train=train, validation=train).probe.model_dump()["alpha"] == 0.02


def test_without_a_validation_split_whole_groups_are_held_out():
    kept, held = hold_out(features([0, 1, 2, 3, 4], [0] * 5, groups="aabbc"), share=0.5)
    assert (kept.ids, held.ids) == (("clip 2", "clip 3"), ("clip 0", "clip 1", "clip 4"))
    assert (kept.groups, held.groups) == (("b", "b"), ("a", "a", "c"))
    assert held.vad is not None
    kept, held = hold_out(features([0, 1, 2, 3, 4], [0] * 5), share=0.2)
    assert held.ids == ("clip 0",)
    train = features([-2, 2, -1, 1], [-1, 1, -1, 1], groups="aabb")
    assert choose(ridge(held_out=0.5), classes=CLASSES, train=train, validation=None).probe.model_dump()["alpha"] == 2


def test_what_cannot_be_swept_is_refused():
    train = features([-1, 1], [-1, 1])
    with pytest.raises(MienError, match="'accuracy', which is none of r2, mse, pearson"):
        choose(ridge(metric="accuracy"), classes=CLASSES, train=train, validation=train)
    with pytest.raises(MienError, match="r2 does not exist on the validation samples"):
        choose(ridge(metric="r2"), classes=CLASSES, train=train, validation=features([1, 2], [3, 3]))
    with pytest.raises(MienError, match=r"hold out 0\.2 of 1 groups"):
        hold_out(features([0, 1], [0, 1], groups="aa"), share=0.2)
    with pytest.raises(MienError, match="positive numbers only"):
        ridge(grid=[0.0, 1.0])


def test_task_without_a_sweep_stays_as_it_is_and_theatre_has_a_protocol_that_sweeps_all():
    train = features([-1, 1], [-1, 1])
    task = validate(Task, {"name": "v", "probe": {"kind": "ridge", "alpha": 7.0}}, source="here")
    assert choose(task, classes=CLASSES, train=train, validation=None) is task
    assert all(isinstance(task.sweep, Sweep) for task in load_protocol("theatre", "sweep").tasks)
