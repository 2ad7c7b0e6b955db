"""A small MovieGraphs: its files and quirks, with four short films of drawn people.

The ids are of films that are in MovieGraphs; which split each is in, its shots, graphs and emotions are made up. The
pickle is written as Python 2 writes it, opcode by opcode: no class that it names exists here.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mien.theatre.drawn import write_drawn_video
from mien.types import MienError

FPS = 8
SHOT_FRAMES = 8
NUM_SHOTS = 10
SCENES = ((1, 2), (3, 4), (5, 6), (7, 8), (9, 10))
"""The first and last shot of each scene, a second a shot; the last scene is credits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FakeClip:
    """One graph: the scenes it was put together from, counted from 1, and its emotion nodes as they were annotated."""

    scenes: tuple[int, ...]
    emotions: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class FakeFilm:
    """One film: the user's file, how many frames that has, and its graphs by their keys, which have gaps."""

    imdb_id: str
    split: str
    file: str
    num_frames: int
    clips: Mapping[int, FakeClip]


FILMS = (
    FakeFilm(
        imdb_id="tt0388795",  # the copy ends within scene 3
        split="train",
        file="tt0388795.mp4",
        num_frames=44,
        clips={
            0: FakeClip(scenes=(1,), emotions=("happy", "loving")),
            1: FakeClip(scenes=(2,), emotions=("confused", "groovy")),  # the table has no groovy
            2: FakeClip(scenes=(3,), emotions=("sad",)),
            3: FakeClip(scenes=(4,), emotions=("tired",)),
            4: FakeClip(scenes=(5,), emotions=("happy",)),
        },
    ),
    FakeFilm(
        imdb_id="tt0109830",
        split="train",
        file="Forrest Gump (1994) {tt0109830}.mp4",
        num_frames=80,
        clips={
            0: FakeClip(scenes=(1,), emotions=("scared", " worried")),
            2: FakeClip(scenes=(3, 2), emotions=("Cheerful",)),  # merged, and the later one first
            3: FakeClip(scenes=(4,), emotions=("groovy",)),
        },
    ),
    FakeFilm(
        imdb_id="tt0073486",
        split="val",
        file="One_Flew_tt0073486_1080p.mp4",
        num_frames=80,
        clips={
            0: FakeClip(scenes=(1,), emotions=()),
            1: FakeClip(scenes=(2,), emotions=("angry", "furious")),
            2: FakeClip(scenes=(3,), emotions=("calm", "happy")),
            3: FakeClip(scenes=(5,), emotions=("pleased",)),
        },
    ),
    FakeFilm(
        imdb_id="tt0822832",  # the copy begins with half a second of something else: offsets.yaml
        split="test",
        file="tt0822832.mp4",
        num_frames=84,
        clips={
            0: FakeClip(scenes=(1,), emotions=("happy",)),
            1: FakeClip(scenes=(2, 3), emotions=("indecisive", "sad")),
            3: FakeClip(scenes=(4,), emotions=("surprised",)),
        },
    ),
)


def write_fake_moviegraphs(root: Path) -> None:
    """Write the annotations, and in `root/videos` the films."""
    loader, scenes, shots = root / "mg/py3loader", root / _INFO / "scene_boundaries", root / _INFO / "video_boundaries"
    for folder in (loader, scenes, shots, root / "videos"):
        folder.mkdir(parents=True, exist_ok=True)
    splits = {s: [film.imdb_id for film in FILMS if film.split == s] for s in ("train", "val", "test")}
    (root / "mg/split.json").write_text(json.dumps(splits), encoding="utf-8")
    graphs = {film.imdb_id: _movie_graph(film) for film in FILMS}
    (loader / "2017-11-02-51-7637_py3.pkl").write_bytes(dump_python2(graphs))
    cuts = [(shot * SHOT_FRAMES, shot * SHOT_FRAMES / FPS) for shot in range(1, NUM_SHOTS)]
    frames = [(frame, frame / FPS) for frame in range(NUM_SHOTS * SHOT_FRAMES)]
    for seed, film in enumerate(FILMS):
        useful = "".join(f"{first} {last} {int((first, last) != SCENES[-1])} \n" for first, last in SCENES)
        (scenes / f"{film.imdb_id}.scenes.gt").write_text(useful, encoding="utf-8")
        events = "".join(f"{frame} {time_s:.3f} CUT\n" for frame, time_s in cuts)
        (shots / f"{film.imdb_id}.videvents").write_text(f"CRAFTED {film.imdb_id}\n{events}", encoding="utf-8")
        times = "".join(f"{frame} {time_s:.3f}\n" for frame, time_s in frames)
        (shots / f"{film.imdb_id}.matidx").write_text(times, encoding="utf-8")
        write_drawn_video(root / "videos" / film.file, seed=seed, num_frames=film.num_frames, fps=FPS)
    (root / "videos/offsets.yaml").write_text("tt0822832: 0.5\n", encoding="utf-8")


_INFO = "mg_videoinfo"


def _movie_graph(film: FakeFilm) -> Instance:
    clips = [[key, _clip_graph(clip, film=film.imdb_id)] for key, clip in film.clips.items()]
    state = {
        "imdb_key": film.imdb_id,
        "castlist": [{"chid": "ch0", "name": "René"}, {"chid": "ch1", "name": "李"}],
        "clip_graphs": Instance("collections", "OrderedDict", arguments=(clips,)),
    }
    return Instance("GraphClasses", "MovieGraph", state)


def _clip_graph(clip: FakeClip, *, film: str) -> Instance:
    shots = [SCENES[scene - 1] for scene in clip.scenes]
    video = {
        "movie": film,
        "fname": [f"scene-{s:03d}.ss-{a:04d}.es-{b:04d}.mp4" for s, (a, b) in zip(clip.scenes, shots, strict=True)],
        "scene": list(clip.scenes),
        "ss": min(first for first, _ in shots),
        "es": max(last for _, last in shots),
    }
    nodes: dict[object, object] = {
        -1: {"type": "situation", "name": "talk", "origtext": "talk", "pos": (0, 0)},
        0: {"type": "entity", "name": "René", "origtext": "René", "node_id": 0, "chid": "ch0", "pos": (1.5, 2.0)},
        1: {"type": "attribute", "subtype": "age", "name": "adult", "origtext": "age:adult", "propagated": True},
    }
    for number, word in enumerate(clip.emotions, start=2):
        nodes[number] = {"type": "attribute", "subtype": "emo", "name": word, "origtext": f"emo:{word}"}
    edges: dict[int, object] = {0: {number: {} for number in range(1, 2 + len(clip.emotions))}}
    factories = dict.fromkeys(("node_dict_factory", "adjlist_dict_factory", "edge_attr_dict_factory"), _DICT)
    graph = Instance("networkx.classes.digraph", "DiGraph", {"graph": {}, "node": nodes, "adj": edges, **factories})
    return Instance(
        "GraphClasses", "ClipGraph", {"video": video, "G": graph, "situation": "talk", "orig_graph_json": None}
    )


# ── a pickle of Python 2, protocol 2 ─────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Global:
    """A class or function by its name."""

    module: str
    name: str


@dataclass(frozen=True, slots=True)
class Instance:
    """An object of a class by its name: with a state, or else made of arguments."""

    module: str
    name: str
    state: Mapping[str, object] | None = None
    arguments: tuple[object, ...] = field(default=())


_DICT = Global("__builtin__", "dict")


def dump_python2(value: object) -> bytes:
    """The pickle of plain values, and of what they say is an object of some class."""
    return b"\x80\x02" + _dump(value) + b"."


def _dump(value: object) -> bytes:
    match value:
        case None:
            return b"N"
        case bool():
            return b"\x88" if value else b"\x89"
        case int():
            return b"J" + struct.pack("<i", value)
        case float():
            return b"G" + struct.pack(">d", value)
        case str():
            return _dump_text(value)
        case tuple():
            return b"(" + b"".join(map(_dump, value)) + b"t"
        case list():
            return b"](" + b"".join(map(_dump, value)) + b"e"
        case dict():
            return b"}(" + b"".join(_dump(k) + _dump(v) for k, v in value.items()) + b"u"
        case Global(module, name):
            return f"c{module}\n{name}\n".encode()
        case Instance(module, name, None, arguments):
            return _dump(Global(module, name)) + _dump(arguments) + b"R"
        case Instance(module, name, state):
            return _dump(Global(module, name)) + b")\x81" + _dump(state) + b"b"
    raise MienError(f"{value!r} cannot be written to a pickle here; give plain values")


def _dump_text(text: str) -> bytes:
    """A `str` in Latin-1 where that has its letters, else a `unicode`: the release has both."""
    try:
        data = text.encode("latin1")
        return b"T" + struct.pack("<i", len(data)) + data
    except UnicodeEncodeError:
        data = text.encode()
        return b"X" + struct.pack("<I", len(data)) + data
