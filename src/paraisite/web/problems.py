"""`Problem`: why a request fails, as a problem of RFC 9457 (application/problem+json)."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"

FAILED = "The service failed; its log has the cause. Please report it."

_log = logging.getLogger(__name__)


class Problem(Exception):
    """A request fails as a whole.

    Parameters
    ----------
    status : int
        Status of HTTP.
    code : str
        Short name of the kind of problem, for programs.
    detail : str
        What is wrong and what to do.
    retry_after : int, optional
        Seconds after which a repetition is worth while.
    errors : sequence of dict
        Parameters that are wrong: where, and why.
    """

    def __init__(
        self, status: int, code: str, detail: str, *, retry_after: int | None = None, errors: Any = None
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.retry_after, self.errors = retry_after, errors

    def content(self) -> dict[str, Any]:
        """Return the JSON object."""
        said = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        return said | ({"errors": self.errors} if self.errors else {})

    def response(self) -> JSONResponse:
        """Return the answer."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        if self.status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = "Bearer"
        return JSONResponse(self.content(), self.status, headers, MEDIA_TYPE)


SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong, and what to do."},
        "code": {"type": "string", "description": "Kind of problem, for programs."},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}
"""JSON schema of a problem."""


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the answers of an operation that are problems, as OpenAPI has them."""
    content = {MEDIA_TYPE: {"schema": SCHEMA}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def install(app: FastAPI) -> None:
    """Have an application answer every error with a problem."""

    async def problem(request: Request, error: Any) -> JSONResponse:
        return error.response()

    async def http(request: Request, error: Any) -> JSONResponse:
        status = HTTPStatus(error.status_code)
        answer = Problem(
            status, status.phrase.lower().replace(" ", "-"), status.description or status.phrase
        ).response()
        answer.headers.update(error.headers or {})
        return answer

    async def invalid(request: Request, error: Any) -> JSONResponse:
        errors = [{"where": ".".join(map(str, e["loc"])), "why": str(e["msg"])[:300]} for e in error.errors()]
        named = "; ".join(f"{e['where']}: {e['why']}" for e in errors[:5])
        return Problem(422, "wrong-parameter", named, errors=errors).response()

    async def ours(request: Request, error: Any) -> JSONResponse:
        return Problem(500, "internal-error", FAILED).response()

    app.exception_handler(Exception)(ours)
    app.exception_handler(Problem)(problem)
    app.exception_handler(HTTPException)(http)
    app.exception_handler(RequestValidationError)(invalid)


def unforeseen(error: Exception) -> Problem:
    """Return the problem of an error of ours, which is logged."""
    _log.error("unforeseen error", exc_info=error)
    return Problem(500, "internal-error", FAILED)
