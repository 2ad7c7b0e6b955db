"""The application: endpoints, page and guard around a service; and the server that runs it."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse

from mien import __version__
from mien.errors import MienError
from mien.serve.error_answers import answer_errors
from mien.serve.guard import PAGE_CSP, Guard
from mien.serve.metrics import Metrics
from mien.serve.routes import router
from mien.serve.service import running
from mien.serve.settings import ServeSettings, require_guarded
from mien.serve.tasks import AnalyzeVideo, OnProgress

WEB = Path(__file__).parent / "web"
CONNECTIONS = 512
"""More at a time are turned away at once."""
ABOUT = (
    "Apparent emotion of faces and videos, in your own words: what onlookers would say is shown, not what is felt. "
    "Not for decisions about people at work, in education, policing, hiring or health."
)


def analyze_video(path: Path, out: Path, chosen: dict[str, Any], tell: OnProgress) -> None:
    """`mien.serve.analysis.analyze_video`, imported by the process that works."""
    from mien.serve import analysis

    analysis.analyze_video(path, out, chosen, tell)


def create_app(settings: ServeSettings, *, analyze: AnalyzeVideo = analyze_video) -> FastAPI:
    """The application, to be run by any ASGI server in one process. Its working processes live as long as it does.

    analyze: what analyses videos, a function of a module. Raises MienError where settings would let strangers in.
    """
    require_guarded(settings)
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with running(settings, metrics=metrics, analyze=analyze) as service:
            app.state.service = service
            yield

    app = FastAPI(
        title="mien",
        version=__version__,
        description=ABOUT,
        docs_url=None,  # its pages of documentation load their scripts from elsewhere; /openapi.json is here
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        lifespan=lifespan,
    )
    app.add_middleware(Guard, settings=settings, metrics=metrics)
    answer_errors(app, router.routes)
    app.include_router(router)
    _serve_pages(app, WEB)
    return app


def serve(settings: ServeSettings, *, on_start: Callable[[str], None]) -> None:
    """Serves until it is told to stop, by Ctrl-C or SIGTERM. `on_start` is told the address when all is ready.

    Raises MienError where the settings do not go, the port is taken, or the model is not found.
    """
    app = create_app(settings)
    with _listening(settings) as listener:
        signal.signal(signal.SIGTERM, _leave)  # uvicorn sends the signal once more when it is done
        asyncio.run(_serve(app, listener, on_start=on_start))


async def _serve(app: FastAPI, listener: socket.socket, *, on_start: Callable[[str], None]) -> None:
    config = uvicorn.Config(
        app, lifespan="off", ws="none", server_header=False, proxy_headers=False, log_level="warning",
        limit_concurrency=CONNECTIONS, timeout_graceful_shutdown=5,
    )  # fmt: skip
    async with app.router.lifespan_context(app):  # here, so that what fails is a MienError and not uvicorn's trace
        host, port = listener.getsockname()[:2]
        on_start(f"http://{f'[{host}]' if ':' in host else host}:{port}")
        await uvicorn.Server(config).serve(sockets=[listener])


def _listening(settings: ServeSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host.strip("[]"), settings.port), family=family, backlog=CONNECTIONS)
    except OSError as error:
        raise MienError(
            f"cannot listen at {settings.host} port {settings.port} ({error.strerror or error}); choose another --port"
        ) from error


def _leave(signum: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


def _serve_pages(app: FastAPI, folder: Path) -> None:
    """The page: the files that lie in the folder now, by their names, and no other path."""
    for path in sorted(folder.glob("*.*")):
        where = "/" if path.name == "index.html" else f"/{path.name}"
        app.router.add_route(where, _page(path), methods=["GET"], include_in_schema=False)


def _page(path: Path) -> Callable[[Request], Awaitable[Response]]:
    async def page(request: Request) -> Response:
        return FileResponse(path, headers={"Content-Security-Policy": PAGE_CSP, "Cache-Control": "no-cache"})

    return page
