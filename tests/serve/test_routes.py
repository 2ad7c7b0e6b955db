"""The endpoints, through the whole application: what is answered, and what with wrong requests."""

from __future__ import annotations

import io
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from made_videos import write_video
from PIL import Image

pytestmark = pytest.mark.slow  # together they take long


def picture() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((48, 64, 3), 128, np.uint8)).save(file, "png")
    return file.getvalue()


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_video(tmp_path_factory.mktemp("made") / "v.mp4").read_bytes()


def send(client: TestClient, content: bytes, *, name: str = "film.mp4", status: int = 202, **fields: str) -> Any:
    answer = client.post("/v1/analyze", files={"file": (name, content)}, data=fields)
    assert answer.status_code == status, answer.text
    return answer.json()


def ended(client: TestClient, id_: str) -> Any:
    """The job when it is over."""
    for _ in range(600):
        job = client.get(f"/v1/jobs/{id_}").json()
        if job["status"] not in ("queued", "running"):
            return job
        time.sleep(0.05)
    raise AssertionError(f"the job is {job}")


def message(answer: Any) -> str:
    assert set(answer.json()) == {"error"}
    return answer.json()["error"]["message"]


# ── analyses ─────────────────────────────────────────────────────────────────────────────────────


def test_analysis_is_queued_done_given_out_and_deleted(client: TestClient, video: bytes, root: Path) -> None:
    queued = send(client, video, words="joy, anger")
    assert queued["status"] == "queued"
    done = ended(client, queued["id"])
    assert done == {"id": queued["id"], "status": "done", "stage": "frames", "done": 2, "total": 2, "error": None}
    at = f"/v1/jobs/{queued['id']}"
    timeline = client.get(f"{at}/timeline.json").json()
    assert timeline["words"] == ["joy", "anger"]
    assert client.get(f"{at}/annotated.mp4").content == video
    assert client.get(f"{at}/annotated.mp4", headers={"Range": "bytes=4-7"}).content == video[4:8]
    assert client.get(f"{at}/timeline.csv").headers["Content-Type"].startswith("text/csv")
    report = client.get(f"{at}/report.html")
    assert "<title>film.mp4</title>" in report.text
    assert "sandbox" in report.headers["Content-Security-Policy"]
    assert client.delete(at).json()["status"] == "done"
    assert (
        client.get(at).status_code
        == client.delete(at).status_code
        == client.get(f"{at}/report.html").status_code
        == 404
    )
    assert list(root.glob("run-*/job-*")) == []


def test_what_is_asked_of_an_analysis_reaches_it(client: TestClient, video: bytes) -> None:
    id_ = send(client, video, annotate="false", min_confidence="0.7", samples_per_s="2", smoothing_s="0")["id"]
    assert ended(client, id_)["status"] == "done"
    missing = client.get(f"/v1/jobs/{id_}/annotated.mp4")
    assert missing.status_code == 404
    assert message(missing) == "this analysis has no annotated.mp4"
    client.delete(f"/v1/jobs/{id_}")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("crash.mp4", "crashed, or needed too much memory"),
        ("hungry.mp4", "more memory than one request may take"),
        ("refused.mp4", "refused.mp4: nobody is seen in it"),
        ("bug.mp4", "the server failed at this; its log tells more"),
    ],
)
def test_job_that_fails_says_why_and_the_next_is_done(client: TestClient, video: bytes, name: str, why: str) -> None:
    failed = ended(client, send(client, video, name=name)["id"])
    assert failed["status"] == "failed"
    assert why in failed["error"]
    assert "/" not in failed["error"]
    answer = client.get(f"/v1/jobs/{failed['id']}/timeline.json")
    assert answer.status_code == 409
    client.delete(f"/v1/jobs/{failed['id']}")
    after = send(client, video)["id"]
    assert ended(client, after)["status"] == "done"
    client.delete(f"/v1/jobs/{after}")


def test_jobs_wait_in_line_too_many_are_turned_away_and_a_running_one_is_called_off(
    client: TestClient, video: bytes
) -> None:
    running = send(client, video, name="slow.mp4")["id"]
    while client.get(f"/v1/jobs/{running}").json()["status"] == "queued":
        time.sleep(0.05)
    waiting = [send(client, video)["id"] for _ in range(2)]
    answer = client.post("/v1/analyze", files={"file": ("film.mp4", video)})
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert 'mien_jobs{status="queued"} 2' in client.get("/metrics").text
    assert client.get(f"/v1/jobs/{running}/timeline.json").status_code == 409
    assert client.delete(f"/v1/jobs/{waiting[1]}").json()["status"] == "cancelled"
    assert client.delete(f"/v1/jobs/{running}").json()["status"] == "cancelled"
    assert ended(client, waiting[0])["status"] == "done"
    client.delete(f"/v1/jobs/{waiting[0]}")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"min_confidence": "2"}, "min_confidence"),
        ({"samples_per_s": "nan"}, "samples_per_s"),
        ({"samples_per_s": "1e9"}, "samples_per_s"),
        ({"annotate": "perhaps"}, "annotate"),
        ({"head": "/etc/passwd"}, "head"),
        ({"face_model": "hf:someone/else"}, "face_model"),
        ({"words": " , "}, "words: 0"),
        ({"words": "a,b,c,d,e,f"}, "words: 6"),
        ({"words": "joy,joy"}, "each once"),
        ({"words": "joy," + "x" * 61}, "longer than 60"),
        ({"words": "joy"}, "words: 1; 2 to"),
        ({"words": "joy,a\x00b"}, "cannot be printed"),
        ({"words": "track,joy"}, "track"),
    ],
)
def test_fields_that_make_no_sense_are_refused(
    client: TestClient, video: bytes, fields: dict[str, str], why: str
) -> None:
    answer = client.post("/v1/analyze", files={"file": ("film.mp4", video)}, data=fields)
    assert answer.status_code == 422
    assert why in message(answer)


@pytest.mark.parametrize("result", ["analysis.json", "..%2f..%2flock", "%2e%2e", "timeline.json%00", "nosuch"])
def test_nothing_but_results_is_given_out(client: TestClient, video: bytes, result: str) -> None:
    id_ = send(client, video)["id"]
    ended(client, id_)
    assert client.get(f"/v1/jobs/{id_}/{result}").status_code in (404, 405)
    client.delete(f"/v1/jobs/{id_}")


# ── what is answered at once ─────────────────────────────────────────────────────────────────────


def test_picture_without_faces_has_none(client: TestClient, video: bytes) -> None:
    answer = client.post("/v1/classify", files={"file": ("x.gif", picture())}, data={"words": "joy,anger"})
    assert (answer.status_code, answer.json()) == (200, {"faces": []})
    assert client.post("/v1/classify", files={"file": ("x", video)}).json() == {"faces": []}


def test_long_video_is_for_analysis(client: TestClient, tmp_path: Path) -> None:
    made = write_video(tmp_path / "v.mp4", num_frames=40)
    answer = client.post("/v1/classify", files={"file": ("x", made.read_bytes())})
    assert answer.status_code == 413
    assert "lasts 5.0 s; here it may last 4 s" in message(answer)


def test_texts_and_pictures_are_embedded_at_length_one(client: TestClient, video: bytes) -> None:
    answer = client.post("/v1/embed", json={"texts": ["joy", "joy", "anger"]}).json()
    x = np.array(answer["embeddings"])
    assert answer["model"] == "face"
    assert np.allclose(np.linalg.norm(x, axis=1), 1, atol=1e-5)
    assert np.allclose(x[0], x[1], atol=1e-5)
    assert x[0] @ x[2] < 0.999
    whole = client.post("/v1/embed", files={"file": ("x", picture())}, data={"of": "picture"}).json()
    assert (len(whole["embeddings"]), whole["boxes"]) == (1, [None])
    assert np.linalg.norm(whole["embeddings"][0]) == pytest.approx(1, abs=1e-5)
    assert client.post("/v1/embed", files={"file": ("x", picture())}).json()["embeddings"] == []
    assert client.post("/v1/embed", files={"file": ("x", video)}).status_code == 415


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"texts": []}, 422),
        ({"texts": ["a"] * 4}, 413),
        ({"texts": ["a" * 1001]}, 413),
        ({"texts": "a"}, 422),
        ({"texts": ["a"], "url": "http://x"}, 422),
        ({"texts": ["a"], "model": "video"}, 422),
        ({"url": "http://127.0.0.1/x.jpg"}, 422),
        ([], 422),
    ],
)
def test_texts_that_are_none_or_too_many_are_refused(client: TestClient, body: Any, status: int) -> None:
    answer = client.post("/v1/embed", json=body)
    assert answer.status_code == status
    assert message(answer)


@pytest.mark.slow
def test_more_requests_than_there_are_places_are_turned_away(client: TestClient, video: bytes) -> None:
    statuses = list[int]()

    def ask() -> None:
        answer = client.post("/v1/classify", files={"file": ("x", video)})
        statuses.append(answer.status_code)
        assert answer.status_code == 200 or int(answer.headers["Retry-After"]) > 0

    threads = [threading.Thread(target=ask) for _ in range(7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) == {200, 429}
    assert client.post("/v1/classify", files={"file": ("x", video)}).status_code == 200


# ── files that should not be sent ────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_hostile_files_are_never_the_servers_fault(client: TestClient, hostile: dict[str, bytes]) -> None:
    wrong = dict[str, int]()
    for name, content in hostile.items():
        for path in ("/v1/classify", "/v1/embed", "/v1/analyze"):
            answer = client.post(path, files={"file": (name, content)})
            if answer.status_code not in (413, 415, 422) and name not in ("bomb.png", "cut.png"):
                wrong[f"{path} {name}"] = answer.status_code
            assert answer.status_code < 500, (path, name, answer.text)
            if answer.status_code == 202:
                client.delete(f"/v1/jobs/{answer.json()['id']}")
    assert wrong == {}


@pytest.mark.parametrize("name", ["list.mp4", "absolute_list.mp4", "list.m3u8", "address.mp4", "session.sdp"])
def test_list_of_other_files_reads_none_of_them(
    client: TestClient, hostile: dict[str, bytes], root: Path, name: str
) -> None:
    (folder,) = root.glob("run-*")
    write_video(folder / "secret.mp4")  # where uploads are made: a folder up is as near as a client's list can come
    for path in ("/v1/classify", "/v1/analyze"):
        answer = client.post(path, files={"file": (name, hostile[name])})
        assert answer.status_code == 415, answer.text
    (folder / "secret.mp4").unlink()
