"""Client of the Utopia API: GPU claims, nodes, hosts, jobs, people and what happens to them.

from aiinfra import Client

client = Client("http://localhost:8080", token="…")
for claim in client.claims.list():
    print(claim.id, claim.status.phase)
"""

from . import errors, models
from ._async import AsyncStream
from ._client import AsyncClient, Client
from ._core import Response, Retry
from ._model import Model, Page
from ._sync import Stream
from .errors import (
    ApiError,
    BadRequest,
    Conflict,
    ConnectionFailed,
    CursorExpired,
    DeadlineExceeded,
    Error,
    Gone,
    InvalidResponse,
    NotFound,
    PermissionDenied,
    RateLimited,
    ServerError,
    Timeout,
    Unauthenticated,
    Unavailable,
    Unimplemented,
)

__all__ = [
    "ApiError",
    "AsyncClient",
    "AsyncStream",
    "BadRequest",
    "Client",
    "Conflict",
    "ConnectionFailed",
    "CursorExpired",
    "DeadlineExceeded",
    "Error",
    "Gone",
    "InvalidResponse",
    "Model",
    "NotFound",
    "Page",
    "PermissionDenied",
    "RateLimited",
    "Response",
    "Retry",
    "ServerError",
    "Stream",
    "Timeout",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "errors",
    "models",
]
