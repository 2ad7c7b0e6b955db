"""MovieGraphs' pickle, read without running anything that is in it.

A pickle is a program: it names any function of any module, and loading it calls that function. The release's is a
dictionary {IMDb id: MovieGraph} of Python 2 objects over networkx 1.11. Here each name that such a file needs stands
for a stub that keeps its state and does nothing; every other name is refused, and so are the opcodes that reach
objects without a name.

Layout, from the release's own loader (py3loader/GraphClasses.py): a MovieGraph has `clip_graphs`, an OrderedDict
{scene number: ClipGraph}; a ClipGraph has `video = {movie, fname[], scene[], ss, es}` (`ss` and `es` the first and the
last shot, counted from 1; several files where scenes were merged) and `G`, a DiGraph whose `node` is {id: attributes};
an emotion is a node of type `attribute`, subtype `emo`, whose text was annotated as `emo:<word>`.
"""

from __future__ import annotations

import io
import pickle
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from mien.types import MienError


@dataclass(frozen=True, kw_only=True, slots=True)
class AnnotatedClip:
    """What is annotated of one clip, as it stands in the file: nothing is mapped, and nothing left out.

    `clip` is its key in the film's graph. Shots count from 1 and both are part of the clip; 0 where none is named.
    `files` are the scenes it was put together from, `scene-SSS.ss-FFFF.es-LLLL.mp4`.
    """

    film: str
    clip: int
    start_shot: int
    end_shot: int
    files: tuple[str, ...]
    words: tuple[str, ...]


def read_pickle(path: Path) -> list[AnnotatedClip]:
    """The clips of all films, in the file's order.

    Raises MienError where the file asks for anything but MovieGraphs' own classes (none of it is run), is damaged, or
    is something else.
    """
    try:
        films = _Reader(path).load()
    except _BROKEN as error:
        raise MienError(
            f"{path} is damaged or no pickle of MovieGraphs ({type(error).__name__}: {error}); unpack it again"
        ) from error
    if not isinstance(films, dict) or not films or not all(isinstance(film, _MovieGraph) for film in films.values()):
        raise MienError(f"{path} holds no {{IMDb id: MovieGraph}}; is it MovieGraphs' 2017-11-02-51-7637_py3.pkl?")
    return [clip for film, graph in films.items() for clip in _clips_of(graph, film=film, path=path)]


def _clips_of(graph: _Stub, *, film: object, path: Path) -> Iterator[AnnotatedClip]:
    clips = graph.state.get("clip_graphs")
    if not isinstance(film, str) or not isinstance(clips, dict):
        raise MienError(f"{path}: film {film!r} has no clip_graphs; unpack the release again")
    for key, clip in clips.items():
        if type(key) is not int or not isinstance(clip, _ClipGraph):
            raise MienError(f"{path}: {film} has {key!r} among its clip graphs, which is no clip's; unpack it again")
        video = _mapping(clip.state.get("video"))
        files = video.get("fname")
        yield AnnotatedClip(
            film=film,
            clip=key,
            start_shot=_shot(video.get("ss")),
            end_shot=_shot(video.get("es")),
            files=tuple(file for file in files if isinstance(file, str)) if isinstance(files, list) else (),
            words=tuple(_emotions(clip.state.get("G"))),
        )


def _emotions(graph: object) -> Iterator[str]:
    """The words of the emotion nodes, each once, in the graph's order."""
    nodes = _mapping(graph.state.get("node")) if isinstance(graph, _Graph) else {}
    words = dict[str, None]()
    for node in map(_mapping, nodes.values()):
        if node.get("type") == "attribute" and node.get("subtype") == "emo" and isinstance(node.get("name"), str):
            words[node["name"].strip()] = None
    return iter(words)


def _mapping(value: object) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _shot(value: object) -> int:
    return value if type(value) is int and value > 0 else 0


# ── the restricted unpickler ─────────────────────────────────────────────────────────────────────


class _Stub:
    """Stands for a class of the pickle: made of any arguments, which are dropped, it keeps its state for reading."""

    __slots__ = ("state",)
    state: dict[Any, Any]

    def __new__(cls, *arguments: object) -> _Stub:
        stub = object.__new__(cls)
        stub.state = {}
        return stub

    def __init__(self, *arguments: object) -> None: ...

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, dict):
            raise pickle.UnpicklingError(f"the state of a {type(self).__name__.lstrip('_')} is no dictionary")
        self.state = state


class _MovieGraph(_Stub):
    __slots__ = ()


class _ClipGraph(_Stub):
    __slots__ = ()


class _Graph(_Stub):
    __slots__ = ()


class _Ignored(_Stub):
    """What may occur in parts that are not read."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None: ...


class _Reconstructor(_Stub):
    """`copyreg._reconstructor`, by which protocols 0 and 1 make objects, for stubs alone.

    A class, as a function has attributes that a pickle could set.
    """

    __slots__ = ()

    def __new__(cls, *arguments: object) -> _Stub:  # type: ignore[misc]  # the object it is asked for
        made = arguments[0] if arguments else None
        if not isinstance(made, type) or not issubclass(made, _Stub):
            raise pickle.UnpicklingError(f"it makes an object of {made!r}, which is none of its classes")
        return made()


_ALLOWED: dict[str, type[_Stub] | type[dict] | type[set]] = {
    "GraphClasses.MovieGraph": _MovieGraph,
    "GraphClasses.ClipGraph": _ClipGraph,
    "networkx.classes.digraph.DiGraph": _Graph,
    "collections.OrderedDict": dict,  # a dict keeps its order as well, and takes the same arguments
    "__builtin__.dict": dict,  # networkx 1.11 keeps it in every graph, as the factory of its dictionaries
    "builtins.dict": dict,
    "__builtin__.set": set,
    "builtins.set": set,
    "__builtin__.object": _Ignored,
    "builtins.object": _Ignored,
    "copy_reg._reconstructor": _Reconstructor,
    "copyreg._reconstructor": _Reconstructor,
    "numpy.core.multiarray.scalar": _Ignored,
    "numpy.dtype": _Ignored,
}
_WITHOUT_NAME = (
    pickle.EXT1, pickle.EXT2, pickle.EXT4, pickle.PERSID, pickle.BINPERSID, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER,
    pickle.BYTEARRAY8,
)  # fmt: skip
"""Opcodes that reach into the running program without naming what they want, or take memory that they do not fill."""

_BROKEN = (
    pickle.UnpicklingError, EOFError, AttributeError, ImportError, IndexError, KeyError, TypeError, ValueError,
    OverflowError, MemoryError, OSError, struct.error,
)  # fmt: skip


class _Reader(pickle._Unpickler):
    """The standard library's unpickler in Python, which tells every opcode apart; the one in C cannot refuse any."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.BytesIO(path.read_bytes()), encoding="latin1")
        self._path = path

    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        if full not in _ALLOWED:
            raise MienError(
                f"{self._path} asks for {full}, which MovieGraphs does not need; it was refused, and nothing was run: "
                "get the file from the data set's authors, and do not load it with pickle"
            )
        return _ALLOWED[full]

    def _refuse(self) -> None:
        raise MienError(
            f"{self._path} holds an instruction that reaches for objects without naming them; it was refused, and "
            "nothing was run: get the file from the data set's authors, and do not load it with pickle"
        )

    dispatch: ClassVar[dict[int, Any]] = {
        **pickle._Unpickler.dispatch,
        **dict.fromkeys((code[0] for code in _WITHOUT_NAME), _refuse),
    }
