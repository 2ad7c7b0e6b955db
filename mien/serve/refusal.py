"""Answers to requests that are refused: a status, and JSON that tells why."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

RETRY_REQUEST_S = 2
"""When to try again what is answered at once: about what one such request takes."""
RETRY_JOB_S = 30


class Refused(Exception):
    """A request that is not served, why, and what would be; becomes the answer."""

    def __init__(self, status: int, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})

    def __reduce__(self) -> tuple[Callable[..., Refused], tuple[int, str, dict[str, str]]]:
        """Sent from process to process."""
        return _again, (self.status, str(self), self.headers)


def _again(status: int, message: str, headers: dict[str, str]) -> Refused:
    return Refused(status, message, headers=headers)


def busy(message: str, *, retry_s: int) -> Refused:
    """429: the same request would be served later."""
    return Refused(429, message, headers={"Retry-After": str(retry_s)})


def refusal(status: int, message: str, *, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The answer itself: {"error": {"message": ...}}."""
    return JSONResponse({"error": {"message": message}}, status_code=status, headers=dict(headers or {}))


def answer_errors(app: FastAPI) -> None:
    """All errors of `app` are told alike; of those nobody foresaw, the log has the trace and the client no more."""

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> JSONResponse:
        return refusal(error.status, str(error), headers=error.headers)

    @app.exception_handler(HTTPException)
    async def by_the_framework(request: Request, error: HTTPException) -> JSONResponse:
        return refusal(error.status_code, str(error.detail), headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        told = "; ".join(f"{'.'.join(map(str, e['loc'][1:]))}: {e['msg']}" for e in error.errors())
        return refusal(422, told)

    @app.exception_handler(Exception)
    async def unforeseen(request: Request, error: Exception) -> JSONResponse:
        return refusal(500, "the server failed at this; its log tells more")
