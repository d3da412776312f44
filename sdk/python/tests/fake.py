"""A server on loopback that answers as a test tells it, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any


class Exchange(BaseHTTPRequestHandler):
    """One request, and ways to answer it."""

    protocol_version = "HTTP/1.1"
    server: Fake

    def do_any(self) -> None:
        """Answers with the next answer; the last one answers all that follow."""
        length = int(self.headers.get("content-length", 0))
        body = self.rfile.read(length)
        address = urlsplit(self.path)
        headers = {key.lower(): value for key, value in self.headers.items()}
        asked = Asked(self.command, address.path, parse_qs(address.query), headers, json.loads(body) if body else None)
        with self.server.lock:
            self.server.asked.append(asked)
            answers = self.server.answers
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
        answer(self)

    do_GET = do_POST = do_PUT = do_DELETE = do_any

    def log_message(self, format: str, *arguments: Any) -> None:
        """Says nothing."""

    def start(self, status: int, length: int | None, headers: dict[str, str] | None = None) -> None:
        """Sends the head. Without a length the body ends with the connection."""
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        if length is not None:
            self.send_header("content-length", str(length))
        else:
            self.send_header("connection", "close")
            self.close_connection = True
        self.end_headers()

    def chunk(self, text: str) -> None:
        """Sends a piece of a chunked body."""
        data = text.encode()
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()


class Fake(ThreadingHTTPServer):
    """The server."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.lock = threading.Lock()
        self.asked: list[Asked] = []
        self.answers: list[Answer] = []
        # Lets go of answers that wait.
        self.released = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def tell(self, *answers: Answer) -> None:
        """Says what to answer."""
        self.answers = list(answers)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients may hang up."""


Answer = Callable[[Exchange], None]


def says(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """Answers with JSON, or with a text as it is."""
    data = (content if isinstance(content, str) else json.dumps(content)).encode()

    def answer(exchange: Exchange) -> None:
        exchange.start(status, len(data), headers)
        exchange.wfile.write(data)

    return answer


def hangs_up(exchange: Exchange) -> None:
    """Closes the connection without an answer."""
    exchange.close_connection = True
    exchange.connection.close()


def stops_half_way(exchange: Exchange) -> None:
    """Promises more than it gives."""
    exchange.start(200, 100)
    exchange.wfile.write(b'{"id": ')
    exchange.close_connection = True


def echoes(exchange: Exchange) -> None:
    """Answers with the last part of the path as id."""
    says({"id": exchange.path.rpartition("/")[2]})(exchange)


def greets(exchange: Exchange) -> None:
    """Answers in another protocol."""
    exchange.wfile.write(b"SSH-2.0-OpenSSH_9\r\n")
    exchange.close_connection = True


def is_silent(exchange: Exchange) -> None:
    """Never answers."""
    exchange.server.released.wait(20)
    exchange.close_connection = True


def drips(exchange: Exchange) -> None:
    """Answers byte by byte without an end."""
    exchange.start(200, 1_000_000)
    while not exchange.server.released.wait(0.02):
        exchange.wfile.write(b" ")
        exchange.wfile.flush()


def streams(*pieces: str, content_type: str = "text/event-stream", end: str = "ends") -> Answer:
    """Answers with pieces of a stream, and then `ends`, `breaks` or `waits`."""

    def answer(exchange: Exchange) -> None:
        exchange.send_response(200)
        exchange.send_header("content-type", content_type)
        exchange.send_header("transfer-encoding", "chunked")
        exchange.end_headers()
        for piece in pieces:
            exchange.chunk(piece)
        if end == "waits":
            exchange.server.released.wait(20)
        if end == "ends":
            exchange.chunk("")
        else:
            hangs_up(exchange)

    return answer
