"""The page of an analysis, on made ones; and in a browser, where there is one."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from browser import chromium
from inspected import EVIL, Outline
from made_analysis import Sight, write_analysis
from made_videos import number_of, write_video

from mien.analyze.page import write_page
from mien.analyze.page.palette import REST, colours_of
from mien.analyze.page.people import NO_WORD, Stretch, View, read_people, sights_of, stretches_of
from mien.analyze.page.person_section import clock, word_order
from mien.analyze.page.plot import MOST_BINS, Axis, band, binned, curve, cuts, time_scale
from mien.analyze.page.write import MOST_PERSONS
from mien.analyze.record import Analysis, Left
from mien.analyze.timeline import Timeline
from mien.captions.lexicon import FACE_EMOTIONS
from mien.types import MienError

TWO = (Sight(track=3, spans_s=[(0, 1), (1.5, 2)]), Sight(track=7, spans_s=[(0.5, 1.25)]))


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds at 8 frames a second; frame k is grey of level 8 k."""
    return write_video(tmp_path_factory.mktemp("video") / "a video.mp4")


def outline_of(folder: Path) -> Outline:
    return Outline(write_page(folder).read_text(encoding="utf-8"))


def people_of(folder: Path) -> list[View]:
    return read_people(Analysis.load(folder), Timeline.load(folder))


def test_page_is_well_formed_and_fetches_nothing_but_its_neighbours(video: Path, tmp_path: Path) -> None:
    write_analysis(tmp_path, video, TWO, duration_s=2.0, said=[(0, 1, "So it goes.")], shots_s=(0.0, 1.2))
    (tmp_path / "annotated.mp4").write_bytes(video.read_bytes())
    outline = outline_of(tmp_path)
    assert outline.open == []
    addresses = {a[k] for _, a in outline.tags for k in ("src", "href") if k in a}
    files = {"timeline.csv", "timeline.parquet", "timeline.jsonl", "analysis.json", "annotated.mp4"}
    anchors = {address[1:] for address in addresses if address.startswith("#")}
    assert {a for a in addresses if not a.startswith(("#", "data:image/jpeg;base64,"))} == files
    ids = [a["id"] for _, a in outline.tags if "id" in a]
    assert len(ids) == len(set(ids))
    assert anchors <= set(ids)
    assert all(image["alt"] for image in outline.all("img"))
    assert "not what the person feels" in outline.text


def test_texts_are_escaped_and_no_foreign_script_may_run(video: Path, tmp_path: Path) -> None:
    words = (EVIL.replace("'", ""), "رضا", "joy")
    skipped = [Left(what=EVIL, reason=EVIL)]
    write_analysis(tmp_path, video, TWO, duration_s=2.0, words=words, said=[(0, 2, EVIL)], skipped=skipped)
    outline = outline_of(tmp_path)
    assert [script.get("type") for script in outline.all("script")] == ["application/json", None]
    assert all("onerror" not in attributes for _, attributes in outline.tags)
    assert outline.text.count(EVIL) == 3
    policy = next(m["content"] for m in outline.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in re.search("script-src[^;]*", policy)[0]  # type: ignore[index]


def test_every_share_of_time_is_told_as_the_analysis_has_it(video: Path, tmp_path: Path) -> None:
    analysis = write_analysis(tmp_path, video, TWO[:1], duration_s=2.0)
    page = write_page(tmp_path).read_text(encoding="utf-8")
    rows = re.findall(r'<li[^>]*><span class="name"[^>]*>([^<]+)</span>.*?</li>', page)
    told = dict(re.findall(r'<span class="name"[^>]*>([^<]+)</span>(?:(?!</li>).)*<b>(\d+)&#8239;%</b>', page))
    assert {*told, "likeliest"} == {*rows}
    assert len(told) == 8 + ("uncertain" in analysis.persons[0].shares)
    assert told == {name: f"{100 * analysis.persons[0].shares.get(name, 0):.0f}" for name in told}


def test_key_pictures_show_the_moments_of_the_peaks(video: Path, tmp_path: Path) -> None:
    analysis = write_analysis(tmp_path, video, TWO[:1], duration_s=2.0)
    page = write_page(tmp_path).read_text(encoding="utf-8")
    found = re.findall(r'base64,([^"]+)".*?data-time="([\d.]+)".*?<b dir="auto">(\w+)</b> (\d+)', page)
    pictures = [simplejpeg.decode_jpeg(base64.b64decode(jpeg)) for jpeg, *_ in found]
    peaks = sorted(analysis.persons[0].peaks, key=lambda peak: peak.time_s)
    assert len(peaks) > 1
    assert [(word, int(p)) for *_, word, p in found] == [(p.word, round(100 * p.probability)) for p in peaks]
    assert [number_of(picture) for picture in pictures] == [int(peak.time_s * 8) for peak in peaks]


def test_someone_never_certain_has_a_picture_all_the_same(video: Path, tmp_path: Path) -> None:
    write_analysis(tmp_path, video, TWO[:1], duration_s=2.0, words=[f"word {i}" for i in range(40)], seed=1)
    record = Analysis.load(tmp_path)
    unsure = record.persons[0].model_copy(update={"shares": {"uncertain": 1.0}, "peaks": ()})
    record.model_copy(update={"persons": (unsure,)}).save(tmp_path)
    outline = outline_of(tmp_path)
    assert len(outline.all("img")) == 1
    assert "32 more words" in outline.text


def test_where_a_person_is_out_of_sight_nothing_is_drawn(video: Path, tmp_path: Path) -> None:
    write_analysis(tmp_path, video, TWO, duration_s=2.0)
    person = people_of(tmp_path)[0]
    assert list(sights_of(person)) == [(0.0, 1.0), (1.5, 2.0)]
    stretches = list(stretches_of(person))
    assert sum(s.end_s - s.start_s for s in stretches) == pytest.approx(1.5)
    bins = binned(person, person.scores, Axis(start_s=0.0, end_s=2.0))
    assert np.isnan(bins.mean[:, 0]).tolist() == [False] * 4 + [True] * 2 + [False] * 2
    assert curve(bins, 0, colour="red").count("M") <= 2


def test_columns_of_many_samples_have_their_mean_and_their_highest(video: Path, tmp_path: Path) -> None:
    write_analysis(tmp_path, video, [Sight(track=0, spans_s=[(0, 500)])], duration_s=500.0)
    person = people_of(tmp_path)[0]
    bins = binned(person, person.scores, Axis(start_s=0.0, end_s=500.0))
    assert bins.samples_per_bin == 4
    assert len(bins.mean) == 500 <= MOST_BINS
    np.testing.assert_allclose(bins.mean[7], person.scores[28:32].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(bins.highest[7], person.scores[28:32].max(axis=0), rtol=1e-6)


def test_band_is_blocks_of_words_and_a_thin_line_where_nothing_is_certain() -> None:
    stretches = [Stretch(start_s=0, end_s=4, top=1), Stretch(start_s=4, end_s=5, top=NO_WORD)]
    drawn = band(stretches, Axis(start_s=0, end_s=10), colours=["red", "blue"], labels=["<a>", "<b>"])
    assert '<path fill="blue" d="M0.0 0h400.0v100h-400.0z"/>' in drawn
    assert '<path class="uncertain" d="M400.0 43h100.0v14h-100.0z"/>' in drawn
    assert "&lt;b&gt;</span>" in drawn


def test_shots_are_marked_unless_they_would_be_a_haze() -> None:
    axis = Axis(start_s=0, end_s=10)
    assert 'd="M250.0 0V1"' in cuts([0, 2.5, 10], axis)
    assert cuts([0], axis) == cuts([i / 100 for i in range(900)], axis) == ""


@pytest.mark.parametrize("length_s", [0.3, 1.0, 19.7, 61.0, 3600.0, 7200.0, 86_400.0, 400_000.0])
def test_scales_have_a_few_round_times(length_s: float) -> None:
    times = [time_s for time_s, _ in time_scale(Axis(start_s=5.1, end_s=5.1 + length_s))]
    assert 2 <= len(times) <= 7
    assert all(5.1 <= time_s <= 5.1 + length_s for time_s in times)


def test_times_are_told_as_people_do() -> None:
    assert [clock(t) for t in (0, 7.25, 65.5, 3723.5)] == ["0:00", "0:07.25", "1:05.5", "1:02:03.5"]


def test_colours_are_apart_and_those_in_want_are_named_instead() -> None:
    eight = colours_of(["relief", "anger", "awe"], ranked=[2, 0, 1])
    assert len(set(eight)) == 3
    many = colours_of([f"w{i}" for i in range(40)], ranked=range(40))
    assert len(set(many) - {REST}) == 7
    assert many.count(REST) == 33


def test_words_stand_in_the_order_of_their_time(video: Path, tmp_path: Path) -> None:
    analysis = write_analysis(tmp_path, video, TWO[:1], duration_s=2.0)
    shares = [
        analysis.persons[0].shares.get(analysis.words[i], 0) for i in word_order(people_of(tmp_path), analysis.words)
    ]
    assert shares == sorted(shares, reverse=True)


def test_those_seen_shortest_make_a_table_and_everyone_is_counted(video: Path, tmp_path: Path) -> None:
    sights = [Sight(track=i, spans_s=[(0, 0.25 + i / 20)]) for i in range(30)]
    write_analysis(tmp_path, video, sights, duration_s=2.0)
    outline = outline_of(tmp_path)
    shown = [a["id"] for a in outline.all("h3")]
    assert len(shown) == MOST_PERSONS
    assert "person-29" in shown
    assert "18 further persons" in outline.text
    rows = re.findall(r"<tr><th>(\d+)</th><td>by the face", (tmp_path / "report.html").read_text(encoding="utf-8"))
    assert {f"person-{row}" for row in rows} | set(shown) == {f"person-{i}" for i in range(30)}


def test_two_sources_of_one_person_stand_together(video: Path, tmp_path: Path) -> None:
    both = [TWO[0], Sight(track=3, spans_s=[(0, 2)], source="person")]
    write_analysis(tmp_path, video, both, duration_s=2.0, numbers=("valence",), said=[(0, 1, "Yes.")])
    outline = outline_of(tmp_path)
    assert len(outline.all("h3")) == 1
    for told in ("by the face", "by body and setting", "3, face", "3, person", "valence"):
        assert told in outline.text


def test_video_without_anybody_says_so(video: Path, tmp_path: Path) -> None:
    write_analysis(tmp_path, video, [], duration_s=2.0)
    outline = outline_of(tmp_path)
    assert "Nobody was found" in outline.text
    assert outline.open == []


def test_photograph_has_probabilities_and_no_time(tmp_path: Path) -> None:
    picture = tmp_path / "photo.png"
    write_picture(picture)
    write_analysis(tmp_path, picture, [Sight(track=0, spans_s=[(0, 0)])], duration_s=0.0)
    outline = outline_of(tmp_path)
    assert not any(a.get("role") == "slider" for _, a in outline.tags)
    assert "At a glance" not in outline.text
    assert len(outline.all("img")) == 1
    row = Timeline.load(tmp_path).table.to_pylist()[0]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    told = re.findall(r'<li><span class="name" dir="auto">(\w+)</span>.*?<b>(?:&lt;|&gt;)?(\d+)', page)
    assert [word for word, _ in told] == sorted(FACE_EMOTIONS, key=lambda word: -row[word])
    assert dict(told)["anger"] == f"{max(100 * row['anger'], 1):.0f}"


def test_who_is_seen_at_the_last_moment_only_is_drawn_too(video: Path, tmp_path: Path) -> None:
    write_analysis(tmp_path, video, [Sight(track=1, spans_s=[(1.75, 1.75)])], duration_s=1.75)
    assert "Person 1" in outline_of(tmp_path).text


def test_video_that_is_gone_is_named(video: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone.mp4"
    gone.write_bytes(video.read_bytes())
    write_analysis(tmp_path, gone, TWO, duration_s=2.0)
    gone.unlink()
    with pytest.raises(MienError, match=r"no video at .*gone\.mp4"):
        write_page(tmp_path)


@pytest.mark.slow
def test_in_a_browser_a_click_moves_the_video_and_keys_do_too(video: Path, tmp_path: Path) -> None:
    write_analysis(tmp_path, video, TWO, duration_s=2.0, words=(EVIL.replace("'", ""), "joy"))
    (tmp_path / "annotated.mp4").write_bytes(video.read_bytes())
    write_page(tmp_path)
    wrong = []
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 390, "height": 800})
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto((tmp_path / "report.html").as_uri())
        page.wait_for_function("document.querySelector('video').readyState > 0")
        assert page.title() == "a video.mp4: apparent emotions"
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        scrub = page.locator("#plot-3-face")
        box = scrub.bounding_box()
        scrub.click(position={"x": 0.6 * box["width"], "y": 5})
        assert page.evaluate("document.querySelector('video').currentTime") == pytest.approx(1.2, abs=0.02)
        assert "out of sight" in page.locator("output[for=plot-3-face]").inner_text()
        page.keyboard.press("ArrowLeft")
        assert page.evaluate("document.querySelector('video').currentTime") == pytest.approx(0.95, abs=0.02)
        assert re.match(r"0:00\.9\d?: .+ \d+ %", scrub.get_attribute("aria-valuetext"))
        assert page.evaluate("getComputedStyle(document.querySelector('#plot-7-face .cursor')).display") != "none"
    assert wrong == []


def test_data_for_the_script_is_json_that_cannot_end_it(video: Path, tmp_path: Path) -> None:
    write_analysis(tmp_path, video, TWO, duration_s=2.0, words=("</script>", "joy"))
    page = write_page(tmp_path).read_text(encoding="utf-8")
    data = json.loads(re.search(r'id="data">(.*?)</script>', page)[1])  # type: ignore[index]
    assert data["words"] == ["</script>", "joy"]
    assert [len(column) for column in data["plots"]["plot-3-face"]["bins"]] == [4] * 4 + [0] * 2 + [4] * 2


def write_picture(path: Path) -> None:
    import cv2

    cv2.imwrite(str(path), np.full((48, 64, 3), 120, np.uint8))
