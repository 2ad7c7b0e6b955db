"""Who may ask, and what browsers are told of the answers: around the whole application.

Without a token the server is for this machine's user. Pages of other sites are kept from using it through the user's
browser: they may neither name it by a name of their own (DNS rebinding), nor send forms to it.
"""

from __future__ import annotations

import hmac
import logging
import time
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mien.serve.error_answers import error_answer
from mien.serve.metrics import Metrics
from mien.serve.refusal import Refused
from mien.serve.settings import ServeSettings, is_loopback

API_CSP = "default-src 'none'; frame-ancestors 'none'"
PAGE_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "connect-src 'self'; frame-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
REPORT_CSP = (
    "sandbox allow-scripts allow-downloads; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src 'self' data:; media-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""A report has its script and style in itself; in a sandbox, so that it can do nothing in this server's name."""

MEDIA_HEADERS = {"Cross-Origin-Resource-Policy": "cross-origin"}
"""Of what a report shows: in its sandbox it has no origin of its own. Nobody else can guess the address."""

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
    "Content-Security-Policy": API_CSP,
}
"""On every answer that does not say otherwise itself."""

log = logging.getLogger("uvicorn.error")


class Guard:
    """Refuses those who may not ask, counts all, and puts HEADERS on every answer."""

    def __init__(self, app: ASGIApp, *, settings: ServeSettings, metrics: Metrics) -> None:
        self._app = app
        self._settings = settings
        self._metrics = metrics
        self._token = None if settings.token is None else settings.token.get_secret_value().encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_s, status = time.perf_counter(), 0

        async def send_guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            self._require_welcome(scope["path"], scope["method"], Headers(scope=scope))
            await self._app(scope, receive, send_guarded)
        except Refused as error:
            await error_answer(error.status, str(error), headers=error.headers)(scope, receive, send_guarded)
        except Exception:
            log.exception("a request failed")
            if status != 0:  # half an answer is out: breaking off is all that is left to tell
                raise
            await error_answer(500, "the server failed at this; its log tells more")(scope, receive, send_guarded)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            seconds = time.perf_counter() - started_s
            self._metrics.count(method=scope["method"], endpoint=route, status=status, seconds=seconds)

    def _require_welcome(self, path: str, method: str, headers: Headers) -> None:
        """Raises Refused for those who may not ask."""
        if self._token is not None:
            kind, _, given = headers.get("authorization", "").partition(" ")
            is_ours = hmac.compare_digest(given.strip().encode(), self._token) and kind.lower() == "bearer"
            if ("/v1/" in path or path.endswith("/metrics")) and not is_ours:  # whatever path it is mounted below
                raise Refused(
                    401, "send the server's token: Authorization: Bearer TOKEN", headers={"WWW-Authenticate": "Bearer"}
                )
            return
        host = headers.get("host", "")
        try:
            name, origin_host = urlsplit(f"//{host}").hostname or "", urlsplit(headers.get("origin", "")).netloc
        except ValueError:
            raise Refused(400, "Host or Origin is no address") from None
        if is_loopback(self._settings.host) and not is_loopback(name):
            raise Refused(403, f"this server is for its own machine; it is not called {host!r}")
        origin = headers.get("origin")
        if origin is not None and method not in ("GET", "HEAD") and origin_host != host:
            raise Refused(403, f"pages of {origin} may not use this server")
