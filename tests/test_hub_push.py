"""Models that go to a hub and come back: bit for bit, with their cards; and what is said where they cannot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from fake_hub import TOKEN, FakeHub, fake_hub
from small_mien import small_mien

from mien.hub_push import push_files
from mien.types import ASSETS, MienError

COMES_BACK = "from mien.hub import load_model, resolve; load_model({0!r}); print(resolve({0!r}))"


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with fake_hub() as hub:
        yield hub


def python(*words: str, hub: str, cache: Path, token: str | None = TOKEN) -> subprocess.CompletedProcess[str]:
    """A process that knows no other hub: the client reads where it is when it is imported."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))}
    env |= {"HF_ENDPOINT": hub, "HF_HOME": str(cache), "COLUMNS": "300"} | ({"HF_TOKEN": token} if token else {})
    return subprocess.run([sys.executable, *words], env=env, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_face_model_goes_to_the_hub_and_comes_back_with_its_own_card(hub: FakeHub, tmp_path: Path) -> None:
    pushed = python("-m", "mien", "push", "face", "me/face", hub=hub.address, cache=tmp_path)
    assert pushed.returncode == 0, pushed.stderr
    assert f"{hub.address}/me/face/commit/" in pushed.stderr  # where the terminal is told
    assert hub.private == {"me/face": True}
    back = python("-c", COMES_BACK.format("hf:me/face"), hub=hub.address, cache=tmp_path)
    assert back.returncode == 0, back.stderr
    for file in ("config.json", "model.safetensors", "tokenizer.json", "README.md"):
        assert (Path(back.stdout.strip()) / file).read_bytes() == (ASSETS / "face" / file).read_bytes()


@pytest.mark.slow
def test_card_that_is_pushed_tells_the_hub_id_and_the_results(hub: FakeHub, tmp_path: Path) -> None:
    small_mien().save_pretrained(tmp_path / "model")
    code = (
        "from mien.hub import push_model; from mien.model_card import Measured; "
        "push_model({!r}, 'me/small', private=False, measured=[Measured(benchmark='theatre', split='test', "
        "protocol='paper', task='emotion', metric='uar', value=0.5, low=0.4, high=0.6, is_generated=True)])"
    ).format(str(tmp_path / "model"))
    pushed = python("-c", code, hub=hub.address, cache=tmp_path / "cache")
    assert pushed.returncode == 0, pushed.stderr
    assert hub.private == {"me/small": False}
    card = hub.files["me/small"]["README.md"].decode()
    assert 'Mien.from_pretrained("hf:me/small")' in card
    assert "| theatre (generated) | test | paper | emotion | uar | 0.5000 | [0.4000, 0.6000] |" in card
    assert yaml.safe_load(card.split("---")[1])["model-index"][0]["results"][0]["metrics"][0]["value"] == 0.5
    assert json.loads(hub.files["me/small"]["config.json"])["architecture"]["subject"] == "sap"


@pytest.mark.slow
def test_what_keeps_a_model_from_the_hub_is_told(hub: FakeHub, tmp_path: Path) -> None:
    words = ("-m", "mien", "push", "face", "me/face")
    for where, token, message in (
        (hub.address, None, "pushing to me/face needs a token: log in by `hf auth login`, or set HF_TOKEN"),
        (hub.address, "hf_of_somebody_else", "401 Unauthorized"),
        ("http://127.0.0.1:9", TOKEN, "me/face could not be pushed to the hub: ConnectError"),
    ):
        pushed = python(*words, hub=where, cache=tmp_path, token=token)
        assert pushed.returncode == 1
        assert message in pushed.stderr.replace("\n", " ")
        assert "Traceback" not in pushed.stderr
    assert hub.files.get("me/face", {}) == {}


def test_name_that_no_repository_can_have_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.get_token", lambda: TOKEN)
    with pytest.raises(MienError, match="a b/c could not be pushed to the hub: HFValidationError"):
        push_files({"README.md": b"card"}, "a b/c", private=True)
