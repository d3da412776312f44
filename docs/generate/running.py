"""A control plane, a gateway and an agent that run, and to which everything happens that is counted."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

PATIENCE_S = 120.0
PASSWORD = "a password for the reference"


@dataclass
class Seen:
    """What was seen of them."""

    # The metrics of the control plane, the agent and the gateway.
    metrics: tuple[str, str, str]
    # The schema of GraphQL in its own language.
    schema: str


def look(programs: Path) -> Seen:
    """Starts them, looks, and ends them."""
    with tempfile.TemporaryDirectory() as directory:
        http, grpc, agent, internal, gateway = (f"127.0.0.1:{port}" for port in _free_ports(5))
        settings = {
            **{name: value for name, value in os.environ.items() if not name.startswith("UTOPIA_")},
            "UTOPIA_DATA_DIR": directory,
            "UTOPIA_HTTP_ADDR": http,
            "UTOPIA_GRPC_ADDR": grpc,
            "UTOPIA_INTERNAL_ADDR": internal,
            "UTOPIA_AGENT_HTTP_ADDR": agent,
            "UTOPIA_GPUS": "simulated:1",
            "UTOPIA_ADMIN_PASSWORD": PASSWORD,
            "UTOPIA_LIMITS": "login=1",
            # Nobody is there: that it does not answer is counted too.
            "UTOPIA_PROMETHEUS_URL": "http://127.0.0.1:9",
            "UTOPIA_WEBHOOK_ALLOW_PRIVATE": "127.0.0.0/8",
        }
        with _running([programs / "aiinfra", "up"], settings, directory):
            token = _until(lambda: _log_in(http))
            _until(lambda: None if _log_in(http) else "limited")
            node = _until(lambda: next((n for n in _ask(http, "/api/nodes", token)["nodes"] if n["status"] == "Online"), None))
            _ask(http, f"/api/nodes/{node['id']}/status", token)
            webhook = _ask(http, "/api/webhooks", token, {"url": "http://127.0.0.1:9/", "events": ["node.*"]})
            _ask(http, f"/api/webhooks/{webhook['id']}/test", token, {})
            _speak_nonsense(grpc)
            wanted = ("utopia_webhook_attempts", "utopia_connections_refused", "utopia_backend_up", "utopia_requests_limited")
            control_plane = _until(lambda: _all_of(_text(http, "/metrics"), wanted))
            agent_metrics = _until(lambda: _all_of(_text(agent, "/metrics"), ("utopia_agent_commands", "DCGM_FI_DEV_GPU_UTIL")))
            subprocess.run(
                [programs / "utopia-controlplane", "gateway-certificate", "--data-dir", directory, "--out", directory],
                check=True,
                capture_output=True,
            )
            remote = {
                **settings,
                "UTOPIA_HTTP_ADDR": gateway,
                "UTOPIA_UPSTREAM": f"https://{internal}",
                "UTOPIA_CA_CERTIFICATE": f"{directory}/ca.pem",
                "UTOPIA_CLIENT_CERTIFICATE": f"{directory}/gateway.pem",
                "UTOPIA_CLIENT_KEY": f"{directory}/gateway-key.pem",
            }
            with _running([programs / "utopia-gateway"], remote, directory):
                _until(lambda: _ask(gateway, "/api/nodes", token))
                gateway_metrics = _until(lambda: _all_of(_text(gateway, "/metrics"), ("utopia_gateway_grpc_requests",)))
                return Seen((control_plane, agent_metrics, gateway_metrics), _text(http, "/api/graphql/schema", token))


def _all_of(text: str, names: tuple[str, ...]) -> str | None:
    return text if all(f"# TYPE {name}" in text for name in names) else None


@contextlib.contextmanager
def _running(command: list[str | Path], settings: dict[str, str], directory: str) -> Iterator[None]:
    with open(Path(directory) / f"{Path(command[0]).name}.log", "wb") as log:
        process = subprocess.Popen(command, env=settings, cwd=directory, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def _until(ask: Callable[[], T | None]) -> T:
    """Asks until there is an answer."""
    until = time.monotonic() + PATIENCE_S
    why: object = "no answer"
    while time.monotonic() < until:
        try:
            answer = ask()
        except (OSError, urllib.error.URLError) as error:
            why, answer = error, None
        if answer:
            return answer
        time.sleep(0.2)
    raise SystemExit(f"the system did not do what the metrics are made of: {why}")


def _text(address: str, path: str, token: str = "") -> str:
    request = urllib.request.Request(f"http://{address}{path}", headers={"authorization": f"Bearer {token}"} if token else {})
    with urllib.request.urlopen(request, timeout=30) as answer:
        text: str = answer.read().decode()
        return text


def _ask(address: str, path: str, token: str, body: object = None) -> Any:
    request = urllib.request.Request(f"http://{address}{path}", headers={"authorization": f"Bearer {token}"})
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("content-type", "application/json")
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def _log_in(address: str) -> str | None:
    """A token, or nothing when there were too many attempts."""
    try:
        token: str = _ask(address, "/api/auth/login", "", {"username": "admin", "password": PASSWORD})["token"]
        return token
    except urllib.error.HTTPError as error:
        if error.code == 429:
            return None
        raise


def _speak_nonsense(address: str) -> None:
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(b"this is no TLS\r\n\r\n")
        # It is given up when the other end closes.
        connection.recv(64)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
