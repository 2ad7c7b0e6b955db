"""A server's own folder is private, empty at the start and gone at the end; what killed servers left is swept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mien.errors import MienError
from mien.serve.run_folder import run_folder


def test_folder_is_private_and_gone_afterwards(tmp_path: Path) -> None:
    root = tmp_path / "root"
    with run_folder(root) as folder:
        (folder / "upload").write_text("x")
        assert folder.stat().st_mode & 0o777 == root.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()


def test_folder_is_gone_when_the_server_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), run_folder(tmp_path / "root") as folder:
        raise ZeroDivisionError
    assert not folder.exists()


def test_folders_of_killed_servers_are_swept_and_those_of_running_ones_kept(tmp_path: Path) -> None:
    root = tmp_path / "root"
    code = f"""if True:
        import os, pathlib
        from mien.serve.run_folder import run_folder
        with run_folder(pathlib.Path({str(root)!r})) as folder:
            (folder / "upload").write_text("x")
            os.kill(os.getpid(), 9)
        """
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    (left,) = root.glob("run-*")
    assert (left / "upload").exists()
    with run_folder(root) as mine, run_folder(root) as another:
        assert not left.exists()
        assert {mine, another} == set(root.glob("run-*"))


@pytest.mark.parametrize("kind", ["open to all", "a link", "a file"])
def test_folder_that_others_may_write_to_is_refused(kind: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    if kind == "open to all":
        root.mkdir()
        root.chmod(0o777)
    elif kind == "a link":
        root.symlink_to(tmp_path)
    else:
        root.write_text("")
    with pytest.raises(MienError, match="name another"), run_folder(root):
        pass
