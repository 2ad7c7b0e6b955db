"""The page of `mien serve`, in a browser, before the real server with a made-up analysis (tests/page_analysis.py)."""

from __future__ import annotations

import base64
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import page_analysis
import pytest
import uvicorn
from browser import chromium
from fastapi.testclient import TestClient
from inspected import EVIL
from made_videos import write_video

from mien.analyze import AnalyzeSettings
from mien.analyze.page.palette import FAMILIAR, REST
from mien.serve.app import WEB, create_app
from mien.serve.settings import ServeSettings

DROP = """([name, bytes]) => {
  const data = new DataTransfer();
  data.items.add(new File([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], name));
  const dropped = new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
  document.getElementById("drop").dispatchEvent(dropped);
}"""
SHOWN = "!document.getElementById('result').hidden || !document.getElementById('error').hidden"
IS_ASKED = "document.getElementById('ask').open"


def test_page_has_nothing_inline_and_nothing_from_elsewhere() -> None:
    page = (WEB / "index.html").read_text(encoding="utf-8")
    assert re.findall(r"<style|\sstyle=|\son\w+=|javascript:|https?://|<script(?![^>]* src=)", page) == []
    assert "not for decisions about people at work" in " ".join(page.lower().split())
    for name in re.findall(r'(?:href|src)="([^":]+)"', page):
        assert (WEB / name).is_file()
    assert "innerHTML" not in "".join(path.read_text(encoding="utf-8") for path in WEB.glob("*.js"))


def test_both_pages_give_a_word_the_same_colour() -> None:
    script = (WEB / "timeline.js").read_text(encoding="utf-8")
    assert dict(re.findall(r'(\w+): "(#\w{6})"', script)) == FAMILIAR
    assert f'REST = "{REST}"' in script


def test_form_opens_with_the_defaults_of_the_analysis() -> None:
    page = (WEB / "index.html").read_text(encoding="utf-8")
    values = dict(re.findall(r'<input[^>]* name="(\w+)"[^>]* value="([^"]+)"', page))
    assert tuple(values["words"].split(", ")) == AnalyzeSettings().words
    assert int(values["min_confidence"]) == round(100 * AnalyzeSettings().min_confidence)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a server whose analysis is made up."""
    app = create_app(ServeSettings(folder=tmp_path_factory.mktemp("serve") / "root"), analyze=page_analysis.analyze)
    with TestClient(app) as client, socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="warning"))
        assert client.portal is not None
        serving = client.portal.start_task_soon(server.serve, [listener])
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        server.should_exit = True
        serving.result(timeout=30)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """The page, opened; what goes wrong in its scripts, and what its policy forbids, fails the test."""
    wrong = []
    page = browser.new_page(viewport={"width": 900, "height": 900})
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if "Policy" in message.text else None)
    page.goto(address)
    yield page
    page.close()
    assert wrong == []


def wait_until(page: Any, condition: str) -> None:
    """Playwright's own waiting compiles its condition in the page, which the page's policy forbids."""
    for _ in range(1200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"not within a minute: {condition}; the page says {page.inner_text('main')!r}")


def analyse(page: Any, path: Path) -> None:
    page.set_input_files("#file", path)
    page.click("#start")
    wait_until(page, SHOWN)


def time_of_video(page: Any) -> float:
    return page.evaluate("document.querySelector('video').currentTime")


@pytest.mark.slow
def test_dropped_video_comes_back_with_boxes_and_a_timeline_that_moves_it(page: Any, tmp_path: Path) -> None:
    video = write_video(tmp_path / "a b.mp4")
    page.evaluate(DROP, [video.name, base64.b64encode(video.read_bytes()).decode()])
    page.click("#start")
    wait_until(page, SHOWN)
    assert page.inner_text("#title") == "a b.mp4"
    wait_until(page, "document.querySelector('canvas')?.dataset.boxes === '1'")
    wait_until(page, "document.querySelector('video').readyState > 1")
    box = page.locator("#scrub").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 5)
    page.wait_for_function("document.querySelector('canvas').dataset.boxes === '2'")  # both are there after a second
    assert time_of_video(page) == pytest.approx(1.0, abs=0.02)
    assert re.match(r"0:01(\.0\d)?: \w+ \d+ %", page.inner_text("#reading"))
    pixels = "(c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(Boolean))"
    assert page.evaluate(f"{pixels}(document.querySelector('canvas'))")
    page.uncheck("#boxes")
    assert not page.evaluate(f"{pixels}(document.querySelector('canvas'))")


@pytest.mark.slow
def test_person_is_picked_and_results_are_taken_away(page: Any, tmp_path: Path) -> None:
    analyse(page, write_video(tmp_path / "a.mp4"))
    names = [re.sub(" · (mostly|uncertain).*", "", name) for name in page.locator("#person option").all_inner_texts()]
    assert names == ["person 3 · 2.0 s", "person 7 · 0.8 s"]
    wait_until(page, "document.querySelector('video').readyState > 1")
    page.select_option("#person", "7/face")
    assert page.locator("#scrub").get_attribute("aria-label") == "time, person 7"
    assert page.evaluate("document.querySelector('video').currentTime") == pytest.approx(0.5, abs=0.01)
    texts = {}
    for name in ("csv", "report"):
        with page.expect_download() as download:
            page.click(f"#{name}")
        texts[download.value.suggested_filename] = Path(download.value.path()).read_text(encoding="utf-8")
    assert texts["timeline.csv"].splitlines()[0].startswith('"video","time_s"')
    assert len(texts["timeline.csv"].splitlines()) == 1 + 8 + 3
    assert "Person 7" in texts["report.html"]
    job = page.locator("#csv").get_attribute("href").split("/")[2]
    page.click("#delete")
    wait_until(page, "document.getElementById('result').hidden")
    assert page.request.get(f"{page.url}v1/jobs/{job}").status == 404


@pytest.mark.slow
def test_report_that_is_opened_plays_its_video(page: Any, tmp_path: Path) -> None:
    analyse(page, write_video(tmp_path / "a.mp4"))
    job = page.locator("#csv").get_attribute("href").split("/")[2]
    page.goto(f"{page.url}v1/jobs/{job}/report.html")
    wait_until(page, "document.querySelector('video').readyState > 0")


@pytest.mark.slow
def test_everything_works_by_keyboard(page: Any, tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4")
    press = page.keyboard.press
    page.bring_to_front()
    with page.expect_file_chooser() as chooser:  # from here on, so that it surely listens when Enter is pressed
        press("Tab")
        wait_until(page, "document.activeElement.id === 'file'")
        press("Enter")
    chooser.value.set_files(video)
    press("Tab")
    press("Control+a")
    page.keyboard.type(f"relief, {EVIL.replace(',', '')[:50]}")
    press("Enter")
    wait_until(page, SHOWN)
    assert page.evaluate("document.activeElement.id") == "title"
    assert page.locator("#plot .name").all_inner_texts()[0] == "likeliest"
    assert EVIL[:50].strip() in page.locator("#plot .name").all_inner_texts()
    wait_until(page, "document.querySelector('video').readyState > 1")
    while page.evaluate("document.activeElement.id") != "person":
        press("Tab")
    press("ArrowDown")
    assert page.input_value("#person") == "7/face"
    press("Tab")
    press("Space")
    assert not page.is_checked("#boxes")
    press("Tab")
    assert page.evaluate("document.activeElement.id") == "scrub"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    before_s = time_of_video(page)
    press("ArrowRight")
    assert time_of_video(page) == pytest.approx(before_s + 0.25, abs=0.02)
    press("End")
    assert time_of_video(page) == pytest.approx(1.25, abs=0.02)


@pytest.mark.slow
def test_analysis_is_called_off(page: Any, tmp_path: Path) -> None:
    page.set_input_files("#file", write_video(tmp_path / "slow.mp4"))
    page.click("#start")
    wait_until(page, "document.getElementById('stage').textContent.startsWith('look at faces')")
    with page.expect_response(lambda response: response.request.method == "DELETE") as deleted:
        page.click("#cancel")
    assert deleted.value.ok
    wait_until(page, "document.getElementById('working').hidden")
    assert page.inner_text("#error") == "Cancelled."
    assert page.is_enabled("#start")


@pytest.mark.slow
def test_what_the_server_refuses_is_told_in_its_words(page: Any, tmp_path: Path) -> None:
    analyse(page, write_video(tmp_path / "odd.mp4"))
    assert page.inner_text("#error") == "this <video> is odd"
    (tmp_path / "torn.mp4").write_bytes(b"no video at all")
    analyse(page, tmp_path / "torn.mp4")
    assert "torn" not in page.inner_text("#error")
    assert len(page.inner_text("#error")) > 20
    page.fill("#words", "joy, joy")
    analyse(page, write_video(tmp_path / "a.mp4"))
    assert page.inner_text("#error") == "words: each once, please"
    page.context.set_offline(True)
    page.click("#start")
    wait_until(page, "document.getElementById('error').textContent.includes('does not answer')")


@pytest.mark.slow
def test_token_is_asked_for_once_and_sent_with_everything(page: Any, tmp_path: Path) -> None:
    def guard(route: Any) -> None:
        if route.request.headers.get("authorization") == "Bearer right":
            route.continue_()
        else:
            route.fulfill(status=401, json={"error": {"message": "send the server's token"}})

    page.route("**/v1/**", guard)
    page.set_input_files("#file", write_video(tmp_path / "a.mp4"))
    page.click("#start")
    for token in ("wrong", "right"):
        wait_until(page, IS_ASKED)
        page.fill("#token", token)
        page.keyboard.press("Enter")
    wait_until(page, "!document.getElementById('result').hidden")
    with page.expect_download() as download:
        page.click("#annotated")
    assert Path(download.value.path()).read_bytes() == (tmp_path / "a.mp4").read_bytes()
    assert not page.evaluate(IS_ASKED)


@pytest.mark.slow
def test_picture_and_video_of_nobody(page: Any, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "photo.png"), np.full((48, 64, 3), 120, np.uint8))
    analyse(page, tmp_path / "photo.png")
    wait_until(page, "document.querySelector('canvas').dataset.boxes === '1'")
    assert page.locator("#plot li").count() == 8
    assert page.locator("#scrub").count() == 0
    with page.expect_download() as download:
        page.click("#annotated")
    assert download.value.suggested_filename == "annotated.jpg"
    analyse(page, write_video(tmp_path / "nobody.mp4"))
    page.wait_for_selector("#nobody:not([hidden])", timeout=60_000)
    assert not page.is_visible("#person")


@pytest.mark.slow
def test_page_is_dark_where_that_is_preferred_and_fits_narrow_screens(page: Any, tmp_path: Path) -> None:
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 390, "height": 800})
    analyse(page, write_video(tmp_path / "a.mp4"))
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 22, 24)"
