"""The ids of models hold these digests, so they must never change."""

from hashlib import sha256
from pathlib import Path

from mien.file_digest import sha256_of


def test_digest_is_of_the_files_one_after_the_other(tmp_path: Path) -> None:
    first, second = tmp_path / "a.json", tmp_path / "b.bin"
    first.write_bytes(b"{}")
    second.write_bytes(b"\x00\xff" * 700_000)  # more than is read at a time
    assert sha256_of([]) == sha256().hexdigest()
    assert sha256_of([first, second]) == sha256(b"{}" + b"\x00\xff" * 700_000).hexdigest()
    assert sha256_of([second, first]) != sha256_of([first, second])


def test_digest_with_names_changes_with_them(tmp_path: Path) -> None:
    first, second = tmp_path / "a.json", tmp_path / "b.bin"
    first.write_bytes(b"{}")
    second.write_bytes(b"12")
    assert sha256_of([first, second], with_names=True) == sha256(b"a.json{}b.bin12").hexdigest()
