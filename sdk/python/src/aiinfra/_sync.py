"""Calls over a synchronous connection pool."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from time import sleep
from types import TracebackType
from typing import Any, Generic, TypeVar

import httpx

from . import _core, _model, _stream
from ._core import Call, Options
from ._paging import Pager
from .errors import ConnectionFailed, Error, Timeout

T = TypeVar("T")


class Stream(Generic[T]):
    """Messages as they come. It holds a connection until its end, or until it is closed."""

    def __init__(self, messages: Callable[[], Iterator[T]]) -> None:
        self._messages = messages()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        return next(self._messages)

    def __enter__(self) -> Stream[T]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Hangs up."""
        close = getattr(self._messages, "close", None)
        if close:
            close()


class Connection:
    """Makes calls, and tries them again where that is right."""

    def __init__(self, http: httpx.Client, options: Options) -> None:
        self.http = http
        self.options = options

    def call(
        self,
        kind: type[T],
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
        envelope: bool = False,
        key: str | None = None,
    ) -> T:
        """Calls an operation."""
        call = Call(method, path, query, body, headers, envelope, key)
        attempt = 1
        while True:
            try:
                return self._attempt(kind, call)
            except Error as error:
                wait = _core.delay(error, attempt, call, self.options)
                if wait is None:
                    raise
            sleep(wait)
            attempt += 1

    def stream(
        self,
        kind: type[T],
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        resumable: bool = False,
        last_event_id: str | None = None,
    ) -> Stream[T]:
        """Calls an operation that answers with message after message."""
        call = Call(method, path, query, resumable=resumable, last_event_id=last_event_id or "")
        return Stream(lambda: self._messages(kind, call))

    def pages(self, fetch: Callable[[int], Any]) -> Iterator[Any]:
        """The items of all pages."""
        pager = Pager()
        while True:
            page = fetch(pager.number)
            yield from page
            if not pager.turn(page):
                return

    def _attempt(self, kind: type[T], call: Call) -> T:
        deadline = time.monotonic() + self.options.timeout
        request = self.http.build_request(**call.request(self.options, "application/json"), timeout=self.options.timeout)
        try:
            response = self.http.send(request, stream=True)
            try:
                body = _read(response, deadline)
            finally:
                response.close()
        except (httpx.RequestError, httpx.InvalidURL, httpx.StreamError) as error:
            raise _core.failure(error) from error
        _core.answered(self.options, call, response, body)
        result: T = _core.result(kind, call, response, body)
        return result

    def _messages(self, kind: type[T], call: Call) -> Iterator[T]:
        attempt, has_begun = 1, False
        while True:
            try:
                for content in self._contents(call):
                    attempt, has_begun = 1, True
                    yield _model.decode(kind, content)
                if not call.is_endless:
                    return
                raise ConnectionFailed("the stream ended")
            except Error as error:
                can_go_on = not has_begun or (call.resumable and call.last_event_id)
                wait = _core.delay(error, attempt, call, self.options) if can_go_on else None
                if wait is None:
                    raise
            sleep(wait)
            attempt += 1

    def _contents(self, call: Call) -> Iterator[Any]:
        request = self.http.build_request(
            **call.request(self.options, _stream.ACCEPT), timeout=_core.stream_timeout(self.options)
        )
        try:
            response = self.http.send(request, stream=True)
            try:
                body = b""
                if not response.is_success:
                    body = _read(response, time.monotonic() + self.options.timeout)
                _core.answered(self.options, call, response, body)
                parser = _stream.parser(call, response)
                for chunk in response.iter_bytes():
                    yield from parser.feed(chunk)
                if not parser.end():
                    raise ConnectionFailed("the stream ended within a message")
            finally:
                response.close()
        except (httpx.RequestError, httpx.InvalidURL, httpx.StreamError) as error:
            raise _core.failure(error) from error


def _read(response: httpx.Response, deadline: float) -> bytes:
    """The whole body. httpx bounds the wait for each piece of it, but not for all."""
    body = bytearray()
    for chunk in response.iter_bytes():
        _core.take(body, chunk)
        if time.monotonic() > deadline:
            raise Timeout("the answer is too slow")
    return bytes(body)
