"""The clients."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Any

import httpx

from . import _core
from ._async import AsyncConnection
from ._async_services import AsyncServices
from ._core import Options, Response, Retry
from ._services import Services
from ._sync import Connection


class Client(Services):
    """Calls the control plane. It keeps connections: use one for everything, from any thread, and close it in the end.

    - base_url: The address of the API, e.g. `http://localhost:8080`.
    - token: The token of a log-in, an API token or a host's agent token.
    - timeout: How long one attempt may take, in seconds. Making a container may take minutes.
    - idle_timeout: How long a stream may be silent, in seconds; the server shows every 15 that it is alive.
    - retry: When calls are tried again.
    - on_response: Is shown the answer to each attempt, for logs and for headers such as `x-ratelimit-remaining`.
    - verify: Certificates to verify the server with: a file of them, a context, or `False` for not at all.
    - transport: What connects, in place of the network.
    """

    _owns_connections = True

    def __init__(
        self,
        base_url: str,
        *,
        token: str | None = None,
        timeout: float = Options.timeout,
        idle_timeout: float = Options.idle_timeout,
        retry: Retry = Options.retry,
        on_response: Callable[[Response], None] | None = None,
        verify: ssl.SSLContext | str | bool = True,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        http = httpx.Client(base_url=_core.address(base_url), verify=_core.verification(base_url, verify), transport=transport)
        self._use(Connection(http, Options(token, timeout, idle_timeout, retry, on_response)))

    def _use(self, connection: Connection) -> None:
        self._http = connection.http
        self._connection = connection
        Services.__init__(self, connection)

    def login(self, username: str, password: str) -> None:
        """Logs in, and makes further calls with the token of that, which lasts 24 hours."""
        token = self.iam.login(username=username, password=password).token
        self._connection.options = replace(self._connection.options, token=token)

    def with_options(
        self,
        *,
        token: str | None = None,
        timeout: float | None = None,
        idle_timeout: float | None = None,
        retry: Retry | None = None,
        on_response: Callable[[Response], None] | None = None,
    ) -> Client:
        """The same client with other options, over the same connections, which the first one closes."""
        given = {"token": token, "timeout": timeout, "idle_timeout": idle_timeout, "retry": retry, "on_response": on_response}
        other = object.__new__(type(self))
        other._owns_connections = False
        other._use(Connection(self._http, _core.changed(self._connection.options, given)))
        return other

    def request(
        self, method: str, path: str, *, query: dict[str, Any] | None = None, body: dict[str, Any] | None = None
    ) -> Any:
        """Calls an operation that this version of the package does not know, and gives its answer as it is."""
        return self._connection.call(object, method.upper(), path, query=query, body=body)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._http.base_url!r})"

    def close(self) -> None:
        """Closes all connections."""
        if self._owns_connections:
            self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class AsyncClient(AsyncServices):
    """`Client` with `await`: all of its arguments and methods are the same."""

    _owns_connections = True

    def __init__(
        self,
        base_url: str,
        *,
        token: str | None = None,
        timeout: float = Options.timeout,
        idle_timeout: float = Options.idle_timeout,
        retry: Retry = Options.retry,
        on_response: Callable[[Response], None] | None = None,
        verify: ssl.SSLContext | str | bool = True,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        http = httpx.AsyncClient(
            base_url=_core.address(base_url), verify=_core.verification(base_url, verify), transport=transport
        )
        self._use(AsyncConnection(http, Options(token, timeout, idle_timeout, retry, on_response)))

    def _use(self, connection: AsyncConnection) -> None:
        self._http = connection.http
        self._connection = connection
        AsyncServices.__init__(self, connection)

    async def login(self, username: str, password: str) -> None:
        """Logs in, and makes further calls with the token of that, which lasts 24 hours."""
        token = (await self.iam.login(username=username, password=password)).token
        self._connection.options = replace(self._connection.options, token=token)

    def with_options(
        self,
        *,
        token: str | None = None,
        timeout: float | None = None,
        idle_timeout: float | None = None,
        retry: Retry | None = None,
        on_response: Callable[[Response], None] | None = None,
    ) -> AsyncClient:
        """The same client with other options, over the same connections, which the first one closes."""
        given = {"token": token, "timeout": timeout, "idle_timeout": idle_timeout, "retry": retry, "on_response": on_response}
        other = object.__new__(type(self))
        other._owns_connections = False
        other._use(AsyncConnection(self._http, _core.changed(self._connection.options, given)))
        return other

    async def request(
        self, method: str, path: str, *, query: dict[str, Any] | None = None, body: dict[str, Any] | None = None
    ) -> Any:
        """Calls an operation that this version of the package does not know, and gives its answer as it is."""
        return await self._connection.call(object, method.upper(), path, query=query, body=body)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._http.base_url!r})"

    async def close(self) -> None:
        """Closes all connections."""
        if self._owns_connections:
            await self._http.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
