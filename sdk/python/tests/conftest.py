"""What tests need: a fake server, a control plane, and both clients behind one face."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import Any

import pytest
from fake import Fake

import aiinfra
from aiinfra import AsyncClient, Client, Retry


@pytest.fixture
def fake() -> Iterator[Fake]:
    """A server that answers as the test tells it."""
    server = Fake()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def other(fake: Fake) -> Iterator[Fake]:
    """Another server, which is not to be asked."""
    server = Fake()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the clients have waited between attempts; they do not really."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("aiinfra._sync.sleep", waited.append)
    monkeypatch.setattr("aiinfra._async.sleep", sleep)
    return waited


class Face:
    """Either client, called in the same way."""

    def __init__(self, is_async: bool) -> None:
        self.is_async = is_async

    def run(self, url: str, call: Any, **options: Any) -> Any:
        """What a call of a client gives: a value, or a list of what it iterates over."""
        options.setdefault("token", "a-token")
        if self.is_async:
            return asyncio.run(self._run_async(url, call, options))
        with Client(url, **options) as client:
            result = call(client)
            is_lazy = hasattr(result, "__next__")
            return list(result) if is_lazy else result

    @staticmethod
    async def _run_async(url: str, call: Any, options: dict[str, Any]) -> Any:
        async with AsyncClient(url, **options) as client:
            result = call(client)
            if hasattr(result, "__anext__"):
                return [item async for item in result]
            return await result


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def face(request: pytest.FixtureRequest) -> Face:
    """Both clients, one after the other."""
    return Face(request.param)


@pytest.fixture
def once() -> Retry:
    """No second attempt."""
    return Retry(attempts=1)


@pytest.fixture(scope="session")
def control_plane() -> str:
    """The address of a control plane."""
    url = os.environ.get("UTOPIA_SDK_URL", "")
    if not url:
        assert os.environ.get("CI") != "true", "there is no control plane: run sdk/test.sh"
        pytest.skip("skipped: there is no control plane; sdk/test.sh starts one")
    return url


@pytest.fixture(scope="session")
def password() -> str:
    """The password of its administrator."""
    return os.environ["UTOPIA_SDK_PASSWORD"]


@pytest.fixture
def admin(control_plane: str, password: str) -> Iterator[aiinfra.Client]:
    """A client of the control plane, logged in as its administrator."""
    with Client(control_plane) as client:
        client.login("admin", password)
        yield client
