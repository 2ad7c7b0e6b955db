"""Answers to requests that fail: a status, and JSON that tells why."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from mien.serve.refusal import Refused


def error_answer(status: int, message: str, *, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The answer itself: {"error": {"message": ...}}."""
    return JSONResponse({"error": {"message": message}}, status_code=status, headers=dict(headers or {}))


def answer_errors(app: FastAPI) -> None:
    """All refusals of `app` are told alike, those of the framework too; what nobody foresaw, the guard tells."""

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> JSONResponse:
        return error_answer(error.status, str(error), headers=error.headers)

    @app.exception_handler(HTTPException)
    async def by_the_framework(request: Request, error: HTTPException) -> JSONResponse:
        return error_answer(error.status_code, str(error.detail), headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        told = "; ".join(f"{'.'.join(map(str, e['loc'][1:]))}: {e['msg']}" for e in error.errors())
        return error_answer(422, told)
