"""Who may ask: this machine only, or who has the token; other sites' pages may not."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from mien.errors import MienError
from mien.serve.app import create_app, serve
from mien.serve.guard import HEADERS
from mien.serve.settings import ServeSettings, is_loopback

TOKEN = "0123456789abcdef"


def client(address: str = "http://127.0.0.1:8000", **settings: object) -> TestClient:
    """Of an application that was not started: who is let in gets an error, or what needs no process."""
    app = create_app(ServeSettings.model_validate(settings))
    return TestClient(app, base_url=address, raise_server_exceptions=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "example.org"])
def test_other_machines_are_not_let_in_without_a_token(host: str) -> None:
    with pytest.raises(MienError, match="there is no token"):
        create_app(ServeSettings(host=host))
    create_app(ServeSettings(host=host, allow_anyone=True))
    create_app(ServeSettings.model_validate({"host": host, "token": TOKEN}))


def test_token_is_long_and_fits_in_a_header() -> None:
    with pytest.raises(MienError, match="shorter than 16"):
        create_app(ServeSettings.model_validate({"token": "short"}))
    with pytest.raises(MienError, match="ASCII"):
        create_app(ServeSettings.model_validate({"token": "ö" * 20}))


@pytest.mark.parametrize("path", ["/v1/jobs/x", "/v1/nosuch", "/metrics"])
@pytest.mark.parametrize("given", [None, "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xff"])
def test_without_the_token_nothing_is_told(path: str, given: str | None) -> None:
    headers = {} if given is None else {b"Authorization": given.encode("latin-1")}
    answer = client(token=TOKEN).get(path, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "token" in answer.json()["error"]["message"]


def test_line_end_after_a_token_does_not_count() -> None:
    answer = client(token=f"{TOKEN}\n").get("/v1/nosuch", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 404


def test_with_the_token_one_gets_on() -> None:
    answer = client(token=TOKEN).get("/v1/nosuch", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 404
    assert client(token=TOKEN).get("/healthz").status_code == 200  # for those who look whether it runs


def test_what_nobody_foresaw_is_logged_counted_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    asked = client()
    answer = asked.get("/v1/jobs/x")
    assert (answer.status_code, answer.json()) == (
        500,
        {"error": {"message": "the server failed at this; its log tells more"}},
    )
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "AttributeError" in caplog.text  # it was not started


@pytest.mark.parametrize("address", ["http://127.0.0.1:8000", "http://localhost", "http://[::1]:8000"])
def test_this_machine_is_let_in(address: str) -> None:
    assert client(address).get("/healthz").status_code == 200


def test_name_that_another_site_gave_this_machine_is_refused() -> None:
    assert client("http://evil.example").get("/healthz").status_code == 403
    assert client("http://evil.example", host="0.0.0.0", allow_anyone=True).get("/healthz").status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9999"])
def test_page_of_another_site_may_not_send_forms(origin: str) -> None:
    answer = client().post("/v1/classify", files={"file": b"x"}, headers={"Origin": origin})
    assert answer.status_code == 403
    assert "may not use this server" in answer.json()["error"]["message"]


def test_own_page_may_send_forms() -> None:
    answer = client().post("/v1/nosuch", headers={"Origin": "http://127.0.0.1:8000"})
    assert answer.status_code == 404


def test_method_that_is_not_there_is_answered_with_those_that_are() -> None:
    assert client().put("/v1/jobs/x").headers["Allow"] == "DELETE, GET"
    assert client().get("/v1/classify").headers["Allow"] == "POST"
    assert client().get("/v1/classify").status_code == 405


@pytest.mark.parametrize("path", ["/healthz", "/nosuch", "/openapi.json"])
def test_every_answer_has_the_headers_that_browsers_heed(path: str) -> None:
    answer = client().get(path)
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS


@pytest.mark.parametrize(
    "path", ["/docs", "/redoc", "/..%2f..%2fetc/passwd", "/web/index.html", "/%2e%2e/app.py", "/app.py"]
)
def test_there_are_no_other_pages(path: str) -> None:
    answer = client().get(path)
    assert answer.status_code == 404
    assert set(answer.json()) == {"error"}


def test_page_is_the_folders_files_and_may_load_nothing_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web = tmp_path / "web"
    web.mkdir()
    for name in ("index.html", "page.js", "page.css"):
        (web / name).write_text(f"/* {name} */")
    (tmp_path / "secret.txt").write_text("x")
    monkeypatch.setattr("mien.serve.app.WEB", web)
    asked = client()
    for path, kind in (("/", "text/html"), ("/page.js", "javascript"), ("/page.css", "text/css")):
        answer = asked.get(path)
        assert kind in answer.headers["Content-Type"]
        assert "default-src 'none'; script-src 'self'" in answer.headers["Content-Security-Policy"]
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert asked.get("/").text == "/* index.html */"
    assert asked.get("/..%2fsecret.txt").status_code == asked.get("/%2e%2e/secret.txt").status_code == 404


@pytest.mark.parametrize(
    ("host", "is_this_machine"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("[::1]", True), ("LOCALHOST", True), ("0.0.0.0", False),
     ("", False), ("localhost.evil.example", False), ("10.0.0.1", False)],
)  # fmt: skip
def test_loopback_is_told(host: str, is_this_machine: bool) -> None:
    assert is_loopback(host) == is_this_machine


def test_port_that_is_taken_is_one_message() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = ServeSettings(port=taken.getsockname()[1])
        with pytest.raises(MienError, match="choose another --port"):
            serve(settings, on_start=lambda address: None)


@pytest.mark.parametrize("path", ["/mien/v1/jobs/x", "/mien/metrics"])
def test_below_a_prefix_the_token_is_asked_for_too(path: str) -> None:
    asked = TestClient(create_app(ServeSettings.model_validate({"token": TOKEN})), root_path="/mien")
    assert asked.get(path).status_code == 401


@pytest.mark.parametrize("headers", [{"Host": "["}, {"Host": "localhost", "Origin": "http://["}])
def test_what_is_no_address_is_refused(headers: dict[str, str]) -> None:
    assert client().get("/healthz", headers=headers).status_code == 400
