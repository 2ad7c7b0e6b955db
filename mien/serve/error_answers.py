"""Answers to requests that fail: a status, and JSON that tells why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Scope

from mien.serve.refusal import Refused


def error_answer(status: int, message: str, *, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The answer itself: {"error": {"message": ...}}."""
    return JSONResponse({"error": {"message": message}}, status_code=status, headers=dict(headers or {}))


def answer_errors(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """All refusals of `app` are told alike, those of the framework too; what nobody foresaw, the guard tells."""

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> JSONResponse:
        return error_answer(error.status, str(error), headers=error.headers)

    @app.exception_handler(HTTPException)
    async def by_the_framework(request: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers or {})
        if error.status_code == 405:  # the framework names the methods of one route, and a path may have several
            headers["Allow"] = ", ".join(sorted(_methods(request.scope, routes))) or headers.get("Allow", "")
        return error_answer(error.status_code, str(error.detail), headers=headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        told = "; ".join(f"{'.'.join(map(str, e['loc'][1:]))}: {e['msg']}" for e in error.errors())
        return error_answer(422, told)


def _methods(scope: Scope, routes: Sequence[BaseRoute]) -> set[str]:
    found = [route for route in routes if isinstance(route, Route) and route.matches(scope)[0] is not Match.NONE]
    return {method for route in found for method in route.methods or ()}
