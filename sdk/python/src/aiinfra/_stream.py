"""Streams of messages: server-sent events, and a JSON text on each line where a server has no events. No I/O."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ._core import Call
from .errors import InvalidResponse, in_stream

if TYPE_CHECKING:
    import httpx

ACCEPT = "text/event-stream, application/x-ndjson;q=0.5"
_LONGEST_LINE = 16 * 1024 * 1024


class Parser:
    """Takes what comes in, and gives the messages that are complete."""

    def __init__(self, call: Call, content_type: str, request_id: str) -> None:
        self._call = call
        self._is_events = content_type.partition(";")[0].strip().lower() == "text/event-stream"
        self._request_id = request_id
        self._text = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._rest = ""
        self._event = _Event()

    def feed(self, chunk: bytes) -> Iterator[Any]:
        """The messages that this chunk completes. An error that the stream ends with is raised."""
        *lines, self._rest = (self._rest + self._text.decode(chunk)).split("\n")
        if len(self._rest) > _LONGEST_LINE:
            raise InvalidResponse("a line of the stream has no end")
        for line in lines:
            line = line.removesuffix("\r")
            if not self._is_events:
                if line.strip():
                    yield self._message(line)
            elif line:
                self._event.take(line)
            else:
                yield from self._dispatch()

    def end(self) -> bool:
        """Whether the stream may end here: not within a message."""
        return not self._rest.strip() and not self._event.data

    def _dispatch(self) -> Iterator[Any]:
        event, self._event = self._event, _Event()
        if not event.data:
            return
        content = _json("\n".join(event.data))
        if event.name == "error":
            raise in_stream(content if isinstance(content, dict) else {}, self._request_id)
        yield content
        # Only when the message was taken: who did not see it wants it again.
        self._call.last_event_id = event.id or self._call.last_event_id

    def _message(self, line: str) -> Any:
        content = _json(line)
        if isinstance(content, dict) and content.keys() == {"error", "code"}:
            raise in_stream(content, self._request_id)
        return content


def parser(call: Call, response: httpx.Response) -> Parser:
    """A parser for an answer. What it has given is remembered in the call."""
    return Parser(call, response.headers.get("content-type", ""), response.headers.get("x-request-id", ""))


@dataclass
class _Event:
    name: str = ""
    id: str = ""
    data: list[str] = field(default_factory=list)

    def take(self, line: str) -> None:
        key, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if key == "data":
            self.data.append(value)
        elif key == "event":
            self.name = value
        elif key == "id":
            self.id = value


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidResponse("a message of the stream is not JSON") from error
