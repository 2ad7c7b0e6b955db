import sys
from pathlib import Path

import pytest

from mien.hub_fetch import fetch_folder, import_transformers
from mien.types import MienError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache, laid out as its client does, with no hub behind it."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", ["owner/model", "owner/model@v1", f"owner/model@{COMMIT}"])
def test_folder_in_the_cache_is_found_and_called_as_its_commit(cache: Path, name: str) -> None:
    repository = cache / "models--owner--model"
    (repository / "snapshots" / COMMIT).mkdir(parents=True)
    (repository / "snapshots" / COMMIT / "config.json").write_text("{}")
    (repository / "refs").mkdir()
    for ref in ("main", "v1"):
        (repository / "refs" / ref).write_text(COMMIT)
    folder = fetch_folder(name, files=["config.json"])
    assert folder.name == COMMIT
    assert (folder / "config.json").read_text() == "{}"


def test_what_cannot_be_fetched_is_named_with_its_revision(cache: Path) -> None:
    with pytest.raises(MienError, match="nobody/nothing@v1 is not a folder here, and could not be fetched"):
        fetch_folder("nobody/nothing@v1", files=["config.json"])


def test_missing_library_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MienError, match=r"hf:a/b needs the library transformers: pip install 'mien\[hf\]'"):
        import_transformers("hf:a/b")
