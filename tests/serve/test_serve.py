"""`mien serve` as a process of its own: it starts, answers, cleans up, and survives its clients."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from made_videos import write_video
from typer.testing import CliRunner

from mien.cli import app


def start(root: Path, *options: str) -> tuple[subprocess.Popen[str], str]:
    """The process, and its address once it serves."""
    command = [sys.executable, "-m", "mien", "serve", "--port", "0", "--folder", str(root), *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    told = ""
    for line in process.stderr:
        told += line
        if "mien serves http" in line:
            return process, line.split()[2]
    raise AssertionError(f"it did not start: {told}")


def children(pid: int) -> list[int]:
    own = [int(p.name) for p in Path("/proc").iterdir() if p.name.isdecimal() and parent_of(p) == pid]
    return own + [grandchild for child in own for grandchild in children(child)]


def parent_of(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rsplit(")", 1)[1].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return -1


def wait_until(is_so: Callable[[], bool]) -> None:
    for _ in range(600):
        if is_so():
            return
        time.sleep(0.05)
    raise AssertionError(f"{is_so} stays false")


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.slow
def test_killed_server_leaves_no_process_and_the_next_one_sweeps_up_and_ends_cleanly(tmp_path: Path) -> None:
    root = tmp_path / "root"
    first, address = start(root)
    assert json.load(urllib.request.urlopen(f"{address}/healthz", timeout=30))["status"] == "ok"
    working = children(first.pid)
    assert len(working) >= 2
    (left,) = root.glob("run-*")
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    wait_until(lambda: not any(map(is_alive, working)))
    assert left.exists()
    second, address = start(root)
    assert not left.exists()
    working = children(second.pid)
    video = write_video(tmp_path / "v.mp4").read_bytes()
    answer = httpx.post(f"{address}/v1/classify", files={"file": ("v.mp4", video)}, timeout=60)
    assert (answer.status_code, answer.json()) == (200, {"faces": []})
    second.terminate()
    second.communicate(timeout=60)
    assert second.returncode == 0
    wait_until(lambda: not any(map(is_alive, working)))
    assert list(root.glob("run-*")) == []


def test_server_that_would_let_strangers_in_is_not_started() -> None:
    told = CliRunner().invoke(app, ["serve", "--host", "0.0.0.0"], env={"MIEN_TOKEN": None, "COLUMNS": "200"})
    assert told.exit_code == 1
    assert "set MIEN_TOKEN" in told.output
    told = CliRunner().invoke(app, ["serve", "--host", "0.0.0.0"], env={"MIEN_TOKEN": "short", "COLUMNS": "200"})
    assert "shorter than 16" in told.output


@pytest.mark.slow
def test_model_that_is_not_there_is_one_message(tmp_path: Path) -> None:
    options = ["serve", "--port", "0", "--folder", str(tmp_path / "root"), "--face-model", "/nosuch"]
    told = CliRunner().invoke(app, options, env={"COLUMNS": "200"})
    assert told.exit_code == 1
    assert "/nosuch" in told.output
    assert "Traceback" not in told.output
    assert list(tmp_path.glob("root/run-*")) == []


def connect(address: str) -> socket.socket:
    where = urlsplit(address)
    return socket.create_connection((where.hostname, where.port), timeout=30)


def head(length: int, *, path: str = "/v1/analyze") -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        f"Content-Length: {length}\r\n\r\n"
        '--x\r\nContent-Disposition: form-data; name="file"; filename="v.mp4"\r\n\r\n'
    ).encode()


def uploads(root: Path) -> list[Path]:
    return list(root.glob("run-*/upload-*"))


def test_client_that_goes_away_while_it_sends_leaves_nothing(live: str, root: Path) -> None:
    with connect(live) as client:
        client.sendall(head(1_000_000) + bytes(100_000))
        wait_until(lambda: bool(uploads(root)))
    wait_until(lambda: not uploads(root))


def test_client_that_goes_away_while_it_waits_is_not_worked_for(live: str, root: Path, tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", num_frames=30, width=320, height=240).read_bytes()
    before = metric(live, "mien_processes_replaced_total")
    with connect(live) as client:
        body = video + b"\r\n--x--\r\n"
        start = head(0, path="/v1/classify")
        form = start.split(b"\r\n\r\n", 1)[1]
        client.sendall(head(len(form) + len(body), path="/v1/classify") + body)
        wait_until(lambda: metric(live, "mien_requests_at_work") == 1)
        time.sleep(0.3)
    wait_until(lambda: metric(live, "mien_requests_at_work") == 0)
    assert uploads(root) == []
    assert metric(live, "mien_processes_replaced_total") == before + 1


def test_file_that_is_too_large_is_refused_though_the_client_goes_on_sending(live: str, root: Path) -> None:
    answer = httpx.post(f"{live}/v1/analyze", files={"file": ("v.mp4", bytes(30_000_000))}, timeout=60)
    assert answer.status_code == 413
    assert "too many" in answer.json()["error"]["message"]


def test_file_of_unknown_length_is_refused_when_it_gets_too_large(live: str, root: Path) -> None:
    form = head(0).split(b"\r\n\r\n", 1)[1]
    pieces = (piece for piece in [form, *[bytes(1_000_000)] * 30])
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = httpx.post(f"{live}/v1/analyze", content=pieces, headers=headers, timeout=60)
    assert answer.status_code == 413
    assert "larger than 20,000,000 bytes" in answer.json()["error"]["message"]


def metric(address: str, name: str) -> float:
    lines = urllib.request.urlopen(f"{address}/metrics", timeout=30).read().decode().splitlines()
    return float(next(line for line in lines if line.startswith(name)).rsplit(" ", 1)[1])
