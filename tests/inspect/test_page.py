import re
import shutil
from pathlib import Path

import pytest
from inspected import EVIL, Outline, odd_clips
from tiny_store import write_store

from mien.data.card import CARD_FILE, StoreCard
from mien.data.store import FRAMES_FILE, INDEX_FILE, SKIPPED_FILE, Store
from mien.data.tables import write_index
from mien.inspect import InspectSettings, inspect_store
from mien.types import EMOTIONS, MienError


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = write_store(tmp_path / "my <store>")
    write_index(made.path / INDEX_FILE, odd_clips(made), made_with={})
    return Store(made.path)


def outline_of(store: Store, out: Path, settings: InspectSettings | None = None) -> Outline:
    inspect_store(store.path, out, settings=settings)
    return Outline(out.read_text(encoding="utf-8"))


def test_page_is_well_formed_and_fetches_nothing(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "page.html"
    report = inspect_store(store.path, out)
    page = out.read_text(encoding="utf-8")
    outline = Outline(page)
    assert outline.open == []
    addresses = [a[k] for _, a in outline.tags for k in ("src", "href") if k in a]
    assert all(address.startswith(("data:image/jpeg;base64,", "#")) for address in addresses)
    ids = [a["id"] for _, a in outline.tags if "id" in a]
    assert len(ids) == len(set(ids))
    assert {a[1:] for a in addresses if a.startswith("#")} <= set(ids)
    assert "url(" not in page
    assert (report.num_shown, report.num_clips, report.num_failed, report.skipped) == (12, 12, 0, ())
    assert report.summary().startswith(f"{out}: 12 of 12 clips, ")


def test_texts_are_escaped_and_no_foreign_script_may_run(store: Store, tmp_path: Path) -> None:
    outline = outline_of(store, tmp_path / "page.html")
    assert len(outline.all("script")) == 1
    assert all("onerror" not in attributes for _, attributes in outline.tags)
    assert EVIL in outline.text
    policy = next(m["content"] for m in outline.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in re.search("script-src[^;]*", policy)[0]  # type: ignore[index]


def test_every_field_has_a_name_and_every_picture_a_description(store: Store, tmp_path: Path) -> None:
    outline = outline_of(store, tmp_path / "page.html")
    assert all(image["alt"] for image in outline.all("img"))
    depth = 0
    for tag, attributes in outline.tags:
        depth += tag == "label"
        if tag in ("select", "input"):
            assert depth or attributes.get("aria-label")
    labelled = {a["aria-labelledby"] for a in outline.cards}
    assert labelled <= {a.get("id") for _, a in outline.tags}


def test_every_emotion_is_there_and_cards_say_what_filters_need(store: Store, tmp_path: Path) -> None:
    outline = outline_of(store, tmp_path / "page.html", InspectSettings(clips=7))
    assert {c["data-emotion"] for c in outline.cards} == set(EMOTIONS)
    assert {c["data-persons"] for c in outline.cards} == {"2"}
    assert {c["data-subjects"] for c in outline.cards} == {"all largest speaking"}
    assert "7 of 12 clips, drawn at random" in outline.text


def test_same_seed_gives_the_same_page_byte_for_byte(store: Store, tmp_path: Path) -> None:
    pages = []
    for seed in (0, 0, 1):
        inspect_store(store.path, tmp_path / "page.html", settings=InspectSettings(clips=8, seed=seed))
        pages.append((tmp_path / "page.html").read_bytes())
    assert pages[0] == pages[1] != pages[2]


def test_pattern_chooses_the_videos(store: Store, tmp_path: Path) -> None:
    outline = outline_of(store, tmp_path / "page.html", InspectSettings(videos="test/*"))
    assert {c["data-video"] for c in outline.cards} == {"test/0"}
    assert len(outline.cards) == 4


def test_videos_without_clips_are_shown_too(store: Store, tmp_path: Path) -> None:
    write_index(store.path / INDEX_FILE, [c for c in odd_clips(store) if c.video == "train/0"], made_with={})
    lines = '{"what": "train/1", "reason": "duplicate: it shows the same as \'train/0\'"}\n'
    (store.path / SKIPPED_FILE).write_text(lines, encoding="utf-8")
    report = inspect_store(store.path)
    assert report.page == store.path / "inspect.html"
    outline = Outline(report.page.read_text(encoding="utf-8"))
    without = [c for c in outline.cards if not c["data-emotion"]]
    assert [c["data-video"] for c in without] == ["test/0", "train/1"]
    assert "and 2 videos that make none" in outline.text
    assert "makes no clip (nothing is said in it)" in outline.text
    assert "makes no clip (duplicate: it shows the same as 'train/0')" in outline.text
    assert "2 of videos that make no clip" in report.summary()


def test_videos_kept_in_part_are_not_among_those_left_out(store: Store, tmp_path: Path) -> None:
    lines = '{"what": "test/0", "reason": "decoded only 9.5 of 19.7 s"}\n{"what": "a#1", "reason": "1.5 s long"}\n'
    (store.path / SKIPPED_FILE).write_text(lines, encoding="utf-8")
    outline = outline_of(store, tmp_path / "page.html")
    assert "Cut off: kept as far as they decode: 1" in outline.text
    assert "Left out by the rules: 1" in outline.text


def test_path_of_a_store_does_not_repeat_its_name(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert outline_of(store, tmp_path / "page.html").text.count("my <store>") == 3  # title, heading, path
    monkeypatch.chdir(tmp_path)
    inspect_store(Path("my <store>"), tmp_path / "page.html")
    assert Outline((tmp_path / "page.html").read_text(encoding="utf-8")).text.count("my <store>") == 2


@pytest.mark.parametrize("count", [0, 1])
def test_stores_of_no_clip_and_of_one(store: Store, tmp_path: Path, count: int) -> None:
    write_index(store.path / INDEX_FILE, odd_clips(store)[:count], made_with={})
    if count == 0:
        shutil.rmtree(store.path / "videos")
    outline = outline_of(store, tmp_path / "page.html", InspectSettings(clips=1))
    assert len(outline.cards) == count
    assert ("no clips and no videos" in outline.text) == (count == 0)
    assert outline.open == []


def test_clips_that_cannot_be_drawn_are_listed(store: Store, tmp_path: Path) -> None:
    (store.folder("train/1") / FRAMES_FILE).unlink()
    report = inspect_store(store.path, tmp_path / "page.html")
    assert report.num_shown == 8
    assert {s.what.split("#")[0] for s in report.skipped} == {"train/1"}
    outline = Outline((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert "Could not be drawn on this page" in outline.text
    assert report.skipped[0].reason in outline.text
    assert "4 that could not be drawn" in report.summary()


def test_failures_stand_at_the_top_with_the_reason(store: Store, tmp_path: Path) -> None:
    lines = '{"what": "bad", "reason": "bad.mp4 is <torn>", "failed": true}\n{"what": "a#1", "reason": "1.5 s long"}\n'
    (store.path / SKIPPED_FILE).write_text(lines, encoding="utf-8")
    report = inspect_store(store.path, tmp_path / "page.html")
    outline = Outline((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert report.num_failed == 1
    assert outline.text.index("1 video failed") < outline.text.index("Clips")
    assert outline.text.index("bad.mp4 is <torn>") < outline.text.index("… s long")


def test_card_is_drawn_where_there_is_one(store: Store, tmp_path: Path) -> None:
    without = outline_of(store, tmp_path / "page.html")
    assert "This store has no data card" in without.text
    named = dict.fromkeys(EMOTIONS, 1)
    card = StoreCard(
        num_videos=3, hours=1.5, num_sentences=90, num_words=12_345, speech_hours=1, num_clips=70, clip_hours=1,
        left_out={"too short": 20, "too long": 0}, clip_durations={"2": 70}, emotions=named,
        mean_emotions=dict.fromkeys(EMOTIONS, 1 / 7), persons_per_frame={"5+": 6, "0": 4}, num_tracks=5,
        num_videos_without_words=0, num_duplicates=1, languages={"en": 2, "<b>": 1}, words_from={"srt": 3},
        sources={f"site {i}": i + 1 for i in range(30)}, licenses={"unknown": 3}, models={"boxes": "centernet"},
    )  # fmt: skip
    (store.path / CARD_FILE).write_text(card.model_dump_json(), encoding="utf-8")
    outline = outline_of(store, tmp_path / "page.html")
    for shown in ("12,345", "too short", "<b>", "5+", "site 29", "18 more", "centernet", "Licences", "2–3 s"):
        assert shown in outline.text
    assert "This store has no data card" not in outline.text
    persons = outline.text[outline.text.index("Persons in a picture") :]
    assert persons.startswith("Persons in a picture (pictures)0440\u202f%5+660\u202f%")


def test_folder_as_page_and_folder_that_is_no_store_are_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(MienError, match="is a folder; name the page"):
        inspect_store(store.path, tmp_path)
    with pytest.raises(MienError, match="no store at"):
        inspect_store(tmp_path / "nothing", tmp_path / "page.html")
