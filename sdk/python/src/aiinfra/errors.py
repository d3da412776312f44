"""What can go wrong in a call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar

_MESSAGE_LENGTH = 200
# What a server says of a path at which it has no operation.
_NO_PATH = "nothing at this path"


class Error(Exception):
    """Anything that goes wrong in a call."""


class ConnectionFailed(Error, ConnectionError):
    """The server cannot be reached, or the connection broke."""


class Timeout(Error, TimeoutError):
    """The server did not answer in time."""


class InvalidResponse(Error):
    """The answer is not what the contract says. Something else than the product may have answered."""


class ApiError(Error):
    """The server refused, or failed."""

    statuses: ClassVar[tuple[int, ...]] = ()

    def __init__(
        self, status: int, message: str, code: str = "", request_id: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        """The HTTP status."""
        self.message = message
        """A sentence for people."""
        self.code = code
        """The reason as a stable word in CamelCase; empty where the operation's style has none."""
        self.request_id = request_id
        """What the server's log knows the request by."""
        self.retry_after = retry_after
        """How many seconds the server asks to wait."""

    def __str__(self) -> str:
        details = ", ".join(filter(None, (f"{self.status}", self.code, self.request_id and f"request {self.request_id}")))
        return f"{self.message} ({details})"


class BadRequest(ApiError):
    """The request cannot be read, or a field breaks its rule."""

    statuses: ClassVar[tuple[int, ...]] = (400, 408, 413, 415, 422)


class Unauthenticated(ApiError):
    """There are no credentials, or they do not hold."""

    statuses: ClassVar[tuple[int, ...]] = (401,)


class PermissionDenied(ApiError):
    """The credentials do not allow it."""

    statuses: ClassVar[tuple[int, ...]] = (403,)


class NotFound(ApiError):
    """There is no such thing, or it is somebody else's."""

    statuses: ClassVar[tuple[int, ...]] = (404,)


class Conflict(ApiError):
    """The present state of things does not allow it."""

    statuses: ClassVar[tuple[int, ...]] = (409,)


class Gone(ApiError):
    """It is not there any more, such as the events after a cursor that is too old."""

    statuses: ClassVar[tuple[int, ...]] = (410,)


class CursorExpired(Gone):
    """The events after a cursor are not kept any more: list again what is watched, and watch from there without a cursor."""

    statuses: ClassVar[tuple[int, ...]] = ()


class RateLimited(ApiError):
    """There were too many requests."""

    statuses: ClassVar[tuple[int, ...]] = (429,)


class ServerError(ApiError):
    """The server failed."""

    statuses: ClassVar[tuple[int, ...]] = (500,)


class Unimplemented(ServerError):
    """The server does not have the operation: it is older than this package, or something else."""

    statuses: ClassVar[tuple[int, ...]] = (501,)


class Unavailable(ServerError):
    """The server, or something that it needs, is away. It may be worth another try."""

    statuses: ClassVar[tuple[int, ...]] = (502, 503)


class DeadlineExceeded(ServerError):
    """The server did not finish in time."""

    statuses: ClassVar[tuple[int, ...]] = (504,)


def _subclasses(kind: type[ApiError]) -> list[type[ApiError]]:
    return [kind, *(inner for child in kind.__subclasses__() for inner in _subclasses(child))]


_BY_STATUS = {status: kind for kind in _subclasses(ApiError) for status in kind.statuses}
_BY_REASON: dict[str, type[ApiError]] = {"CursorExpired": CursorExpired}
# Reasons of errors within a stream, whose status is that of its beginning.
_STATUS_OF_REASON = {
    "InvalidToken": 401,
    "TokenExpired": 401,
    "TokenRevoked": 401,
    "Unauthenticated": 401,
    "PermissionDenied": 403,
    "NotFound": 404,
    "CursorExpired": 410,
    "ResourceExhausted": 429,
    "Unavailable": 503,
    "DeadlineExceeded": 504,
}


def from_response(status: int, headers: Mapping[str, str], body: bytes, operation: str = "") -> ApiError:
    """The error that an answer to an operation stands for, in whichever style it is."""
    try:
        content = json.loads(body)
    except ValueError:
        content = None
    message = code = ""
    if isinstance(content, dict):
        message = _text(content.get("error")) or _text(content.get("message"))
        code = _text(content.get("code"))
    if not message:
        message = body.decode(errors="replace").strip()[:_MESSAGE_LENGTH] or f"the server answered {status} without a word"
    kind = _BY_REASON.get(code) or _BY_STATUS.get(status) or (ServerError if status >= 500 else ApiError)
    # No thing of the product is missing where the answer is not one of its errors.
    is_missing = status == 404 and (_NO_PATH in message or not isinstance(content, dict))
    if operation and (is_missing or status in (405, 501)):
        kind, message = Unimplemented, f"{operation} is not supported by this server: {message}"
    return kind(status, message, code, headers.get("x-request-id", ""), retry_after(headers.get("retry-after")))


def in_stream(content: Mapping[str, Any], request_id: str) -> ApiError:
    """The error with which a stream ends."""
    code = _text(content.get("code"))
    status = _STATUS_OF_REASON.get(code, 500)
    kind = _BY_REASON.get(code) or _BY_STATUS[status]
    return kind(status, _text(content.get("error")) or "the stream failed", code, request_id)


def retry_after(value: str | None) -> float | None:
    """The seconds of a `Retry-After`, which may also be a date."""
    if not value:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return max(0.0, (moment - datetime.now(timezone.utc)).total_seconds())


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
