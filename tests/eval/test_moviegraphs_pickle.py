"""The restricted unpickler: what it reads, and that nothing in a pickle can make it run anything."""

from __future__ import annotations

import builtins
import copyreg
import os
import pickle
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from types import ModuleType

import pytest

from mien.eval.benchmarks import moviegraphs_pickle
from mien.eval.benchmarks.moviegraphs_fake import Global, Instance, dump_python2
from mien.eval.benchmarks.moviegraphs_pickle import AnnotatedClip, read_pickle
from mien.types import MienError


class Calls:
    """Pickles as a call of `function` with `arguments`."""

    def __init__(self, function, *arguments) -> None:
        self.reduced = (function, arguments)

    def __reduce__(self):
        return self.reduced


def written(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "2017-11-02-51-7637_py3.pkl"
    path.write_bytes(data)
    return path


def graph(nodes: dict) -> Instance:
    return Instance(
        "networkx.classes.digraph", "DiGraph", {"node": nodes, "node_dict_factory": Global("__builtin__", "dict")}
    )


def film(clips: list) -> Instance:
    ordered = Instance("collections", "OrderedDict", arguments=(clips,))
    return Instance("GraphClasses", "MovieGraph", {"imdb_key": "tt0000001", "clip_graphs": ordered})


def clip(video: dict, nodes: dict) -> Instance:
    return Instance("GraphClasses", "ClipGraph", {"video": video, "G": graph(nodes), "situation": "café"})


VIDEO = {"movie": "tt0000001", "fname": ["scene-002.ss-0003.es-0005.mp4"], "scene": [2], "ss": 3, "es": 5}


def test_clips_are_read_as_they_are_annotated(tmp_path: Path) -> None:
    nodes = {
        4: {"type": "attribute", "subtype": "emo", "name": " happy", "origtext": "emo: happy"},
        1: {"type": "entity", "name": "emo"},
        2: {"type": "attribute", "subtype": "age", "name": "adult", "origtext": "age:adult"},
        7: {"type": "attribute", "subtype": "emo", "name": "worried", "origtext": "emo:worried"},
        9: {"type": "attribute", "subtype": "emo", "name": "happy", "origtext": "emo:happy"},
    }
    path = written(tmp_path, dump_python2({"tt0000001": film([[1, clip(VIDEO, nodes)]])}))
    assert read_pickle(path) == [
        AnnotatedClip(
            film="tt0000001",
            clip=1,
            start_shot=3,
            end_shot=5,
            files=("scene-002.ss-0003.es-0005.mp4",),
            words=("happy", "worried"),
        )
    ]


def test_clip_without_shots_or_graph_is_read_for_later_to_leave_out(tmp_path: Path) -> None:
    bare = Instance("GraphClasses", "ClipGraph", {"situation": ""})
    (read,) = read_pickle(written(tmp_path, dump_python2({"tt0000001": film([[1, bare]])})))
    assert (read.start_shot, read.end_shot, read.files, read.words) == (0, 0, (), ())


def test_objects_of_old_protocols_are_read(tmp_path: Path) -> None:
    made = b"ccopy_reg\n_reconstructor\n(cGraphClasses\nMovieGraph\nc__builtin__\nobject\nNtR(dS'clip_graphs'\n(dsb"
    assert read_pickle(written(tmp_path, b"(dS'tt0000001'\n" + made + b"s.")) == []


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_of_any_protocol_are_read(tmp_path: Path, protocol: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made = {"GraphClasses": ("MovieGraph", "ClipGraph"), "networkx.classes.digraph": ("DiGraph",)}
    classes = {}
    for module, names in made.items():
        monkeypatch.setitem(sys.modules, module, ModuleType(module))
        for name in names:
            classes[name] = type(name, (), {"__module__": module})
            setattr(sys.modules[module], name, classes[name])

    def instance(name: str, **state: object) -> object:
        thing = classes[name]()
        thing.__dict__.update(state)
        return thing

    worried = {"type": "attribute", "subtype": "emo", "name": "worried"}
    shared = instance("DiGraph", node={1: worried, 2: dict(worried, name="happy")}, adj={1: {}}, node_dict_factory=dict)
    clips = OrderedDict((key, instance("ClipGraph", video=VIDEO, G=shared, kinds={"a", "b"})) for key in (5, 2))
    path = written(tmp_path, pickle.dumps({"tt0000001": instance("MovieGraph", clip_graphs=clips)}, protocol))
    assert [(clip.clip, clip.start_shot, clip.words) for clip in read_pickle(path)] == [
        (5, 3, ("worried", "happy")),
        (2, 3, ("worried", "happy")),
    ]


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (os.system, ("touch {}",), "system"),
        (subprocess.check_output, (["touch", "{}"],), "check_output"),
        (eval, ("__import__('pathlib').Path('{}').touch()",), "eval"),
        (exec, ("open('{}', 'w')",), "exec"),
        (getattr, ("", "format"), "getattr"),
        (open, ("{}", "w"), "io.open"),
        (pickle.loads, (b"cos\nsystem\n(S'touch {}'\ntR.",), "loads"),
        (builtins.__import__, ("antigravity",), "__import__"),
    ],
)
def test_functions_are_refused_by_name_and_not_run(
    tmp_path: Path, protocol: int, function, arguments: tuple, name: str
) -> None:
    proof = tmp_path / "ran"
    filled = [a.format(proof) if isinstance(a, str) else a for a in arguments]
    with pytest.raises(MienError, match=rf"asks for \S*{name}.* refused, and nothing was run"):
        read_pickle(written(tmp_path, pickle.dumps(Calls(function, *filled), protocol)))
    assert not proof.exists()


def test_function_deep_in_the_tree_is_refused(tmp_path: Path) -> None:
    hidden = OrderedDict(tt0000001=[{"fname": (Calls(os.system, f"touch {tmp_path / 'ran'}"),)}])
    for protocol in range(6):
        with pytest.raises(MienError, match=r"\.system"):
            read_pickle(written(tmp_path, pickle.dumps(hidden, protocol)))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "program",
    [
        b"(S'x'\nios\nsystem\n.",  # INST
        b"(cos\nsystem\nS'x'\no.",  # OBJ
        b"\x80\x02cos\nsystem\n)\x81.",  # NEWOBJ
        b"\x80\x04\x8c\x02os\x8c\x06system\x93)}\x92.",  # STACK_GLOBAL, NEWOBJ_EX
        b"\x80\x04\x8c\x0cGraphClasses\x8c\x1fMovieGraph.__init__.__globals__\x93.",  # a way through an allowed class
        b"\x80\x04\x8c\x08builtins\x8c\x0ddict.fromkeys\x93.",
        b"ccopyreg\n__newobj__\n(cos\nsystem\ntR.",
        b"ccopy_reg\nadd_extension\n(S'os'\nS'system'\nI7\ntR.",
        b"c__builtin__\ngetattr\n.",
        b"cnt\nsystem\n.",
    ],
)
def test_every_way_to_a_name_goes_by_the_list(tmp_path: Path, program: bytes) -> None:
    with pytest.raises(MienError, match=r"asks for .* refused, and nothing was run"):
        read_pickle(written(tmp_path, program))


@pytest.mark.parametrize(
    "program", [b"\x80\x02\x82\x07)R.", b"\x80\x02\x83\x07\x00.", b"\x80\x02\x84\x07\x00\x00\x00."]
)
def test_extension_codes_are_refused_even_where_the_program_knows_them(tmp_path: Path, program: bytes) -> None:
    copyreg.add_extension("os", "system", 7)
    copyreg._extension_cache[7] = os.system  # type: ignore[attr-defined]
    try:
        with pytest.raises(MienError, match="without naming them"):
            read_pickle(written(tmp_path, program))
    finally:
        copyreg.remove_extension("os", "system", 7)


@pytest.mark.parametrize(
    "program",
    [
        b"Pname\n.",  # PERSID
        b"Nq\x00Q.",  # BINPERSID
        b"\x80\x05\x97.",  # NEXT_BUFFER
        b"\x80\x05\x96\xff\xff\xff\xff\xff\x00\x00\x00.",  # BYTEARRAY8, a terabyte
    ],
)
def test_opcodes_that_name_nothing_are_refused(tmp_path: Path, program: bytes) -> None:
    with pytest.raises(MienError, match="without naming them"):
        read_pickle(written(tmp_path, program))


@pytest.mark.parametrize(
    "program",
    [
        b"cGraphClasses\nMovieGraph\n}S'state'\nNsb.",  # BUILD on the class itself
        b"cGraphClasses\nMovieGraph\n(N}S'__setstate__'\nc__builtin__\ndict\nstb.",
        b"c__builtin__\ndict\n(N}S'get'\nc__builtin__\nset\nstb.",
        b"ccopyreg\n_reconstructor\n(N}S'__new__'\nc__builtin__\ndict\nstb.",
        b"ccopyreg\n_reconstructor\n(c__builtin__\ndict\nc__builtin__\nobject\nNtR.",
        b"cGraphClasses\nMovieGraph\n)R(N}S'__class__'\nc__builtin__\ndict\nstb.",
        b"cGraphClasses\nMovieGraph\n)R(S'a'\ne.",  # APPENDS to a stub
        b"c__builtin__\ndict\n(S'a'\ntR.",
    ],
)
def test_stubs_cannot_be_changed(tmp_path: Path, program: bytes) -> None:
    before = {cls: dict(vars(cls)) for cls in moviegraphs_pickle._ALLOWED.values()}
    with pytest.raises(MienError, match="damaged or no pickle"):
        read_pickle(written(tmp_path, program))
    assert {cls: dict(vars(cls)) for cls in moviegraphs_pickle._ALLOWED.values()} == before


@pytest.mark.parametrize("data", [b"", b"not a pickle", b"\x80\x02}q\x00(X\x05", b"\x89HDF" + bytes(40)])
def test_what_is_no_pickle_is_told(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(MienError, match="damaged or no pickle of MovieGraphs"):
        read_pickle(written(tmp_path, data))


@pytest.mark.parametrize("value", [{}, [], {"tt0000001": {"clip_graphs": {}}}, "tt0000001"])
def test_pickle_of_something_else_is_told(tmp_path: Path, value: object) -> None:
    with pytest.raises(MienError, match="holds no"):
        read_pickle(written(tmp_path, pickle.dumps(value)))
