"""MovieGraphs: times, films and labels, on the fake and on copies of it with one thing changed."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mien.eval.benchmarks import moviegraphs_cache
from mien.eval.benchmarks.moviegraphs import CLASS_OF, CLASSES, PICKLE, read_moviegraphs
from mien.eval.benchmarks.moviegraphs_annotations import SCENES, SHOTS, read_scenes, read_shot_ends, read_table
from mien.eval.benchmarks.moviegraphs_cache import read_clips, table_of
from mien.eval.benchmarks.moviegraphs_fake import FILMS, FakeClip, dump_python2, write_fake_moviegraphs
from mien.eval.benchmarks.moviegraphs_fake import _movie_graph as movie_graph
from mien.eval.benchmarks.release import Release
from mien.types import MienError

pytestmark = pytest.mark.slow  # together they take long

SHORT, MERGED, VAL, LATER = "tt0388795", "tt0109830", "tt0073486", "tt0822832"


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("moviegraphs")
    write_fake_moviegraphs(root)
    return root


@pytest.fixture
def root(fake: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return shutil.copytree(fake, tmp_path / "mg_root")


def categories(release: Release) -> dict[str, list[str]]:
    scores = {sample.id: sample.labels.scores for sample in release.samples}
    return {id: [c for c, score in zip(CLASSES, row or (), strict=True) if score] for id, row in scores.items()}


def times(release: Release) -> dict[str, tuple[float, float | None]]:
    return {sample.id: (sample.start_s, sample.end_s) for sample in release.samples}


def reasons(release: Release) -> dict[str, str]:
    return {skipped.what: skipped.reason for skipped in release.skipped}


def with_clips(root: Path, film: str, **clips: FakeClip) -> None:
    """Give a film other graphs: `s7` is the one of key 7."""
    changed = {int(key[1:]): clip for key, clip in clips.items()}
    films = [replace(f, clips=changed) if f.imdb_id == film else f for f in FILMS]
    (root / PICKLE).write_bytes(dump_python2({f.imdb_id: movie_graph(f) for f in films}))


# ── labels ───────────────────────────────────────────────────────────────────────────────────────


def test_table_has_26_categories_and_182_words_each_in_one() -> None:
    words = [word for each in read_table().values() for word in each]
    assert (len(CLASSES), len(words), len(set(words))) == (26, 182, 182)
    assert "Doubt/Conf" in CLASSES
    assert CLASSES[CLASS_OF["grief-stricken"]] == "Sadness"
    assert CLASSES[CLASS_OF["angry"]] == CLASSES[CLASS_OF["anger"]] == "Anger"
    assert len(CLASS_OF) == 184


def test_categories_are_those_of_the_words_whatever_their_case_and_blanks(fake: Path) -> None:
    assert categories(read_moviegraphs(fake, "train")) == {
        f"{SHORT}#0": ["Affection", "Happiness"],
        f"{SHORT}#1": ["Doubt/Conf"],
        f"{SHORT}#2": ["Sadness"],
        f"{MERGED}#0": ["Disquietment", "Fear"],
        f"{MERGED}#2": ["Happiness"],
    }
    assert categories(read_moviegraphs(fake, "val")) == {f"{VAL}#1": ["Anger"], f"{VAL}#2": ["Happiness", "Peace"]}


def test_words_without_a_category_are_counted_and_clips_of_such_words_left_out(fake: Path) -> None:
    release = read_moviegraphs(fake, "train")
    (groovy,) = [note.reason for note in release.notes if note.what == "emotion 'groovy'"]
    assert "2 clips have it" in groovy
    assert "none of its emotions" in reasons(release)[f"{MERGED}#3"]


def test_clip_without_emotions_is_left_out(fake: Path) -> None:
    assert reasons(read_moviegraphs(fake, "val"))[f"{VAL}#0"] == "no emotion is annotated"


# ── times ────────────────────────────────────────────────────────────────────────────────────────


def test_shots_end_at_their_cut_and_the_last_at_the_last_frame(root: Path) -> None:
    (root / SHOTS / "tt0000001.videvents").write_text("CRAFTED tt0000001\n24 1.001 CUT\n60 2.503 CUT\n\n")
    (root / SHOTS / "tt0000001.matidx").write_text("0 0.0\n1 0.042\n99 4.129 \n\n")
    assert read_shot_ends(root, "tt0000001") == (1.001, 2.503, 4.129)


def test_clip_lasts_from_its_first_shot_to_the_end_of_its_last(fake: Path) -> None:
    release = times(read_moviegraphs(fake, "train"))
    assert release[f"{MERGED}#0"] == (0.0, 2.0)
    assert release[f"{MERGED}#2"] == (2.0, 6.0)  # scenes 3 and 2, merged


def test_clip_to_the_last_shot_ends_with_the_last_frame(root: Path) -> None:
    path = root / SCENES / f"{VAL}.scenes.gt"
    path.write_text(path.read_text().replace("9 10 0", "9 10 1"))
    assert times(read_moviegraphs(root, "val"))[f"{VAL}#3"] == (8.0, 79 / 8)


def test_offset_moves_the_clips_of_its_film_alone(fake: Path, root: Path) -> None:
    assert times(read_moviegraphs(fake, "test"))[f"{LATER}#1"] == (2.5, 6.5)
    (root / "videos/offsets.yaml").write_text(f"{MERGED}: -1.5\n{VAL}: -3\n")
    release = read_moviegraphs(root, "train")
    assert times(release)[f"{MERGED}#0"] == (0.0, 0.5)  # cut where the copy begins
    assert times(release)[f"{SHORT}#0"] == (0.0, 2.0)


def test_clip_before_the_copy_begins_is_left_out(root: Path) -> None:
    (root / "videos/offsets.yaml").write_text(f"{MERGED}: -2\n")
    with pytest.warns(UserWarning, match=MERGED):
        release = read_moviegraphs(root, "train")
    assert "before the copy" in reasons(release)[f"{MERGED}#0"]


def test_clip_is_cut_where_the_copy_ends_and_left_out_after_that(fake: Path) -> None:
    release = read_moviegraphs(fake, "train")  # of tt0388795 it is known, and no warning
    assert times(release)[f"{SHORT}#2"] == (4.0, 5.5)
    assert "begins at 6.0 s, and the copy of the film ends at 5.5 s" in reasons(release)[f"{SHORT}#3"]


def test_copy_of_another_duration_is_warned_of(root: Path) -> None:
    shutil.copy(root / f"videos/{SHORT}.mp4", root / "videos/One_Flew_tt0073486_1080p.mp4")
    with pytest.warns(UserWarning, match=r"lasts 5\.5 s, the annotated copy 9\.9 s.*offsets\.yaml"):
        release = read_moviegraphs(root, "val")
    assert "lasts 5.5 s" in {note.what: note.reason for note in release.notes}[VAL]


def test_credits_are_left_out_whatever_blanks_end_the_line(fake: Path) -> None:
    assert "9 10 0 \n" in (fake / SCENES / f"{SHORT}.scenes.gt").read_text()
    assert [scene.is_useful for scene in read_scenes(fake, SHORT)] == [True] * 4 + [False]
    assert "not useful" in reasons(read_moviegraphs(fake, "val"))[f"{VAL}#3"]


def test_clip_merged_of_a_scene_and_credits_stays(root: Path) -> None:
    with_clips(root, VAL, s3=FakeClip(scenes=(4, 5), emotions=("calm",)))
    assert times(read_moviegraphs(root, "val"))[f"{VAL}#3"] == (6.0, 79 / 8)


def test_clip_of_shots_that_the_film_does_not_have_is_left_out(root: Path) -> None:
    (root / SHOTS / f"{VAL}.videvents").write_text("header\n8 1.0 CUT\n16 2.0 CUT\n24 3.0 CUT\n")
    assert "ends with shot 6, and mg_videoinfo/video_boundaries knows of 4" in reasons(
        read_moviegraphs(root, "val")
    )[f"{VAL}#2"]  # fmt: skip


# ── films ────────────────────────────────────────────────────────────────────────────────────────


def test_films_are_found_by_the_id_in_their_names(fake: Path) -> None:
    files = {sample.group: sample.file for sample in read_moviegraphs(fake, "train").samples}
    assert files == {SHORT: f"videos/{SHORT}.mp4", MERGED: "videos/Forrest Gump (1994) {tt0109830}.mp4"}


def test_films_are_found_anywhere_below_the_root_where_there_are_no_videos(root: Path) -> None:
    (root / "bought/shelf").mkdir(parents=True)
    (root / f"videos/{LATER}.mp4").rename(root / f"bought/shelf/Marley.{LATER.upper()}.MP4")
    shutil.rmtree(root / "videos")
    (root / "offsets.yaml").write_text(f"{LATER}: 0.5\n")
    release = read_moviegraphs(root, "test")
    assert {sample.file for sample in release.samples} == {f"bought/shelf/Marley.{LATER.upper()}.MP4"}
    assert times(release)[f"{LATER}#0"] == (0.5, 2.5)


def test_longer_ids_hidden_files_and_subtitles_are_no_copies(root: Path) -> None:
    film = root / f"videos/{VAL}.mp4"
    (root / "videos/One_Flew_tt0073486_1080p.mp4").rename(root / "videos/tt00734861.mp4")
    (root / f"videos/._{VAL}.mp4").write_bytes(b"Mac OS X")
    (root / f"videos/{VAL}.srt").write_text("")
    release = read_moviegraphs(root, "val")
    assert {root / sample.file for sample in release.samples} == {film}
    assert len(release.missing(root)) == len(release.samples) == 2


def test_two_copies_of_a_film_are_refused(root: Path) -> None:
    shutil.copy(root / f"videos/{LATER}.mp4", root / f"videos/{LATER} (extended).mp4")
    with pytest.raises(MienError, match=rf"are both {LATER}; keep one"):
        read_moviegraphs(root, "test")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("tt0000007: 1", "none of the release's films"),
        (f"{LATER}: soon", "must be a number of seconds"),
        (f"{LATER}: .nan", "must be a number of seconds"),
        ("- 1", "must hold lines such as"),
        ("{", "is not valid YAML"),
    ],
)
def test_offsets_that_make_no_sense_are_refused(root: Path, text: str, why: str) -> None:
    (root / "videos/offsets.yaml").write_text(text)
    with pytest.raises(MienError, match=rf"offsets\.yaml.* {why}"):
        read_moviegraphs(root, "test")


# ── the release ──────────────────────────────────────────────────────────────────────────────────


def test_root_of_something_else_is_refused(fake: Path, tmp_path: Path) -> None:
    with pytest.raises(MienError, match=r"is not MovieGraphs: there is none of mg/split\.json"):
        read_moviegraphs(tmp_path, "train")
    with pytest.raises(MienError, match=rf"is not the root of MovieGraphs, {fake} is"):
        read_moviegraphs(fake / "mg", "train")


@pytest.mark.parametrize("name", [PICKLE, SCENES, SHOTS, "mg/split.json"])
def test_half_unpacked_release_is_refused_with_what_it_lacks(root: Path, name: str) -> None:
    (root / name).rename(root / "elsewhere")
    with pytest.raises(MienError, match=rf"only part of MovieGraphs: {name} is missing"):
        read_moviegraphs(root, "train")


def test_film_without_its_text_files_is_refused(root: Path) -> None:
    (root / SHOTS / f"{LATER}.matidx").unlink()
    with pytest.raises(MienError, match=rf"{LATER}\.matidx cannot be read"):
        read_moviegraphs(root, "test")


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        (f"{SHOTS}/{LATER}.videvents", "header\n8 one CUT\n", r"line 2: '8 one CUT' is not"),
        (f"{SHOTS}/{LATER}.videvents", "header\n8 1.0 CUT\n16 1.0 CUT\n", r"shot 2 would last from 1\.0 to 1\.0 s"),
        (f"{SHOTS}/{LATER}.matidx", "\n", "ends with ''"),
        (f"{SCENES}/{LATER}.scenes.gt", "1 2 \n", "line 1: '1 2' is not"),
        (f"{SCENES}/{LATER}.scenes.gt", "1 2 1 \n3 4 2 \n", "line 2: useful is 2"),
        ("mg/split.json", '{"train": []}', "has no lists train, val, test"),
        ("mg/split.json", '{"train": ["Jaws"], "val": [], "test": []}', "train is no list of IMDb ids"),
    ],
)
def test_damaged_file_is_named_with_the_line(root: Path, name: str, text: str, why: str) -> None:
    (root / name).write_text(text)
    with pytest.raises(MienError, match=rf"{Path(name).name}.*{why}"):
        read_moviegraphs(root, "test")


def test_film_without_graphs_is_listed(root: Path) -> None:
    split = json.loads((root / "mg/split.json").read_text())
    split["val"].append("tt0000001")
    (root / "mg/split.json").write_text(json.dumps(split))
    assert "has no graphs" in reasons(read_moviegraphs(root, "val"))["tt0000001"]


def test_unknown_split_is_refused(fake: Path) -> None:
    with pytest.raises(MienError, match="no split 'dev'; it has train, val, test"):
        read_moviegraphs(fake, "dev")


# ── the cache ────────────────────────────────────────────────────────────────────────────────────


def test_pickle_is_converted_once(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = read_clips(fake / PICKLE)
    monkeypatch.setattr(moviegraphs_cache, "read_pickle", lambda path: pytest.fail("it was read again"))
    assert read_clips(fake / PICKLE) == first
    assert len(first) == 15


def test_changed_pickle_is_converted_anew(root: Path) -> None:
    before = read_clips(root / PICKLE)
    with_clips(root, VAL, s9=FakeClip(scenes=(1,), emotions=("calm",)))
    assert read_clips(root / PICKLE) != before


def test_damaged_table_is_made_anew(fake: Path) -> None:
    first = read_clips(fake / PICKLE)
    table_of(fake / PICKLE).write_bytes(b"not a table")
    assert read_clips(fake / PICKLE) == first
    assert table_of(fake / PICKLE).read_bytes()[:4] == b"PAR1"


def test_cache_that_cannot_be_written_to_costs_time_only(fake: Path, cache: Path) -> None:
    (cache / "moviegraphs").write_text("a file where the folder should be")
    assert len(read_clips(fake / PICKLE)) == 15


def test_release_is_not_written_to(fake: Path, root: Path) -> None:
    for split in ("train", "val", "test"):
        read_moviegraphs(root, split)
    assert sorted(p.relative_to(root) for p in root.rglob("*")) == sorted(p.relative_to(fake) for p in fake.rglob("*"))


def test_cache_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MIEN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert moviegraphs_cache.cache_folder() == tmp_path / "mien"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert moviegraphs_cache.cache_folder() == Path.home() / ".cache/mien"
