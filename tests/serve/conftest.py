"""A server whose analysis is made up (tests/fake_analysis.py), while its face model is the shipped one."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import fake_analysis
import pytest
import uvicorn
from fastapi.testclient import TestClient
from hostile_files import hostile_files

from mien.serve.app import create_app
from mien.serve.settings import Limits, ServeSettings

LIMITS = Limits(
    upload_bytes=20_000_000,
    video_frames=200,
    video_pixels=500_000,
    video_s=60,
    classify_s=4,
    requests=4,
    queued_jobs=2,
    words=5,
    texts=3,
)


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The server's folder."""
    return tmp_path_factory.mktemp("serve") / "root"


@pytest.fixture(scope="session")
def client(root: Path) -> Iterator[TestClient]:
    app = create_app(ServeSettings(folder=root, limits=LIMITS), analyze=fake_analysis.analyze)
    with TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="session")
def live(client: TestClient) -> Iterator[str]:
    """The same application behind a real socket: its address."""
    server = uvicorn.Server(uvicorn.Config(client.app, port=0, lifespan="off", log_level="warning"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        loop = client.portal
        assert loop is not None
        serving = loop.start_task_soon(server.serve, [listener])
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        serving.result(timeout=30)


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Files that should not be sent, by name."""
    return hostile_files(tmp_path_factory.mktemp("hostile"))


@pytest.fixture(autouse=True)
def uploads_are_gone(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test, as soon as its jobs are over, nothing but their results is left on the disk."""
    yield
    if "root" in request.fixturenames:
        root: Path = request.getfixturevalue("root")
        by_s = time.monotonic() + 60
        while (left := _uploads(root)) and time.monotonic() < by_s:
            time.sleep(0.1)
        assert left == []


def _uploads(root: Path) -> list[Path]:
    """What lies below a server's folder beside results."""
    there = [path for path in root.glob("run-*/*") if path.name != "lock"]
    jobs = [path for path in there if path.name.startswith("job-")]
    return [path for path in there if path not in jobs] + [
        path for job in jobs for path in job.glob("*") if path.name != "out"
    ]
