"""Requests that are refused: with what status, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping

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
