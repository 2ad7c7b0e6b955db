"""The page in a real browser: its filters through the address, its keys, and that texts stay texts."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from inspected import Outline, odd_clips
from tiny_store import write_store

from mien.data.store import INDEX_FILE
from mien.data.tables import write_index
from mien.inspect import inspect_store

pytestmark = pytest.mark.slow

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--virtual-time-budget=4000")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of 24 clips: two screens of them."""
    folder = tmp_path_factory.mktemp("inspect")
    store = write_store(folder / "store", clips_per_video=8)
    write_index(store.path / INDEX_FILE, odd_clips(store), made_with={})
    inspect_store(store.path, folder / "page.html")
    return folder / "page.html"


def opened(page: Path, address: str, tmp_path: Path) -> Outline:
    """The document after its script has run."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium is installed")
    command = [chromium, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", f"{page.as_uri()}#{address}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return Outline(done.stdout)


def shown(outline: Outline) -> list[dict[str, str]]:
    return [card for card in outline.cards if "hidden" not in card]


def count_of(outline: Outline) -> str:
    found = re.search(r"(\d+ of )?\d+ shown", outline.text)
    assert found is not None
    return found[0]


def test_address_filters_by_emotion(page: Path, tmp_path: Path) -> None:
    outline = opened(page, "emotion=joy", tmp_path)
    assert {card["data-emotion"] for card in shown(outline)} == {"joy"}
    assert len(shown(outline)) == sum(card["data-emotion"] == "joy" for card in outline.cards) == 3
    assert count_of(outline) == "3 of 24 shown"
    assert "store: a store of mien" in outline.text  # the title, which a text of the store would change if it ran
    assert not [a for a in outline.all("img") if not a["src"].startswith("data:image/jpeg")]


def test_search_ignores_case_and_accents_and_order_hides_boxes(page: Path, tmp_path: Path) -> None:
    outline = opened(page, "q=TRES+ca&sort=-seconds&boxes=0&max=3.2&subject=speaking", tmp_path)
    seconds = [float(card["data-seconds"]) for card in shown(outline)]
    assert len(seconds) > 2
    assert seconds == sorted(seconds, reverse=True)
    assert max(seconds) <= 3.2
    assert next(a for a in outline.all("div") if a.get("id") == "cards")["class"] == "no-boxes"
    assert next(a for a in outline.all("section") if a.get("id") == "clips")["data-subject"] == "speaking"


def test_nothing_fits_and_the_page_says_so(page: Path, tmp_path: Path) -> None:
    outline = opened(page, "persons=0", tmp_path)
    assert shown(outline) == []
    assert "hidden" not in next(a for a in outline.all("p") if a.get("id") == "nothing")


def test_address_that_asks_for_what_no_clip_has_shows_none(page: Path, tmp_path: Path) -> None:
    for address in ("persons=5%2B", "video=nowhere"):  # more persons than the form offers; a video of another store
        assert count_of(opened(page, address, tmp_path)) == "0 of 24 shown"


def test_clips_come_in_pages_and_a_link_to_one_turns_to_it(page: Path, tmp_path: Path) -> None:
    assert len(shown(opened(page, "", tmp_path))) == 20
    outline = opened(page, "clip-22", tmp_path)
    assert [card["id"] for card in shown(outline)] == ["clip-21", "clip-22", "clip-23", "clip-24"]
    assert "page 2 of 2" in outline.text


KEYS = """
const press = (key) => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
const seen = [];
const look = () => seen.push(document.activeElement.id || document.activeElement.name);
for (const key of ["j", "j", "k", "b", "/", "j"]) { press(key); look(); }
document.title = seen.join(" ") + " " + document.getElementById("cards").className + " " + location.hash;
"""


def test_keys_step_through_clips_toggle_boxes_and_leave_typing_alone(page: Path, tmp_path: Path) -> None:
    """A copy of the page without its policy, and with a script that presses keys."""
    text = page.read_text(encoding="utf-8")
    text = re.sub('<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    pressed = tmp_path / "pressed.html"
    pressed.write_text(text.replace("</body>", f"<script>{KEYS}</script></body>"), encoding="utf-8")
    outline = opened(pressed, "", tmp_path)
    assert "clip-1 clip-2 clip-1 clip-1 q q no-boxes #boxes=0" in outline.text


def test_policy_keeps_other_scripts_from_running(page: Path, tmp_path: Path) -> None:
    """The same script in the page as it is does nothing: so would one that came in a text, were it not escaped."""
    pressed = tmp_path / "pressed.html"
    text = page.read_text(encoding="utf-8")
    pressed.write_text(text.replace("</body>", f"<script>{KEYS}</script></body>"), encoding="utf-8")
    outline = opened(pressed, "emotion=fear", tmp_path)
    assert "no-boxes" not in [a.get("class") for a in outline.all("div")]
    assert {card["data-emotion"] for card in shown(outline)} == {"fear"}
