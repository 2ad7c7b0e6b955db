"""Fingerprints of files, read a block at a time; the ids of models and the inputs of a store are made of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path


def sha256_of(files: Iterable[Path], *, with_names: bool = False) -> str:
    """The SHA-256, in hexadecimal, of the files' bytes one after the other, each behind its name if that counts too."""
    digest = hashlib.sha256()
    for path in files:
        if with_names:
            digest.update(path.name.encode())
        with path.open("rb") as file:
            hashlib.file_digest(file, lambda: digest)  # goes on with it
    return digest.hexdigest()
