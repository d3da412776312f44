"""How a call becomes a request, when it is tried again, and how an answer is read, for both clients. No I/O."""

from __future__ import annotations

import json
import random
import re
import ssl
import urllib.parse
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from importlib import metadata
from typing import Any

import httpx

from . import _model
from .errors import ApiError, ConnectionFailed, Error, InvalidResponse, Timeout, from_response

_IDEMPOTENT = {"GET", "HEAD", "PUT", "DELETE"}
# Of answers after which nothing was done, and of those after which it may be there again.
_TOO_MANY, _TRANSIENT = 429, {502, 503, 504}
_LARGEST_ANSWER = 256 * 1024 * 1024


@dataclass(frozen=True)
class Retry:
    """How often, and after how long, a call is tried again."""

    attempts: int = 5
    """How often a call is tried in all; 1 is no second time."""
    first_delay: float = 0.2
    """The longest wait before the second attempt, in seconds; it doubles with each. Waits are random within that."""
    longest_delay: float = 5.0
    """The longest wait without a word of the server, in seconds."""
    longest_retry_after: float = 60.0
    """The longest wait that the server may ask for, in seconds; with a longer one the error is raised at once."""


@dataclass(frozen=True)
class Response:
    """What one attempt of a call was answered with, as it came."""

    method: str
    path: str
    status: int
    """The HTTP status."""
    headers: Mapping[str, str]
    """Under their names in any case, such as `x-ratelimit-remaining`."""
    body: bytes = field(repr=False)
    """Empty for a stream that has begun: its messages are still to come."""


@dataclass(frozen=True)
class Options:
    """What calls are made with."""

    token: str | None = field(default=None, repr=False)
    timeout: float = 60.0
    idle_timeout: float = 60.0
    retry: Retry = Retry()
    on_response: Callable[[Response], None] | None = None

    def __post_init__(self) -> None:
        # What cannot be sent would be shown by the error about it.
        if self.token and not re.fullmatch(r"[!-~]+", self.token):
            raise ValueError("the token has characters that no token has, such as white space")


@dataclass
class Call:
    """One call of an operation."""

    method: str
    path: str
    query: Mapping[str, Any] | None = None
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, Any] | None = None
    envelope: bool = False
    # A member of the body that makes the server do it once only.
    key: str | None = None
    # Whether a stream goes on after the event that was seen last.
    resumable: bool = False
    last_event_id: str = ""

    def __post_init__(self) -> None:
        if self.body is not None:
            self.body = {key: _model.encode(value) for key, value in self.body.items() if value is not None}
            if self.key:
                self.body.setdefault(self.key, str(uuid.uuid4()))

    @property
    def is_idempotent(self) -> bool:
        return self.method in _IDEMPOTENT or self.key is not None

    @property
    def is_endless(self) -> bool:
        """Whether a stream that ends without an error was cut off."""
        return self.resumable and not (self.query or {}).get("once")

    def request(self, options: Options, accept: str) -> dict[str, Any]:
        """The arguments of `build_request`."""
        headers = {"accept": accept, "user-agent": USER_AGENT}
        headers.update({key: _text(value) for key, value in (self.headers or {}).items() if value is not None})
        if options.token:
            headers["authorization"] = f"Bearer {options.token}"
        if self.last_event_id:
            headers["last-event-id"] = self.last_event_id
        arguments: dict[str, Any] = {"method": self.method, "url": self.path, "headers": headers}
        if self.query:
            arguments["params"] = [pair for key, value in self.query.items() for pair in _pairs(key, value)]
        if self.body is not None:
            headers["content-type"] = "application/json"
            arguments["content"] = json.dumps(self.body, allow_nan=False).encode()
        return arguments


def delay(error: Error, attempt: int, call: Call, options: Options) -> float | None:
    """How long to wait before the next attempt after this one, counted from 1; `None` when there is none."""
    retry = options.retry
    if attempt >= retry.attempts or not _may_pass(error, call):
        return None
    wait = random.uniform(0, min(retry.longest_delay, retry.first_delay * 2 ** (attempt - 1)))
    asked = error.retry_after if isinstance(error, ApiError) else None
    if asked is None:
        return wait
    return None if asked > retry.longest_retry_after else asked + wait


def _may_pass(error: Error, call: Call) -> bool:
    """Whether it is right to try again: what may have been done already is not done twice."""
    if isinstance(error, ApiError):
        return error.status == _TOO_MANY or (call.is_idempotent and error.status in _TRANSIENT)
    if isinstance(error, ConnectionFailed):
        return call.is_idempotent or isinstance(error.__cause__, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout))
    return isinstance(error, Timeout) and call.is_idempotent


def result(kind: Any, call: Call, response: httpx.Response, body: bytes) -> Any:
    """What a successful answer holds."""
    if kind is type(None):
        return None
    try:
        content = json.loads(body)
    except ValueError as error:
        raise InvalidResponse(f"{call.method} {call.path} answered {response.status_code} without JSON") from error
    if call.envelope:
        if not isinstance(content, dict) or "data" not in content:
            raise InvalidResponse(f"{call.method} {call.path} answered without an envelope")
        content = content["data"]
    return _model.decode(kind, content)


def answered(options: Options, call: Call, response: httpx.Response, body: bytes) -> None:
    """Shows an answer to whoever wants to see them, and raises the error that it stands for."""
    if options.on_response:
        options.on_response(Response(call.method, call.path, response.status_code, response.headers, body))
    if not response.is_success:
        raise from_response(response.status_code, response.headers, body, f"{call.method} {call.path}")


def take(body: bytearray, chunk: bytes) -> None:
    """Adds a piece to a body that must not grow for ever."""
    body += chunk
    if len(body) > _LARGEST_ANSWER:
        raise InvalidResponse("the answer has no end")


def failure(error: httpx.RequestError | httpx.InvalidURL | httpx.StreamError) -> Error:
    """An error of the transport in words of this package. The connection's end is never a silent one."""
    said = str(error) or type(error).__name__
    if isinstance(error, httpx.TimeoutException) and not isinstance(error, (httpx.ConnectTimeout, httpx.PoolTimeout)):
        return Timeout(f"no answer in time: {said}")
    if isinstance(error, httpx.DecodingError):
        return InvalidResponse(f"the answer cannot be decoded: {said}")
    if isinstance(error, httpx.ConnectError):
        url = error.request.url
        said = f"cannot reach {url.scheme}://{url.netloc.decode()}: {said}"
    return ConnectionFailed(said)


def path(template: str, **parameters: Any) -> str:
    """A path with its parameters. None may be empty, or it would be another path."""
    quoted = {}
    for name, value in parameters.items():
        text = _text(value)
        if text in ("", ".", ".."):
            raise ValueError(f"{name} cannot be {text!r}")
        quoted[name] = urllib.parse.quote(text, safe="")
    return template.format(**quoted)


def stream_timeout(options: Options) -> httpx.Timeout:
    """How long a stream may be silent, and everything else may take."""
    return httpx.Timeout(options.timeout, read=options.idle_timeout)


def address(base_url: str) -> str:
    """The address of the API, checked."""
    if urllib.parse.urlsplit(base_url).scheme not in ("http", "https") or not urllib.parse.urlsplit(base_url).hostname:
        raise ValueError(f"{base_url!r} is no address such as http://localhost:8080")
    return base_url


def changed(options: Options, given: Mapping[str, Any]) -> Options:
    """Options with those that are given in place of what they were."""
    return replace(options, **{name: value for name, value in given.items() if value is not None})


def verification(base_url: str, verify: ssl.SSLContext | str | bool) -> ssl.SSLContext | bool:
    """How servers are verified: by a file of certificates, too. Loading those takes a while, and is for nothing without TLS."""
    if base_url.startswith("http:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return ssl.create_default_context(cafile=verify) if isinstance(verify, str) else verify


def _pairs(key: str, value: Any) -> list[tuple[str, str]]:
    if value is None:
        return []
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [(key, _text(inner)) for inner in value]
    return [(key, _text(value))]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Enum):
        return str(value.value)
    return _model.timestamp(value) if isinstance(value, datetime) else str(value)


def _version() -> str:
    try:
        return metadata.version("aiinfra")
    except metadata.PackageNotFoundError:
        return "0"


USER_AGENT = f"aiinfra-python/{_version()}"
