"""The operations of the contract. Made from the OpenAPI document by `make sdk`; changes here are lost."""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import NoneType
from typing import Any

from . import _sync
from ._core import path as _path
from ._paging import PAGE_SIZE
from .models import (
    AccessKey,
    Account,
    ApiToken,
    AuditEvent,
    AuditLink,
    AuditResult,
    Bucket,
    ChangePasswordResponse,
    Claim,
    ClaimExplanation,
    ClaimPhase,
    ClaimSpecInput,
    Container,
    CreateContainerResponse,
    CreateHostResponse,
    DeleteMachineResponse,
    DeleteUserResponse,
    Delivery,
    DeliveryStatus,
    Deployment,
    Empty,
    Event,
    GpuSource,
    GpuStatus,
    Health,
    History,
    Host,
    HostHealth,
    HostStatus,
    HubServer,
    HubUser,
    Job,
    JobStatus,
    JoinToken,
    JupyterHubListUsersResponse,
    ListAccessKeysResponse,
    ListApiTokensResponse,
    ListAuditEventsResponse,
    ListBackendsResponse,
    ListBucketsResponse,
    ListClaimsResponse,
    ListClustersResponse,
    ListDeliveriesResponse,
    ListGpusResponse,
    ListHostGpusResponse,
    ListHostsResponse,
    ListJobsResponse,
    ListJoinTokensResponse,
    ListMachinesResponse,
    ListMetricsResponse,
    ListMinionsResponse,
    ListNodesResponse,
    ListRolesResponse,
    ListUsersResponse,
    ListWebhooksResponse,
    LogEntry,
    LoginResponse,
    LogoutResponse,
    Machine,
    MachineRole,
    MachineStatus,
    MaintenanceClaims,
    Minion,
    MinionStatus,
    MonitoringSystemMetrics,
    Node,
    NodeLossPolicy,
    NodeMetrics,
    NodeState,
    PortMappingInput,
    Progress,
    RegisterNodeResponse,
    ResourcesInput,
    RevokeAccessKeyResponse,
    RevokeApiTokenResponse,
    Role,
    SaltJob,
    Session,
    SlurmListNodesResponse,
    SubmitJobResponse,
    TargetType,
    TestToken,
    User,
    Webhook,
)


class IamService:
    """Operations of `client.iam`."""

    def __init__(self, connection: _sync.Connection) -> None:
        self._connection = connection

    def register(
        self,
        *,
        username: str,
        password: str,
    ) -> User:
        """Registers a new user with the role user.

        Errors: ALREADY_EXISTS when the user name is taken; INVALID_ARGUMENT when a field breaks its rule.

        Needs no credentials. Counts towards the limit of log-ins.

        - username: 3 to 64 letters, digits, `.`, `_` or `-`, beginning with a letter or digit. Unique without regard
          to case.
        - password: 8 to 256 bytes; well-known pairs of name and password are refused.
        """
        return self._connection.call(User, "POST", "/api/auth/register", body={"username": username, "password": password})

    def login(
        self,
        *,
        username: str,
        password: str,
    ) -> LoginResponse:
        """Exchanges a user name and password for a bearer token, valid for 24 hours.

        Errors: UNAUTHENTICATED, alike for an unknown user and a wrong password; RESOURCE_EXHAUSTED (`LoginLocked`)
        after too many failures in a row.

        Needs no credentials. Counts towards the limit of log-ins.

        - username: The user name.
        - password: The password.
        """
        return self._connection.call(
            LoginResponse, "POST", "/api/auth/login", body={"username": username, "password": password}
        )

    def list_roles(
        self,
    ) -> ListRolesResponse:
        """Lists the roles and their policies.

        Needs the role `operator` or `admin`. Counts towards the limit of administrators' operations.
        """
        return self._connection.call(ListRolesResponse, "GET", "/api/roles")

    def set_role_policy(
        self,
        role: str,
        *,
        allow_all: bool | None = None,
        max_gpu_count: int | None = None,
    ) -> Role:
        """Sets what a role allows; it holds for the next claim that is admitted.

        The policy of `admin` cannot be narrowed.

        Errors: NOT_FOUND for an unknown role; INVALID_ARGUMENT for a negative number.

        Needs the role `admin`. Counts towards the limit of administrators' operations.

        - role: The role's name.
        - allow_all: No limits.
        - max_gpu_count: The most GPUs that all live claims of one user may ask for together. Ignored under
          `allow_all`.
        """
        return self._connection.call(
            Role,
            "PUT",
            _path("/api/roles/{role}/policy", role=role),
            body={"allow_all": allow_all, "max_gpu_count": max_gpu_count},
        )


class AccountService:
    """Operations of `client.account`."""

    def __init__(self, connection: _sync.Connection) -> None:
        self._connection = connection

    def login(
        self,
        *,
        username: str,
        password: str,
    ) -> Session:
        """Exchanges a user name and password for a bearer token, valid for 24 hours.

        Errors: UNAUTHENTICATED (`InvalidCredentials`), alike for an unknown user and a wrong password;
        RESOURCE_EXHAUSTED (`LoginLocked`) after five failures in a row, for one second that doubles with each further
        failure up to 15 minutes.

        Needs no credentials. Counts towards the limit of log-ins.

        - username: The user name.
        - password: The password.
        """
        return self._connection.call(
            Session, "POST", "/api/v1/auth/login", body={"username": username, "password": password}, envelope=True
        )

    def register(
        self,
        *,
        username: str,
        password: str,
        email: str | None = None,
        role: str | None = None,
    ) -> Account:
        """Registers a new user.

        The role is `user`; only an administrator who is logged in may name another.

        Errors: ALREADY_EXISTS when the user name or the e-mail address is taken; INVALID_ARGUMENT when a field breaks
        its rule.

        Needs no credentials. Counts towards the limit of log-ins.

        - username: 3 to 64 letters, digits, `.`, `_` or `-`, beginning with a letter or digit. Unique without regard
          to case.
        - email: An e-mail address of at most 254 characters, unique without regard to case; may be left out.
        - password: 8 to 256 bytes; well-known pairs of name and password are refused.
        - role: Ignored unless an administrator calls; then as of CreateUser.
        """
        return self._connection.call(
            Account,
            "POST",
            "/api/v1/auth/register",
            body={"username": username, "email": email, "password": password, "role": role},
            envelope=True,
        )

    def refresh(
        self,
        *,
        token: str,
    ) -> Session:
        """Exchanges a token, valid or expired for at most ten minutes, for a new one.

        The old one is revoked.

        Errors: UNAUTHENTICATED for any other token, one that was revoked or exchanged before included.

        Needs no credentials. Counts towards the general limit.

        - token: The old token.
        """
        return self._connection.call(Session, "POST", "/api/v1/auth/refresh", body={"token": token}, envelope=True)

    def get_profile(
        self,
    ) -> Account:
        """The caller's own account.

        What another replica of the control plane changed shows within two seconds.

        Needs a person's token, of any role. Counts towards the general limit.
        """
        return self._connection.call(Account, "GET", "/api/v1/auth/profile", envelope=True)

    def logout(
        self,
    ) -> LogoutResponse:
        """Revokes the token it is called with.

        Errors: FAILED_PRECONDITION (`NotASession`) when called with an API token.

        Needs a person's token, of any role. Counts towards the general limit.
        """
        return self._connection.call(LogoutResponse, "POST", "/api/v1/auth/logout", envelope=True)

    def create_test_token(
        self,
    ) -> TestToken:
        """A token of a plain user for trying things out.

        It exists only under the development flag.

        Errors: NOT_FOUND without the flag.

        Needs no credentials. Counts towards the limit of log-ins.
        """
        return self._connection.call(TestToken, "GET", "/api/v1/auth/token", envelope=True)


class UsersService:
    """Operations of `client.users`."""

    def __init__(self, connection: _sync.Connection) -> None:
        self._connection = connection

    def list(
        self,
        *,
        page: int | None = None,
        limit: int | None = None,
        page_size: int | None = None,
        role: str | None = None,
        search: str | None = None,
    ) -> ListUsersResponse:
        """Lists users in the order in which they registered.

        Needs the role `admin`. Counts towards the limit of administrators' operations.

        - page: From 1.
        - limit: Users on a page: default 20, at most 100.
        - page_size: The same as `limit`.
        - role: Only users with this role.
        - search: Only users whose name or e-mail address contains this, without regard to case.
        """
        return self._connection.call(
            ListUsersResponse,
            "GET",
            "/api/v1/users",
            query={"page": page, "limit": limit, "page_size": page_size, "role": role, "search": search},
            envelope=True,
        )

    def iterate(
        self,
        *,
        role: str | None = None,
        search: str | None = None,
    ) -> Iterator[Account]:
        """All of what `list` gives in pages, fetched as it is consumed."""
        return self._connection.pages(lambda page: self.list(page=page, limit=PAGE_SIZE, role=role, search=search))

    def create(
        self,
        *,
        username: str,
        password: str,
        email: str | None = None,
        role: str | None = None,
    ) -> Account:
        """Makes a user with any role.

        Errors: ALREADY_EXISTS when the user name or the e-mail address is taken; INVALID_ARGUMENT when a field breaks
        its rule.

        Needs the role `admin`. Counts towards the limit of administrators' operations.

        - username: 3 to 64 letters, digits, `.`, `_` or `-`, beginning with a letter or digit. Unique without regard
          to case.
        - email: An e-mail address of at most 254 characters, unique without regard to case; may be left out.
        - password: 8 to 256 bytes; well-known pairs of name and password are refused.
        - role: `admin`, `operator`, `user` or `readonly`; `user` when left out.
        """
        return self._connection.call(
            Account,
            "POST",
            "/api/v1/users",
            body={"username": username, "email": email, "password": password, "role": role},
            envelope=True,
        )

    def get(
        self,
        id: str,
    ) -> Account:
        """One user.

        Needs a person's token, of any role. Reaches what is the caller's own; with the role `admin`, everybody's.
        Counts towards the general limit.

        - id: The user's id.
        """
        return self._connection.call(Account, "GET", _path("/api/v1/users/{id}", id=id), envelope=True)

    def update(
        self,
        id: str,
        *,
        email: str | None = None,
        role: str | None = None,
    ) -> Account:
        """Changes the e-mail address or the role; what is left out stays.

        A changed role ends all of the user's sessions at once; API tokens go on with at most the new role.

        Errors: NOT_FOUND, also for anybody else's account unless an administrator calls; PERMISSION_DENIED
        (`OwnRole`) for another role of one's own; ALREADY_EXISTS (`EmailTaken`); FAILED_PRECONDITION
        (`LastAdministrator`).

        Needs a person's token, of any role. Reaches what is the caller's own; with the role `admin`, everybody's.
        Counts towards the general limit.

        - id: The user's id.
        - email: The new e-mail address; empty for none.
        - role: The new role.
        """
        return self._connection.call(
            Account, "PUT", _path("/api/v1/users/{id}", id=id), body={"email": email, "role": role}, envelope=True
        )

    def delete(
        self,
        id: str,
        *,
        force: bool | None = None,
    ) -> DeleteUserResponse:
        """Deletes a user.

        All of their sessions and API tokens end at once, and the user name is free again.

        Errors: NOT_FOUND; FAILED_PRECONDITION (`LastAdministrator`; `UserHasClaims` while the user has live claims,
        unless `force`, which deletes these).

        Needs the role `admin`. Counts towards the limit of administrators' operations.

        - id: The user's id.
        - force: Delete the user's live claims as well.
        """
        return self._connection.call(
            DeleteUserResponse, "DELETE", _path("/api/v1/users/{id}", id=id), query={"force": force}, envelope=True
        )

    def change_password(
        self,
        id: str,
        *,
        new_password: str,
        old_password: str | None = None,
    ) -> ChangePasswordResponse:
        """Sets a new password, ends all of the user's sessions at once, and lifts a lock.

        An administrator needs no old one for somebody else. API tokens are not touched.

        Errors: NOT_FOUND; PERMISSION_DENIED when the old one is wrong (`WrongPassword`), or when called with an API
        token (`NotASession`); INVALID_ARGUMENT when the new one breaks its rule; RESOURCE_EXHAUSTED (`LoginLocked`)
        after too many failures in a row; FAILED_PRECONDITION (`UserChanged`) when somebody else changed the password
        meanwhile.

        Needs a person's token, of any role. Reaches what is the caller's own; with the role `admin`, everybody's.
        Counts towards the limit of log-ins.

        - id: The user's id.
        - old_password: The old password; not needed by an administrator for somebody else.
        - new_password: The new password: 8 to 256 bytes.
        """
        return self._connection.call(
            ChangePasswordResponse,
            "PUT",
            _path("/api/v1/users/{id}/password", id=id),
            body={"old_password": old_password, "new_password": new_password},
            envelope=True,
        )

    def unlock(
        self,
        id: str,
    ) -> Account:
        """Lifts the lock that too many failed log-ins put on a user.

        Needs the role `admin`. Counts towards the limit of administrators' operations.

        - id: The user's id.
        """
        return self._connection.call(Account, "POST", _path("/api/v1/users/{id}/unlock", id=id), envelope=True)


class ApiTokensService:
    """Operations of `client.api_tokens`."""

    def __init__(self, connection: _sync.Connection) -> None:
        self._connection = connection

    def list(
        self,
        *,
        page: int | None = None,
        limit: int | None = None,
    ) -> ListApiTokensResponse:
        """Lists API tokens that have not expired, without their secrets, newest first: the caller's, or for an
        administrator everybody's.

        Needs a person's token, of any role. Reaches what is the caller's own; with the role `admin`, everybody's.
        Counts towards the general limit.

        - page: From 1.
        - limit: Tokens on a page: default 20, at most 100.
        """
        return self._connection.call(
            ListApiTokensResponse, "GET", "/api/v1/tokens", query={"page": page, "limit": limit}, envelope=True
        )

    def iterate(
        self,
    ) -> Iterator[ApiToken]:
        """All of what `list` gives in pages, fetched as it is consumed."""
        return self._connection.pages(lambda page: self.list(page=page, limit=PAGE_SIZE))

    def create(
        self,
        *,
        name: str,
        role: str | None = None,
        ttl_seconds: int | None = None,
    ) -> ApiToken:
        """Makes an API token for the caller.

        The token is shown this once.

        Errors: ALREADY_EXISTS when the caller has a token of this name; INVALID_ARGUMENT when a field breaks its
        rule; PERMISSION_DENIED when the role is above the caller's (`RoleTooHigh`), or when called with an API token
        (`NotASession`); RESOURCE_EXHAUSTED (`TooManyApiTokens`) with 100 of them.

        Needs a person's token, of any role. Counts towards the general limit.

        - name: What it is for: 1 to 64 printable characters, unique among the caller's.
        - role: The most it may do: a role that is not above the caller's; the caller's own when left out.
        - ttl_seconds: Seconds until it expires: default 2592000 (30 days), at most 31536000 (a year).
        """
        return self._connection.call(
            ApiToken, "POST", "/api/v1/tokens", body={"name": name, "role": role, "ttl_seconds": ttl_seconds}, envelope=True
        )

    def revoke(
        self,
        id: str,
    ) -> RevokeApiTokenResponse:
        """Revokes an API token at once.

        Needs a person's token, of any role. Reaches what is the caller's own; with the role `admin`, everybody's.
        Counts towards the general limit.

        - id: The token's id.
        """
        return self._connection.call(RevokeApiTokenResponse, "DELETE", _path("/api/v1/tokens/{id}", id=id), envelope=True)


class NodeAgentService:
    """Operations of `client.node_agent`."""

    def __init__(self, connection: _sync.Connection) -> None:
        self._connection = connection

    def list_containers(
        self,
        *,
        node_id: str | None = None,
    ) -> builtins.list[Container]:
        """Lists the containers that the agent made, running or not, oldest first.

        At the control plane every request names the node; errors are then also NOT_FOUND for an unknown node,
        FAILED_PRECONDITION (`NodeNotOnline`) for one that is not connected, and UNAVAILABLE or DEADLINE_EXCEEDED when
        it does not answer. On the agent `node_id` may be empty and must otherwise be the agent's own.

        Needs the role `operator` or `admin`. Counts towards the general limit.

        - node_id: The node; see the service.
        """
        return self._connection.call(builtins.list[Container], "GET", "/api/v1/containers", query={"node_id": node_id})

    def create_container(
        self,
        *,
        claim_id: str,
        image: str,
        node_id: str | None = None,
        gpu_count: int | None = None,
        port_mappings: Sequence[PortMappingInput | Mapping[str, Any]] | None = None,
        env_vars: Sequence[str] | None = None,
        command: Sequence[str] | None = None,
        working_dir: str | None = None,
        volumes: Mapping[str, str] | None = None,
        memory_limit_mb: int | None = None,
        cpu_limit: float | None = None,
    ) -> CreateContainerResponse:
        """Creates and starts a container.

        It answers when the container runs, after a pull if need be, which may take minutes. `claim_id` is the
        idempotency key: the same claim with the same specification answers the same container. Errors: ALREADY_EXISTS
        for the same claim with another specification; FAILED_PRECONDITION when GPUs are short, a port is taken, or
        the image cannot be pulled; INVALID_ARGUMENT; UNAVAILABLE when the container runtime cannot be reached.

        At the control plane every request names the node; errors are then also NOT_FOUND for an unknown node,
        FAILED_PRECONDITION (`NodeNotOnline`) for one that is not connected, and UNAVAILABLE or DEADLINE_EXCEEDED when
        it does not answer. On the agent `node_id` may be empty and must otherwise be the agent's own.

        Needs the role `operator` or `admin`. Counts towards the general limit.

        - node_id: The node; see the service.
        - claim_id: What the container is for, and the idempotency key: 1 to 128 letters, digits, `.`, `_` or `-`.
        - image: The image, e.g. `registry.example:5000/team/train:1`. Pulled when it is not there.
        - gpu_count: How many GPUs it gets; 0 is valid.
        - port_mappings: Ports to open on the machine.
        - env_vars: Environment, each `NAME=value`.
        - command: Replaces the image's CMD when not empty.
        - working_dir: Absolute path; the image's when empty.
        - volumes: Host path to container path. Host paths must lie under the agent's allow-list.
        - memory_limit_mb: Memory limit in MiB; none when 0.
        - cpu_limit: CPU limit in cores; none when 0.
        """
        return self._connection.call(
            CreateContainerResponse,
            "POST",
            "/api/v1/containers",
            body={
                "node_id": node_id,
                "claim_id": claim_id,
                "image": image,
                "gpu_count": gpu_count,
                "port_mappings": port_mappings,
                "env_vars": env_vars,
                "command": command,
                "working_dir": working_dir,
                "volumes": volumes,
                "memory_limit_mb": memory_limit_mb,
                "cpu_limit": cpu_limit,
            },
        )

    def list_containers_by_node_id(
        self,
        node_id: str,
    ) -> builtins.list[Container]:
        """Lists the containers that the agent made, running or not, oldest first.

        At the control plane every request names the node; errors are then also NOT_FOUND for an unknown node,
        FAILED_PRECONDITION (`NodeNotOnline`) for one that is not connected, and UNAVAILABLE or DEADLINE_EXCEEDED when
        it does not answer. On the agent `node_id` may be empty and must otherwise be the agent's own.

        Needs the role `operator` or `admin`. Counts towards the general limit.

        - node_id: The node; see the service.
        """
        return self._connection.call(builtins.list[Container], "GET", _path("/api/nodes/{node_id}/containers", node_id=node_id))

    def create_container_by_node_id(
        self,
        node_id: str,
        *,
        claim_id: str,
        image: str,
        gpu_count: int | None = None,
        port_mappings: Sequence[PortMappingInput | Mapping[str, Any]] | None = None,
        env_vars: Sequence[str] | None = None,
        command: Sequence[str] | None = None,
        working_dir: str | None = None,
        volumes: Mapping[str, str] | None = None,
        memory_limit_mb: int | None = None,
        cpu_limit: float | None = None,
    ) -> CreateContainerResponse:
        """Creates and starts a container.

        It answers when the container runs, after a pull if need be, which may take minutes. `claim_id` is the
        idempotency key: the same claim with the same specification answers the same container. Errors: ALREADY_EXISTS
        for the same claim with another specification; FAILED_PRECONDITION when GPUs are short, a port is taken, or
        the image cannot be pulled; INVALID_ARGUMENT; UNAVAILABLE when the container runtime cannot be reached.

        At the control plane every request names the node; errors are then also NOT_FOUND for an unknown node,
        FAILED_PRECONDITION (`NodeNotOnline`) for one that is not connected, and UNAVAILABLE or DEADLINE_EXCEEDED when
        it does not answer. On the agent `node_id` may be empty and must otherwise be the agent's own.

        Needs the role `operator` or `admin`. Counts towards the general limit.

        - node_id: The node; see the service.
        - claim_id: What the container is for, and the idempotency key: 1 to 128 letters, digits, `.`, `_` or `-`.
        - image: The image, e.g. `registry.example:5000/team/train:1`. Pulled when it is not there.
        - gpu_count: How many GPUs it gets; 0 is valid.
        - port_mappings: Ports to open on the machine.
        - env_vars: Environment, each `NAME=value`.
        - command: Replaces the image's CMD when not empty.
        - working_dir: Absolute path; the image's when empty.
        - volumes: Host path to container path. Host paths must lie under the agent's allow-list.
        - memory_limit_mb: Memory limit in MiB; none when 0.
        - cpu_limit: CPU limit in cores; none when 0.
        """
        return self._connection.call(
            CreateContainerResponse,
            "POST",
            _path("/api/nodes/{node_id}/containers", node_id=node_id),
            body={
                "claim_id": claim_id,
                "image": image,
                "gpu_count": gpu_count,
                "port_mappings": port_mappings,
                "env_vars": env_vars,
                "command": command,
                "working_dir": working_dir,
                "volumes": volumes,
                "memory_limit_mb": memory_limit_mb,
                "cpu_limit": cpu_limit,
            },
        )

    def get_container(
        self,
        id: str,
        *,
        node_id: str | None = None,
    ) -> Container:
        """One container that the agent made.

        At the control plane every request names the node; errors are then also NOT_FOUND for an unknown node,
        FAILED_PRECONDITION (`NodeNotOnline`) for one that is not connected, and UNAVAILABLE or DEADLINE_EXCEEDED when
        it does not answer. On the agent `node_id` may be empty and must otherwise be the agent's own.

        Needs the role `operator` or `admin`. Counts towards the general limit.

        - id: The runtime's id, or an unambiguous beginning of 12 characters or more.
        - node_id: The node; see the service.
        """
        return self._connection.call(Container, "GET", _path("/api/v1/containers/{id}", id=id), query={"node_id": node_id})

    def delete_container(
        self,
        id: str,
        *,
        node_id: str | None = None,
        prefer: str | None = None,
    ) -> None:
        """Stops and removes a container that the agent made.

        Any other container is NOT_FOUND.

        At the control plane every request names the node; errors are then also NOT_FOUND for an unknown node,
        FAILED_PRECONDITION (`NodeNotOnline`) for one that is not connected, and UNAVAILABLE or DEADLINE_EXCEEDED when
        it does not answer. On the agent `node_id` may be empty and must otherwise be the agent's own.

        Needs the role `operator` or `admin`. Counts towards the general limit.

        - id: The runtime's id, or an unambiguous beginning of 12 characters or more.
        - node_id: The node; see the service.
        - prefer: With `return=representation` the answer is 200 with a body.
        """
        self._connection.call(
            NoneType, "DELETE", _path("/api/v1/containers/{id}", id=id), query={"node_id": node_id}, headers={"Prefer": prefer}
        )

    def get_container_by_node_id(
        self,
        node_id: str,
        id: str,
    ) -> Container:
        """One container that the agent made.

        At the control plane every request names the node; errors are then also NOT_FOUND for an unknown node,
        FAILED_PRECONDITION (`NodeNotOnline`) for one that is not connected, and UNAVAILABLE or DEADLINE_EXCEEDED when
        it does not answer. On the agent `node_id` may be empty and must otherwise be the agent's own.

        Needs the role `operator` or `admin`. Counts towards the general limit.

        - node_id: The node; see the service.
        - id: The runtime's id, or an unambiguous beginning of 12 characters or more.
        """
        return self._connection.call(Container, "GET", _path("/api/nodes/{node_id}/containers/{id}", node_id=node_id, id=id))

    def delete_container_by_node_id(
        self,
        node_id: str,
        id: str,
        *,
        prefer: str | None = None,
    ) -> None:
        """Stops and removes a container that the agent made.

        Any other container is NOT_FOUND.

        At the control plane every request names the node; errors are then also NOT_FOUND for an unknown node,
        FAILED_PRECONDITION (`NodeNotOnline`) for one that is not connected, and UNAVAILABLE or DEADLINE_EXCEEDED when
        it does not answer. On the agent `node_id` may be empty and must otherwise be the agent's own.

        Needs the role `operator` or `admin`. Counts towards the general limit.

        - node_id: The node; see the service.
        - id: The runtime's id, or an unambiguous beginning of 12 characters or more.
        - prefer: With `return=representation` the answer is 200 with a body.
        """
        self._connection.call(
            NoneType,
            "DELETE",
            _path("/api/nodes/{node_id}/containers/{id}", node_id=node_id, id=id),
            headers={"Prefer": prefer},
        )

    def stream_container_logs(
        self,
        id: str,
        *,
        node_id: str | None = None,
        follow: bool | None = None,
        tail: int | None = None,
        since: datetime | None = None,
    ) -> _sync.Stream[LogEntry]:
        """Sends what a container wrote to its standard output and error, oldest first; with follow until it ends.

        At most 16 at a time on one node. Errors: NOT_FOUND; FAILED_PRECONDITION (`LogsUnavailable`) where the
        container runtime keeps none; RESOURCE_EXHAUSTED; DEADLINE_EXCEEDED (`ReaderTooSlow`) for who takes nothing
        for five minutes while there is more.

        At the control plane every request names the node; errors are then also NOT_FOUND for an unknown node,
        FAILED_PRECONDITION (`NodeNotOnline`) for one that is not connected, and UNAVAILABLE or DEADLINE_EXCEEDED when
        it does not answer. On the agent `node_id` may be empty and must otherwise be the agent's own.

        Needs the role `operator` or `admin`. Counts towards the general limit.

        - id: The runtime's id, or an unambiguous beginning of 12 characters or more.
        - node_id: The node; see the service.
        - follow: Send what the container writes from now on as well, until it ends.
        - tail: Only the last so many entries; all when 0.
        - since: Only what was written then or later.
        """
        return self._connection.stream(
            LogEntry,
            "GET",
            _path("/api/v1/containers/{id}/logs", id=id),
            query={"node_id": node_id, "follow": follow, "tail": tail, "since": since},
        )

    def stream_container_logs_by_node_id(
        self,
        node_id: str,
        id: str,
        *,
        follow: bool | None = None,
        tail: int | None = None,
        since: datetime | None = None,
    ) -> _sync.Stream[LogEntry]:
        """Sends what a container wrote to its standard output and error, oldest first; with follow until it ends.

        At most 16 at a time on one node. Errors: NOT_FOUND; FAILED_PRECONDITION (`LogsUnavailable`) where the
        container runtime keeps none; RESOURCE_EXHAUSTED; DEADLINE_EXCEEDED (`ReaderTooSlow`) for who takes nothing
        for five minutes while there is more.

        At the control plane every request names the node; errors are then also NOT_FOUND for an unknown node,
        FAILED_PRECONDITION (`NodeNotOnline`) for one that is not connected, and UNAVAILABLE or DEADLINE_EXCEEDED when
        it does not answer. On the agent `node_id` may be empty and must otherwise be the agent's own.

        Needs the role `operator` or `admin`. Counts towards the general limit.

        - node_id: The node; see the service.
        - id: The runtime's id, or an unambiguous beginning of 12 characters or more.
        - follow: Send what the container writes from now on as well, until it ends.
        - tail: Only the last so many entries; all when 0.
        - since: Only what was written then or later.
        """
        return self._connection.stream(
            LogEntry,
            "GET",
            _path("/api/nodes/{node_id}/containers/{id}/logs", node_id=node_id, id=id),
            query={"follow": follow, "tail": tail, "since": since},
        )

    def get_metrics(
        self,
        *,
        node_id: str | None = None,
    ) -> NodeMetrics:
        """The node's readings, taken when asked.

        At the control plane every request names the node; errors are then also NOT_FOUND for an unknown node,
        FAILED_PRECONDITION (`NodeNotOnline`) for one that is not connected, and UNAVAILABLE or DEADLINE_EXCEEDED when
        it does not answer. On the agent `node_id` may be empty and must otherwise be the agent's own.

        Needs a person's token, of any role. Counts towards the general limit.

        - node_id: The node; see the service.
        """
        return self._connection.call(NodeMetrics, "GET", "/api/v1/metrics", query={"node_id": node_id})

    def get_metrics_by_node_id(
        self,
        node_id: str,
    ) -> NodeMetrics:
        """The node's readings, taken when asked.

        At the control plane every request names the node; errors are then also NOT_FOUND for an unknown node,
        FAILED_PRECONDITION (`NodeNotOnline`) for one that is not connected, and UNAVAILABLE or DEADLINE_EXCEEDED when
        it does not answer. On the agent `node_id` may be empty and must otherwise be the agent's own.

        Needs a person's token, of any role. Counts towards the general limit.

        - node_id: The node; see the service.
        """
        return self._connection.call(NodeMetrics, "GET", _path("/api/nodes/{node_id}/metrics", node_id=node_id))

    def get_health(
        self,
        *,
        node_id: str | None = None,
    ) -> Health:
        """Liveness.

        Without `node_id`, of the process that answers; with it, of that node (a token is then needed).

        On an agent: UNAVAILABLE when the container runtime cannot be reached; a missing GPU is no fault.

        At the control plane every request names the node; errors are then also NOT_FOUND for an unknown node,
        FAILED_PRECONDITION (`NodeNotOnline`) for one that is not connected, and UNAVAILABLE or DEADLINE_EXCEEDED when
        it does not answer. On the agent `node_id` may be empty and must otherwise be the agent's own.

        Needs no credentials.

        - node_id: The node; see the method.
        """
        return self._connection.call(Health, "GET", "/health", query={"node_id": node_id})

    def get_health_by_node_id(
        self,
        node_id: str,
    ) -> Health:
        """Liveness.

        Without `node_id`, of the process that answers; with it, of that node (a token is then needed).

        On an agent: UNAVAILABLE when the container runtime cannot be reached; a missing GPU is no fault.

        At the control plane every request names the node; errors are then also NOT_FOUND for an unknown node,
        FAILED_PRECONDITION (`NodeNotOnline`) for one that is not connected, and UNAVAILABLE or DEADLINE_EXCEEDED when
        it does not answer. On the agent `node_id` may be empty and must otherwise be the agent's own.

        Needs no credentials.

        - node_id: The node; see the method.
        """
        return self._connection.call(Health, "GET", _path("/api/nodes/{node_id}/health", node_id=node_id))


class NodesService:
    """Operations of `client.nodes`."""

    def __init__(self, connection: _sync.Connection) -> None:
        self._connection = connection

    def register(
        self,
        *,
        hostname: str,
        machine_id: str | None = None,
    ) -> RegisterNodeResponse:
        """Announces a machine.

        It gives no authority: the node stays `Pending` until an agent enrols as it with a join token, and a pending
        node is forgotten after a day.

        Needs no credentials. Counts towards the limit of log-ins.

        - hostname: 1 to 253 characters of a host name.
        - machine_id: A stable id of the machine, at most 128 characters. With it, registering again answers the same
          node while that is `Pending`.
        """
        return self._connection.call(
            RegisterNodeResponse, "POST", "/api/nodes/register", body={"hostname": hostname, "machine_id": machine_id}
        )

    def get_status(
        self,
        id: str,
    ) -> NodeMetrics:
        """The node's readings, asked of its agent over the link.

        Errors: NOT_FOUND; FAILED_PRECONDITION (`NodeNotOnline`); UNAVAILABLE or DEADLINE_EXCEEDED when the agent
        fails.

        Needs a person's token, of any role. Counts towards the general limit.

        - id: The node's id.
        """
        return self._connection.call(NodeMetrics, "GET", _path("/api/nodes/{id}/status", id=id))

    def list(
        self,
        *,
        page: int | None = None,
        limit: int | None = None,
        page_size: int | None = None,
        status: NodeState | str | None = None,
    ) -> ListNodesResponse:
        """Lists nodes by host name.

        Needs a person's token, of any role. Counts towards the general limit.

        - page: From 1.
        - limit: Nodes on a page: default 20, at most 100.
        - page_size: The same as `limit`.
        - status: Only nodes in this state.
        """
        return self._connection.call(
            ListNodesResponse,
            "GET",
            "/api/nodes",
            query={"page": page, "limit": limit, "page_size": page_size, "status": status},
        )

    def iterate(
        self,
        *,
        status: NodeState | str | None = None,
    ) -> Iterator[Node]:
        """All of what `list` gives in pages, fetched as it is consumed."""
        return self._connection.pages(lambda page: self.list(page=page, limit=PAGE_SIZE, status=status))

    def get(
        self,
        id: str,
    ) -> Node:
        """One node.

        Needs a person's token, of any role. Counts towards the general limit.

        - id: The node's id.
        """
        return self._connection.call(Node, "GET", _path("/api/nodes/{id}", id=id))

    def delete(
        self,
        id: str,
        *,
        force: bool | None = None,
        prefer: str | None = None,
    ) -> None:
        """Deletes a node: its certificates are refused from now on and its link is cut.

        Its containers are left as they are.

        Errors: NOT_FOUND; FAILED_PRECONDITION (`NodeHasClaims`) while live claims are placed there, unless `force`,
        which fails them.

        Needs the role `admin`. Counts towards the limit of administrators' operations.

        - id: The node's id.
        - force: Fail the live claims placed there.
        - prefer: With `return=representation` the answer is 200 with a body.
        """
        self._connection.call(
            NoneType, "DELETE", _path("/api/nodes/{id}", id=id), query={"force": force}, headers={"Prefer": prefer}
        )

    def approve(
        self,
        id: str,
    ) -> JoinToken:
        """Approves a pending node: answers a join token that enrols this node only, once, within an hour.

        Errors: NOT_FOUND; FAILED_PRECONDITION when the node is not `Pending`.

        Needs the role `admin`. Counts towards the limit of administrators' operations.

        - id: The node's id.
        """
        return self._connection.call(JoinToken, "POST", _path("/api/nodes/{id}/approve", id=id))


class JoinTokensService:
    """Operations of `client.join_tokens`."""

    def __init__(self, connection: _sync.Connection) -> None:
        self._connection = connection

    def list(
        self,
        *,
        page: int | None = None,
        limit: int | None = None,
    ) -> ListJoinTokensResponse:
        """Lists join tokens that can still be used, without their secrets, newest first.

        Needs the role `admin`. Counts towards the limit of administrators' operations.

        - page: From 1.
        - limit: Tokens on a page: default 20, at most 100.
        """
        return self._connection.call(ListJoinTokensResponse, "GET", "/api/join-tokens", query={"page": page, "limit": limit})

    def iterate(
        self,
    ) -> Iterator[JoinToken]:
        """All of what `list` gives in pages, fetched as it is consumed."""
        return self._connection.pages(lambda page: self.list(page=page, limit=PAGE_SIZE))

    def create(
        self,
        *,
        ttl_seconds: int | None = None,
        max_uses: int | None = None,
        description: str | None = None,
    ) -> JoinToken:
        """Makes a join token.

        The token is shown this once.

        Needs the role `admin`. Counts towards the limit of administrators' operations.

        - ttl_seconds: Seconds until it expires: default 3600, at most 2592000 (30 days).
        - max_uses: How many machines may join with it; 0 for any number.
        - description: What it is for, at most 200 characters.
        """
        return self._connection.call(
            JoinToken,
            "POST",
            "/api/join-tokens",
            body={"ttl_seconds": ttl_seconds, "max_uses": max_uses, "description": description},
        )

    def revoke(
        self,
        id: str,
        *,
        prefer: str | None = None,
    ) -> None:
        """Revokes a join token.

        Nodes that joined with it stay.

        Needs the role `admin`. Counts towards the limit of administrators' operations.

        - id: The token's id.
        - prefer: With `return=representation` the answer is 200 with a body.
        """
        self._connection.call(NoneType, "DELETE", _path("/api/join-tokens/{id}", id=id), headers={"Prefer": prefer})


class HostsService:
    """Operations of `client.hosts`."""

    def __init__(self, connection: _sync.Connection) -> None:
        self._connection = connection

    def list(
        self,
        *,
        page: int | None = None,
        page_size: int | None = None,
        limit: int | None = None,
        status: HostStatus | str | None = None,
        os_type: str | None = None,
        labels: str | None = None,
    ) -> ListHostsResponse:
        """Lists hosts in the order in which they came, so that pages stay the same while others are added.

        Errors: INVALID_ARGUMENT for a label selector that cannot be read.

        Needs a person's token, of any role. Counts towards the general limit.

        - page: From 1.
        - page_size: Hosts on a page: default 20, at most 100.
        - limit: The same as `page_size`.
        - status: Only hosts in this status.
        - os_type: Only hosts with this operating system.
        - labels: A label selector: `region=us-west,zone in (a,b),!retired`.
        """
        return self._connection.call(
            ListHostsResponse,
            "GET",
            "/api/v1/hosts",
            query={
                "page": page,
                "page_size": page_size,
                "limit": limit,
                "status": status,
                "os_type": os_type,
                "labels": labels,
            },
            envelope=True,
        )

    def iterate(
        self,
        *,
        status: HostStatus | str | None = None,
        os_type: str | None = None,
        labels: str | None = None,
    ) -> Iterator[Host]:
        """All of what `list` gives in pages, fetched as it is consumed."""
        return self._connection.pages(
            lambda page: self.list(page=page, limit=PAGE_SIZE, status=status, os_type=os_type, labels=labels)
        )

    def create(
        self,
        *,
        name: str,
        ip_address: str | None = None,
        os_type: str | None = None,
        os_version: str | None = None,
        deployment_mode: str | None = None,
        total_cpu: int | None = None,
        total_memory: int | None = None,
        total_disk: int | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> CreateHostResponse:
        """Registers a host and answers its agent token, which is shown this once.

        The token serves heartbeats over REST, and can be exchanged once for the certificate of an agent.

        Errors: ALREADY_EXISTS when a host has this name; INVALID_ARGUMENT when a field breaks its rule.

        Needs the role `admin`. Counts towards the limit of administrators' operations.

        - name: 1 to 128 printable characters, unique without regard to case.
        - ip_address: An IPv4 or IPv6 address; may be left out.
        - os_type: `linux` or `windows`; `linux` when left out.
        - os_version: At most 128 characters.
        - deployment_mode: `traditional`, `container` or `kubernetes`; `traditional` when left out.
        - total_cpu: Logical CPUs.
        - total_memory: Bytes.
        - total_disk: Bytes.
        - labels: Keys and values by the rules of Kubernetes labels; at most 64.
        """
        return self._connection.call(
            CreateHostResponse,
            "POST",
            "/api/v1/hosts",
            body={
                "name": name,
                "ip_address": ip_address,
                "os_type": os_type,
                "os_version": os_version,
                "deployment_mode": deployment_mode,
                "total_cpu": total_cpu,
                "total_memory": total_memory,
                "total_disk": total_disk,
                "labels": labels,
            },
            envelope=True,
        )

    def get(
        self,
        host_id: str,
    ) -> Host:
        """One host.

        Needs a person's token, of any role. Counts towards the general limit.

        - host_id: The host's id.
        """
        return self._connection.call(Host, "GET", _path("/api/v1/hosts/{host_id}", host_id=host_id), envelope=True)

    def update(
        self,
        host_id: str,
        *,
        name: str | None = None,
        labels: Mapping[str, Any] | None = None,
        ip_address: str | None = None,
        os_version: str | None = None,
        deployment_mode: str | None = None,
    ) -> Host:
        """Changes what is given; the rest stays.

        Errors: NOT_FOUND; ALREADY_EXISTS when another host has the name; INVALID_ARGUMENT when a field breaks its
        rule.

        Needs the role `admin`. Counts towards the limit of administrators' operations.

        - host_id: The host's id.
        - name: 1 to 128 printable characters, unique without regard to case.
        - labels: All of the administrator's labels, an object of strings; it replaces the old ones.
        - ip_address: An IPv4 or IPv6 address; empty for none.
        - os_version: At most 128 characters.
        - deployment_mode: `traditional`, `container` or `kubernetes`.
        """
        return self._connection.call(
            Host,
            "PUT",
            _path("/api/v1/hosts/{host_id}", host_id=host_id),
            body={
                "name": name,
                "labels": labels,
                "ip_address": ip_address,
                "os_version": os_version,
                "deployment_mode": deployment_mode,
            },
            envelope=True,
        )

    def delete(
        self,
        host_id: str,
        *,
        force: bool | None = None,
        prefer: str | None = None,
    ) -> None:
        """Deletes a host: its agent token and its certificates are refused from now on and its link is cut.

        With `Prefer: return=representation` the answer is 200 with a body.

        Errors: NOT_FOUND; FAILED_PRECONDITION (`NodeHasClaims`) while live claims are placed there, unless `force`,
        which fails them.

        Needs the role `admin`. Counts towards the limit of administrators' operations.

        - host_id: The host's id.
        - force: Fail the live claims placed there.
        - prefer: With `return=representation` the answer is 200 with a body.
        """
        self._connection.call(
            NoneType,
            "DELETE",
            _path("/api/v1/hosts/{host_id}", host_id=host_id),
            query={"force": force},
            headers={"Prefer": prefer},
        )

    def list_gpus(
        self,
        host_id: str,
    ) -> ListHostGpusResponse:
        """The host's GPUs, by index.

        Needs a person's token, of any role. Counts towards the general limit.

        - host_id: The host's id.
        """
        return self._connection.call(
            ListHostGpusResponse, "GET", _path("/api/v1/hosts/{host_id}/gpus", host_id=host_id), envelope=True
        )

    def report_heartbeat(
        self,
        host_id: str,
        *,
        status: str | None = None,
        health_status: HostHealth | str | None = None,
        used_cpu: float | None = None,
        used_memory: int | None = None,
        used_gpu: int | None = None,
    ) -> Empty:
        """The heartbeat of a host that has no agent on the link.

        `status` is a hint: the server derives it, and maintenance stays.

        Errors: PERMISSION_DENIED with another host's token.

        Needs the agent token of the host.

        - host_id: The host's id.
        - status: A hint.
        - health_status: How it is.
        - used_cpu: CPUs in use.
        - used_memory: Bytes in use.
        - used_gpu: GPUs in use.
        """
        return self._connection.call(
            Empty,
            "POST",
            _path("/api/v1/hosts/{host_id}/heartbeat", host_id=host_id),
            body={
                "status": status,
                "health_status": health_status,
                "used_cpu": used_cpu,
                "used_memory": used_memory,
                "used_gpu": used_gpu,
            },
            envelope=True,
        )

    def rotate_agent_token(
        self,
        host_id: str,
    ) -> CreateHostResponse:
        """Makes a new agent token, which is shown this once.

        The old one is refused from now on; an agent with a certificate stays.

        Needs the role `admin`. Counts towards the limit of administrators' operations.

        - host_id: The host's id.
        """
        return self._connection.call(
            CreateHostResponse, "POST", _path("/api/v1/hosts/{host_id}/agent-token", host_id=host_id), envelope=True
        )

    def set_maintenance(
        self,
        host_id: str,
        *,
        reason: str | None = None,
        claims: MaintenanceClaims | str | None = None,
    ) -> Host:
        """Puts a host into maintenance: no new claims are placed there.

        Those that are there stay, or are moved to other hosts. Calling it again changes reason and choice.

        Needs the role `operator` or `admin`. Counts towards the limit of administrators' operations.

        - host_id: The host's id.
        - reason: Why, at most 200 characters.
        - claims: What happens to the claims that are there; `keep` when left out.
        """
        return self._connection.call(
            Host,
            "PUT",
            _path("/api/v1/hosts/{host_id}/maintenance", host_id=host_id),
            body={"reason": reason, "claims": claims},
            envelope=True,
        )

    def end_maintenance(
        self,
        host_id: str,
    ) -> Host:
        """Ends a host's maintenance; nothing changes when it is in none.

        Needs the role `operator` or `admin`. Counts towards the limit of administrators' operations.

        - host_id: The host's id.
        """
        return self._connection.call(
            Host, "DELETE", _path("/api/v1/hosts/{host_id}/maintenance", host_id=host_id), envelope=True
        )


class MachinesService:
    """Operations of `client.machines`."""

    def __init__(self, connection: _sync.Connection) -> None:
        self._connection = connection

    def list(
        self,
        *,
        page: int | None = None,
        limit: int | None = None,
        page_size: int | None = None,
        status: MachineStatus | str | None = None,
        role: MachineRole | str | None = None,
        labels: str | None = None,
    ) -> ListMachinesResponse:
        """Lists machines in the order in which they were added.

        Needs a person's token, of any role. Counts towards the general limit.

        - page: From 1.
        - limit: Machines on a page: default 10, at most 100.
        - page_size: The same as `limit`.
        - status: Only machines in this status.
        - role: Only machines for this.
        - labels: A label selector: `rack=rack1,!old`.
        """
        return self._connection.call(
            ListMachinesResponse,
            "GET",
            "/api/v1/machines",
            query={"page": page, "limit": limit, "page_size": page_size, "status": status, "role": role, "labels": labels},
            envelope=True,
        )

    def iterate(
        self,
        *,
        status: MachineStatus | str | None = None,
        role: MachineRole | str | None = None,
        labels: str | None = None,
    ) -> Iterator[Machine]:
        """All of what `list` gives in pages, fetched as it is consumed."""
        return self._connection.pages(
            lambda page: self.list(page=page, limit=PAGE_SIZE, status=status, role=role, labels=labels)
        )

    def create(
        self,
        *,
        name: str,
        ip_address: str,
        user: str,
        role: MachineRole | str,
        internal_address: str | None = None,
        password: str | None = None,
        artifact_path: str | None = None,
        image_repo: str | None = None,
        registry_address: str | None = None,
        labels: Mapping[str, str] | None = None,
        ssh_port: int | None = None,
        private_key: str | None = None,
        host_key: str | None = None,
    ) -> Machine:
        """Adds a machine.

        Whether it can be reached is checked soon after.

        Errors: ALREADY_EXISTS when a machine has this name, or this address and port; INVALID_ARGUMENT when a field
        breaks its rule.

        Needs the role `operator` or `admin`. Counts towards the limit of administrators' operations.

        - name: 1 to 128 printable characters, unique without regard to case.
        - ip_address: An IPv4 or IPv6 address or a host name.
        - internal_address: An address or host name; may be left out.
        - user: The user to log in as: 1 to 32 characters of a Unix user name.
        - password: At most 1024 bytes. It is sealed and never shown. A password or a private key is needed.
        - role: What it is for.
        - artifact_path: A relative or absolute path of at most 1024 bytes without `..`; may be left out.
        - image_repo: At most 512 characters; may be left out.
        - registry_address: A host with an optional port; may be left out.
        - labels: Keys and values by the rules of Kubernetes labels; at most 64.
        - ssh_port: The port of SSH; 22 when left out.
        - private_key: A private key as OpenSSH or PEM writes it, without a passphrase; at most 16 KiB. It is sealed
          and never shown. It is tried before the password.
        - host_key: The host key to expect, as OpenSSH writes it; the first one seen when left out.
        """
        return self._connection.call(
            Machine,
            "POST",
            "/api/v1/machines",
            body={
                "name": name,
                "ip_address": ip_address,
                "internal_address": internal_address,
                "user": user,
                "password": password,
                "role": role,
                "artifact_path": artifact_path,
                "image_repo": image_repo,
                "registry_address": registry_address,
                "labels": labels,
                "ssh_port": ssh_port,
                "private_key": private_key,
                "host_key": host_key,
            },
            envelope=True,
        )

    def get(
        self,
        id: str,
    ) -> Machine:
        """One machine.

        Needs a person's token, of any role. Counts towards the general limit.

        - id: The machine's id.
        """
        return self._connection.call(Machine, "GET", _path("/api/v1/machines/{id}", id=id), envelope=True)

    def update(
        self,
        id: str,
        *,
        name: str,
        ip_address: str,
        user: str,
        role: MachineRole | str,
        internal_address: str | None = None,
        password: str | None = None,
        artifact_path: str | None = None,
        image_repo: str | None = None,
        registry_address: str | None = None,
        labels: Mapping[str, str] | None = None,
        ssh_port: int | None = None,
        private_key: str | None = None,
        host_key: str | None = None,
    ) -> Machine:
        """Replaces what is known of a machine.

        Password and private key stay when they are left out. When the address, the port, the user or a credential
        changes, it is checked anew.

        Errors: as of adding; NOT_FOUND.

        Needs the role `operator` or `admin`. Counts towards the limit of administrators' operations.

        - id: The machine's id.
        - name: 1 to 128 printable characters, unique without regard to case.
        - ip_address: An IPv4 or IPv6 address or a host name.
        - internal_address: An address or host name; may be left out.
        - user: The user to log in as.
        - password: A new password; the old one stays when left out.
        - role: What it is for.
        - artifact_path: A path of at most 1024 bytes without `..`; may be left out.
        - image_repo: At most 512 characters; may be left out.
        - registry_address: A host with an optional port; may be left out.
        - labels: Keys and values by the rules of Kubernetes labels; at most 64.
        - ssh_port: The port of SSH; 22 when left out.
        - private_key: A new private key; the old one stays when left out.
        - host_key: The host key to expect. When left out, the pinned one stays, unless address or port change: then
          the next one seen is pinned.
        """
        return self._connection.call(
            Machine,
            "PUT",
            _path("/api/v1/machines/{id}", id=id),
            body={
                "name": name,
                "ip_address": ip_address,
                "internal_address": internal_address,
                "user": user,
                "password": password,
                "role": role,
                "artifact_path": artifact_path,
                "image_repo": image_repo,
                "registry_address": registry_address,
                "labels": labels,
                "ssh_port": ssh_port,
                "private_key": private_key,
                "host_key": host_key,
            },
            envelope=True,
        )

    def delete(
        self,
        id: str,
    ) -> DeleteMachineResponse:
        """Deletes a machine with its credentials.

        Errors: NOT_FOUND; FAILED_PRECONDITION (`MachineInUse`) while it is `in_use` or `deploying`.

        Needs the role `operator` or `admin`. Counts towards the limit of administrators' operations.

        - id: The machine's id.
        """
        return self._connection.call(DeleteMachineResponse, "DELETE", _path("/api/v1/machines/{id}", id=id), envelope=True)

    def set_status(
        self,
        id: str,
        *,
        status: MachineStatus | str,
        message: str | None = None,
    ) -> Machine:
        """Sets the status by hand.

        The next check takes `available`, `unavailable` and `error` back to what it finds; `maintenance` stays.

        Errors: NOT_FOUND; INVALID_ARGUMENT for a status that is not set by hand; FAILED_PRECONDITION (`MachineInUse`)
        while it is `in_use` or `deploying`.

        Needs the role `operator` or `admin`. Counts towards the limit of administrators' operations.

        - id: The machine's id.
        - status: `available`, `unavailable`, `maintenance` or `error`.
        - message: Why, at most 500 characters.
        """
        return self._connection.call(
            Machine,
            "PUT",
            _path("/api/v1/machines/{id}/status", id=id),
            body={"status": status, "message": message},
            envelope=True,
        )

    def check(
        self,
        id: str,
    ) -> Machine:
        """Checks now whether the machine can be reached and logged in to over SSH, and answers what was found in status
        and message.

        The host key seen at the first log-in is pinned.

        Errors: NOT_FOUND.

        Needs the role `operator` or `admin`. Counts towards the limit of administrators' operations.

        - id: The machine's id.
        """
        return self._connection.call(Machine, "POST", _path("/api/v1/machines/{id}/check", id=id), envelope=True)


class AuditService:
    """Operations of `client.audit`."""

    def __init__(self, connection: _sync.Connection) -> None:
        self._connection = connection

    def list_events(
        self,
        *,
        page: int | None = None,
        limit: int | None = None,
        page_size: int | None = None,
        event_type: str | None = None,
        action: str | None = None,
        user: str | None = None,
        result: AuditResult | str | None = None,
        resource_id: str | None = None,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
    ) -> ListAuditEventsResponse:
        """Lists events, newest first.

        Errors: INVALID_ARGUMENT when `start_time` is not before `end_time`.

        Needs the role `admin`. Counts towards the limit of administrators' operations.

        - page: From 1.
        - limit: Events on a page: default 20, at most 100.
        - page_size: The same as `limit`.
        - event_type: Only events of this kind of resource, e.g. `claim`.
        - action: Only this action, e.g. `CreateClaim`.
        - user: Only events of this user name.
        - result: Only events with this result.
        - resource_id: Only events of this resource.
        - start_time: Only events from then on.
        - end_time: Only events before then.
        """
        return self._connection.call(
            ListAuditEventsResponse,
            "GET",
            "/api/v1/audit",
            query={
                "page": page,
                "limit": limit,
                "page_size": page_size,
                "event_type": event_type,
                "action": action,
                "user": user,
                "result": result,
                "resource_id": resource_id,
                "start_time": start_time,
                "end_time": end_time,
            },
            envelope=True,
        )

    def iterate_events(
        self,
        *,
        event_type: str | None = None,
        action: str | None = None,
        user: str | None = None,
        result: AuditResult | str | None = None,
        resource_id: str | None = None,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
    ) -> Iterator[AuditEvent]:
        """All of what `list_events` gives in pages, fetched as it is consumed."""
        return self._connection.pages(
            lambda page: self.list_events(
                page=page,
                limit=PAGE_SIZE,
                event_type=event_type,
                action=action,
                user=user,
                result=result,
                resource_id=resource_id,
                start_time=start_time,
                end_time=end_time,
            )
        )

    def get_event(
        self,
        id: str,
    ) -> AuditEvent:
        """One event.

        Needs the role `admin`. Counts towards the limit of administrators' operations.

        - id: The event's id.
        """
        return self._connection.call(AuditEvent, "GET", _path("/api/v1/audit/{id}", id=id), envelope=True)

    def export_chain(
        self,
        *,
        after_sequence: int | None = None,
    ) -> _sync.Stream[AuditLink]:
        """The links of the chain, oldest first, up to the newest at the time of the call.

        With them anybody can prove the chain: each hash is the SHA-256 of the hash before, as lower-case hex, and the
        payload.

        Needs the role `admin`. Counts towards the limit of administrators' operations.

        - after_sequence: Links after this sequence only.
        """
        return self._connection.stream(AuditLink, "GET", "/api/v1/audit/chain", query={"after_sequence": after_sequence})


class ClaimsService:
    """Operations of `client.claims`."""

    def __init__(self, connection: _sync.Connection) -> None:
        self._connection = connection

    def list(
        self,
        *,
        page: int | None = None,
        limit: int | None = None,
        page_size: int | None = None,
        phase: ClaimPhase | str | None = None,
    ) -> ListClaimsResponse:
        """Lists claims, newest first.

        Needs a person's token, of any role. Reaches what is the caller's own; with the role `operator` or `admin`,
        everybody's. Counts towards the general limit.

        - page: From 1.
        - limit: Claims on a page: default 20, at most 100.
        - page_size: The same as `limit`.
        - phase: Only claims in this phase.
        """
        return self._connection.call(
            ListClaimsResponse,
            "GET",
            "/api/gpu-claims",
            query={"page": page, "limit": limit, "page_size": page_size, "phase": phase},
        )

    def iterate(
        self,
        *,
        phase: ClaimPhase | str | None = None,
    ) -> Iterator[Claim]:
        """All of what `list` gives in pages, fetched as it is consumed."""
        return self._connection.pages(lambda page: self.list(page=page, limit=PAGE_SIZE, phase=phase))

    def create(
        self,
        *,
        spec: ClaimSpecInput | Mapping[str, Any] | None = None,
        request_id: str | None = None,
        image: str | None = None,
        resources: ResourcesInput | Mapping[str, Any] | None = None,
        command: Sequence[str] | None = None,
        env: Sequence[str] | None = None,
        working_dir: str | None = None,
        ports: Sequence[PortMappingInput | Mapping[str, Any]] | None = None,
        volumes: Mapping[str, str] | None = None,
        on_node_loss: NodeLossPolicy | str | None = None,
        reschedule_after_seconds: int | None = None,
    ) -> Claim:
        """Accepts a claim.

        It is placed and started in the background.

        Errors: PERMISSION_DENIED (`QuotaExceeded`) when the user's live claims and this one exceed the role's policy;
        INVALID_ARGUMENT. A claim for which no machine has room is accepted and stays `Pending`.

        Needs the role `user`, `operator` or `admin`. Counts towards the general limit.

        - spec: What is wanted.
        - request_id: A key of the caller's, at most 128 characters: the same user and key answer the claim made
          first.
        - image: The image, e.g. `registry.example:5000/team/train:1`; at most 512 characters.
        - resources: How much of a machine.
        - command: Replaces the image's CMD when not empty.
        - env: Environment, each `NAME=value`.
        - working_dir: Absolute path; the image's when empty.
        - ports: Ports to open on the machine.
        - volumes: Host path to container path; host paths must lie under the allow-list of the node's agent.
        - on_node_loss: What happens when the node is lost.
        - reschedule_after_seconds: How long a node must be lost before the claim is placed elsewhere, under
          `reschedule`, in seconds. The server's setting (default 30) when 0.
        """
        return self._connection.call(
            Claim,
            "POST",
            "/api/gpu-claims",
            body={
                "spec": spec,
                "request_id": request_id,
                "image": image,
                "resources": resources,
                "command": command,
                "env": env,
                "workingDir": working_dir,
                "ports": ports,
                "volumes": volumes,
                "onNodeLoss": on_node_loss,
                "rescheduleAfterSeconds": reschedule_after_seconds,
            },
            key="request_id",
        )

    def get(
        self,
        id: str,
    ) -> Claim:
        """One claim.

        Needs a person's token, of any role. Reaches what is the caller's own; with the role `operator` or `admin`,
        everybody's. Counts towards the general limit.

        - id: The claim's id.
        """
        return self._connection.call(Claim, "GET", _path("/api/gpu-claims/{id}", id=id))

    def delete(
        self,
        id: str,
        *,
        prefer: str | None = None,
    ) -> None:
        """Deletes a claim.

        It is gone at once for its owner; its container is removed in the background, or, when its node is offline, as
        soon as that returns. Its GPUs are free when the container is gone.

        Needs the role `user`, `operator` or `admin`. Reaches what is the caller's own; with the role `operator` or
        `admin`, everybody's. Counts towards the general limit.

        - id: The claim's id.
        - prefer: With `return=representation` the answer is 200 with a body.
        """
        self._connection.call(NoneType, "DELETE", _path("/api/gpu-claims/{id}", id=id), headers={"Prefer": prefer})

    def explain(
        self,
        id: str,
    ) -> ClaimExplanation:
        """Says why a claim waits: its place in the queue, and what each node and GPU lacks.

        Needs a person's token, of any role. Reaches what is the caller's own; with the role `operator` or `admin`,
        everybody's. Counts towards the general limit.

        - id: The claim's id.
        """
        return self._connection.call(ClaimExplanation, "GET", _path("/api/gpu-claims/{id}/explain", id=id))

    def watch(
        self,
        id: str,
    ) -> _sync.Stream[Claim]:
        """Sends the claim now and after each change, until it has ended or is deleted.

        Needs a person's token, of any role. Reaches what is the caller's own; with the role `operator` or `admin`,
        everybody's. Counts towards the general limit.

        - id: The claim's id.
        """
        return self._connection.stream(Claim, "GET", _path("/api/gpu-claims/{id}/watch", id=id))

    def stream_logs(
        self,
        id: str,
        *,
        follow: bool | None = None,
        tail: int | None = None,
        since: datetime | None = None,
    ) -> _sync.Stream[LogEntry]:
        """Sends what the claim's container wrote to its standard output and error, oldest first; with follow until it
        ends.

        A container's logs go with it: a claim that is placed anew has those of its new container only.

        Errors: NOT_FOUND; FAILED_PRECONDITION (`NoContainer`) while the claim has none, (`NodeNotOnline`); and as of
        NodeAgentService.StreamContainerLogs.

        Needs a person's token, of any role. Reaches what is the caller's own; with the role `operator` or `admin`,
        everybody's. Counts towards the general limit.

        - id: The claim's id.
        - follow: Send what the container writes from now on as well, until it ends.
        - tail: Only the last so many entries; all when 0.
        - since: Only what was written then or later.
        """
        return self._connection.stream(
            LogEntry, "GET", _path("/api/gpu-claims/{id}/logs", id=id), query={"follow": follow, "tail": tail, "since": since}
        )


class EventsService:
    """Operations of `client.events`."""

    def __init__(self, connection: _sync.Connection) -> None:
        self._connection = connection

    def watch(
        self,
        *,
        cursor: str | None = None,
        types: Sequence[str] | None = None,
        resource_id: str | None = None,
        once: bool | None = None,
        last_event_id: str | None = None,
    ) -> _sync.Stream[Event]:
        """Sends events from a cursor on, and those that come.

        The first message, and one for every half minute in which there is nothing to tell, is a bookmark: an event of
        type `bookmark` that has only a cursor. People see events of their own claims and jobs, and of nodes and
        hosts; operators and administrators see all. What is written to the audit log is told as `audit.<resource>` to
        administrators who name such types; it has its own place in the cursor, and within a second of time it may
        come before or after what it tells of.

        Errors: PERMISSION_DENIED (`AdministratorsOnly`) for types of the audit log; OUT_OF_RANGE (`CursorExpired`)
        when events after the cursor are gone already: list what is watched, and begin anew.

        Needs a person's token, of any role. Reaches what is the caller's own; with the role `operator` or `admin`,
        everybody's. Counts towards the general limit.

        - cursor: Events after this one, by its `cursor`; only those that come when empty; from the oldest that is
          kept for `0`. A cursor that comes from watching without the audit log is at the end of that.
        - types: Only these types; `claim.*` is all types of claims. All when empty, and for `*`, but those of the
          audit log, which begin with `audit.`.
        - resource_id: Only events of this resource, by its id.
        - once: End when nothing more is there.
        - last_event_id: The `id` of the last event that was seen; it wins over the parameter.
        """
        return self._connection.stream(
            Event,
            "GET",
            "/api/events",
            query={"cursor": cursor, "types": types, "resource_id": resource_id, "once": once},
            resumable=True,
            last_event_id=last_event_id,
        )


class JupyterHubService:
    """Operations of `client.jupyterhub`."""

    def __init__(self, connection: _sync.Connection) -> None:
        self._connection = connection

    def list_users(
        self,
        *,
        page: int | None = None,
        limit: int | None = None,
        page_size: int | None = None,
    ) -> JupyterHubListUsersResponse:
        """Lists the hub's users by name.

        Needs a person's token, of any role. Reaches what is the caller's own; with the role `operator` or `admin`,
        everybody's. Counts towards the general limit.

        - page: From 1.
        - limit: Users on a page: default 20, at most 100.
        - page_size: The same as `limit`.
        """
        return self._connection.call(
            JupyterHubListUsersResponse,
            "GET",
            "/api/jupyterhub/users",
            query={"page": page, "limit": limit, "page_size": page_size},
        )

    def iterate_users(
        self,
    ) -> Iterator[HubUser]:
        """All of what `list_users` gives in pages, fetched as it is consumed."""
        return self._connection.pages(lambda page: self.list_users(page=page, limit=PAGE_SIZE))

    def create_user(
        self,
        *,
        username: str,
        admin: bool | None = None,
    ) -> HubUser:
        """Adds a user to the hub.

        Errors: ALREADY_EXISTS; INVALID_ARGUMENT for a name that the hub does not take.

        Needs the role `operator` or `admin`. Counts towards the limit of administrators' operations.

        - username: The name, at most 64 characters: letters, digits, `-`, `_`, `.` and `@`.
        - admin: Whether they administrate the hub.
        """
        return self._connection.call(HubUser, "POST", "/api/jupyterhub/users", body={"username": username, "admin": admin})

    def get_user(
        self,
        username: str,
    ) -> HubUser:
        """One user with all servers.

        Needs a person's token, of any role. Reaches what is the caller's own; with the role `operator` or `admin`,
        everybody's. Counts towards the general limit.

        - username: The name.
        """
        return self._connection.call(HubUser, "GET", _path("/api/jupyterhub/users/{username}", username=username))

    def delete_user(
        self,
        username: str,
        *,
        prefer: str | None = None,
    ) -> None:
        """Removes a user from the hub.

        Their servers are stopped.

        Errors: NOT_FOUND; FAILED_PRECONDITION (`JupyterHubDeclined`) while one of their servers is still stopping.

        Needs the role `operator` or `admin`. Counts towards the limit of administrators' operations.

        - username: The name.
        - prefer: With `return=representation` the answer is 200 with a body.
        """
        self._connection.call(
            NoneType, "DELETE", _path("/api/jupyterhub/users/{username}", username=username), headers={"Prefer": prefer}
        )

    def start_server(
        self,
        username: str,
        *,
        server_name: str | None = None,
    ) -> HubServer:
        """Starts a user's server.

        Over REST the status is 201 when it is ready, 202 while it starts, and 200 when it was there already.

        Errors: NOT_FOUND; INVALID_ARGUMENT for the name of a server that the hub does not take; FAILED_PRECONDITION
        (`JupyterHubDeclined`) when the hub does not start it now, e.g. because it still stops; UNAVAILABLE
        (`JupyterHubStartFailed`) with the hub's reason when it did not start; RESOURCE_EXHAUSTED when too many start.

        Needs the role `user`, `operator` or `admin`. Reaches what is the caller's own; with the role `operator` or
        `admin`, everybody's. Counts towards the general limit.

        - username: Whose.
        - server_name: Its name; the one without a name when empty.
        """
        return self._connection.call(
            HubServer,
            "POST",
            _path("/api/jupyterhub/users/{username}/server", username=username),
            body={"server_name": server_name},
        )

    def stop_server(
        self,
        username: str,
        *,
        server_name: str | None = None,
        remove: bool | None = None,
        prefer: str | None = None,
    ) -> None:
        """Stops a user's server, also one that still starts; one that does not run stays so.

        Over REST the status is 204 when it is gone, and 202 while it stops.

        Errors: NOT_FOUND.

        Needs the role `user`, `operator` or `admin`. Reaches what is the caller's own; with the role `operator` or
        `admin`, everybody's. Counts towards the general limit.

        - username: Whose.
        - server_name: Its name; the one without a name when empty.
        - remove: Also forget it: only one with a name.
        - prefer: With `return=representation` the answer is 200 with a body.
        """
        self._connection.call(
            NoneType,
            "DELETE",
            _path("/api/jupyterhub/users/{username}/server", username=username),
            query={"server_name": server_name, "remove": remove},
            headers={"Prefer": prefer},
        )

    def start_server_by_server_name(
        self,
        username: str,
        server_name: str,
    ) -> HubServer:
        """Starts a user's server.

        Over REST the status is 201 when it is ready, 202 while it starts, and 200 when it was there already.

        Errors: NOT_FOUND; INVALID_ARGUMENT for the name of a server that the hub does not take; FAILED_PRECONDITION
        (`JupyterHubDeclined`) when the hub does not start it now, e.g. because it still stops; UNAVAILABLE
        (`JupyterHubStartFailed`) with the hub's reason when it did not start; RESOURCE_EXHAUSTED when too many start.

        Needs the role `user`, `operator` or `admin`. Reaches what is the caller's own; with the role `operator` or
        `admin`, everybody's. Counts towards the general limit.

        - username: Whose.
        - server_name: Its name; the one without a name when empty.
        """
        return self._connection.call(
            HubServer,
            "POST",
            _path("/api/jupyterhub/users/{username}/servers/{server_name}", username=username, server_name=server_name),
        )

    def stop_server_by_server_name(
        self,
        username: str,
        server_name: str,
        *,
        remove: bool | None = None,
        prefer: str | None = None,
    ) -> None:
        """Stops a user's server, also one that still starts; one that does not run stays so.

        Over REST the status is 204 when it is gone, and 202 while it stops.

        Errors: NOT_FOUND.

        Needs the role `user`, `operator` or `admin`. Reaches what is the caller's own; with the role `operator` or
        `admin`, everybody's. Counts towards the general limit.

        - username: Whose.
        - server_name: Its name; the one without a name when empty.
        - remove: Also forget it: only one with a name.
        - prefer: With `return=representation` the answer is 200 with a body.
        """
        self._connection.call(
            NoneType,
            "DELETE",
            _path("/api/jupyterhub/users/{username}/servers/{server_name}", username=username, server_name=server_name),
            query={"remove": remove},
            headers={"Prefer": prefer},
        )

    def watch_progress(
        self,
        username: str,
        *,
        server_name: str | None = None,
    ) -> _sync.Stream[Progress]:
        """Follows the start of a server until it is ready or has failed, for at most half an hour.

        Errors: NOT_FOUND; FAILED_PRECONDITION (`JupyterHubDeclined`) for a server that is not starting.

        Needs a person's token, of any role. Reaches what is the caller's own; with the role `operator` or `admin`,
        everybody's. Counts towards the general limit.

        - username: Whose.
        - server_name: Its name; the one without a name when empty.
        """
        return self._connection.stream(
            Progress,
            "GET",
            _path("/api/jupyterhub/users/{username}/server/progress", username=username),
            query={"server_name": server_name},
        )

    def watch_progress_by_server_name(
        self,
        username: str,
        server_name: str,
    ) -> _sync.Stream[Progress]:
        """Follows the start of a server until it is ready or has failed, for at most half an hour.

        Errors: NOT_FOUND; FAILED_PRECONDITION (`JupyterHubDeclined`) for a server that is not starting.

        Needs a person's token, of any role. Reaches what is the caller's own; with the role `operator` or `admin`,
        everybody's. Counts towards the general limit.

        - username: Whose.
        - server_name: Its name; the one without a name when empty.
        """
        return self._connection.stream(
            Progress,
            "GET",
            _path(
                "/api/jupyterhub/users/{username}/servers/{server_name}/progress", username=username, server_name=server_name
            ),
        )


class SaltService:
    """Operations of `client.salt`."""

    def __init__(self, connection: _sync.Connection) -> None:
        self._connection = connection

    def list_minions(
        self,
        *,
        status: MinionStatus | str | None = None,
        page: int | None = None,
        limit: int | None = None,
        page_size: int | None = None,
    ) -> ListMinionsResponse:
        """Lists the minions by name, and whether they answer.

        Errors: UNAVAILABLE (`SaltNotConfigured`, `SaltUnreachable`, `SaltRefused`, `SaltClientDisabled`);
        DEADLINE_EXCEEDED.

        Needs a person's token, of any role. Counts towards the general limit.

        - status: Only minions that stand so.
        - page: From 1.
        - limit: Minions on a page: default 20, at most 100.
        - page_size: The same as `limit`.
        """
        return self._connection.call(
            ListMinionsResponse,
            "GET",
            "/api/saltstack/minions",
            query={"status": status, "page": page, "limit": limit, "page_size": page_size},
        )

    def iterate_minions(
        self,
        *,
        status: MinionStatus | str | None = None,
    ) -> Iterator[Minion]:
        """All of what `list_minions` gives in pages, fetched as it is consumed."""
        return self._connection.pages(lambda page: self.list_minions(page=page, limit=PAGE_SIZE, status=status))

    def get_minion(
        self,
        id: str,
    ) -> Minion:
        """One minion with its grains.

        Errors: NOT_FOUND; UNAVAILABLE (`SaltNotConfigured`, `SaltUnreachable`, `SaltRefused`, `SaltClientDisabled`);
        DEADLINE_EXCEEDED.

        Needs a person's token, of any role. Counts towards the general limit.

        - id: Its name.
        """
        return self._connection.call(Minion, "GET", _path("/api/saltstack/minions/{id}", id=id))

    def execute(
        self,
        *,
        target: str,
        function: str,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        target_type: TargetType | str | None = None,
        async_: bool | None = None,
        timeout_seconds: int | None = None,
    ) -> SaltJob:
        """Runs a function of the allow-list on minions.

        It waits for the results, at most as long as asked; after that, or with `async`, the job runs on, and its
        results are asked for by its id. Functions that run whatever their arguments name, like `test.cross_test`, are
        of the allow-list only when it names them in full.

        Errors: PERMISSION_DENIED (`FunctionNotAllowed`); NOT_FOUND (`NoSuchMinion`) when the target names none;
        INVALID_ARGUMENT; UNAVAILABLE (`SaltNotConfigured`, `SaltUnreachable`, `SaltRefused`, `SaltClientDisabled`);
        DEADLINE_EXCEEDED.

        Needs the role `operator` or `admin`. Counts towards the limit of administrators' operations.

        - target: Which minions; at most 1,024 characters.
        - function: What to run, a function of the allow-list.
        - args: Its positional arguments, at most 64. A text like `name=value` is refused, for Salt takes it for a
          named argument. Whole numbers are sent as integers.
        - kwargs: Its named arguments. Names that begin with `__` are Salt's own and refused, and so is `localconfig`
          to functions of `state`.
        - target_type: How `target` names minions.
        - async_: Answer at once with the job's id.
        - timeout_seconds: How long to wait for results in seconds: 1 to 120, 30 when 0.
        """
        return self._connection.call(
            SaltJob,
            "POST",
            "/api/saltstack/execute",
            body={
                "target": target,
                "function": function,
                "args": args,
                "kwargs": kwargs,
                "target_type": target_type,
                "async": async_,
                "timeout_seconds": timeout_seconds,
            },
        )

    def deploy(
        self,
        *,
        target: str,
        state: str,
        test: bool | None = None,
        pillar: Mapping[str, Any] | None = None,
        target_type: TargetType | str | None = None,
        async_: bool | None = None,
        timeout_seconds: int | None = None,
    ) -> Deployment:
        """Applies a state to minions.

        A state that failed is in the results; the call itself succeeds then, with `success` false.

        Errors: as of running a function, which is `state.apply` here: PERMISSION_DENIED (`FunctionNotAllowed`);
        NOT_FOUND (`NoSuchMinion`); INVALID_ARGUMENT; UNAVAILABLE (`SaltNotConfigured`, `SaltUnreachable`,
        `SaltRefused`, `SaltClientDisabled`); DEADLINE_EXCEEDED.

        Needs the role `operator` or `admin`. Counts towards the limit of administrators' operations.

        - target: Which minions; at most 1,024 characters.
        - state: The state, a dotted name of at most 256 characters.
        - test: Only say what would change.
        - pillar: Pillar for this run.
        - target_type: How `target` names minions.
        - async_: Answer at once with the job's id.
        - timeout_seconds: How long to wait for results in seconds: 1 to 600, 300 when 0.
        """
        return self._connection.call(
            Deployment,
            "POST",
            "/api/saltstack/deploy",
            body={
                "target": target,
                "state": state,
                "test": test,
                "pillar": pillar,
                "target_type": target_type,
                "async": async_,
                "timeout_seconds": timeout_seconds,
            },
        )

    def get_job(
        self,
        job_id: str,
    ) -> SaltJob:
        """A job with the results that have come so far.

        Only jobs that were begun here are known.

        Errors: NOT_FOUND; UNAVAILABLE (`SaltNotConfigured`, `SaltUnreachable`, `SaltRefused`, `SaltClientDisabled`);
        DEADLINE_EXCEEDED.

        Needs the role `operator` or `admin`. Counts towards the general limit.

        - job_id: Salt's id, 20 digits.
        """
        return self._connection.call(SaltJob, "GET", _path("/api/saltstack/jobs/{job_id}", job_id=job_id))


class WebhooksService:
    """Operations of `client.webhooks`."""

    def __init__(self, connection: _sync.Connection) -> None:
        self._connection = connection

    def list(
        self,
        *,
        page: int | None = None,
        limit: int | None = None,
        page_size: int | None = None,
    ) -> ListWebhooksResponse:
        """Lists webhooks, newest first.

        Needs the role `operator` or `admin`. Counts towards the general limit.

        - page: From 1.
        - limit: Webhooks on a page: default 20, at most 100.
        - page_size: The same as `limit`.
        """
        return self._connection.call(
            ListWebhooksResponse, "GET", "/api/webhooks", query={"page": page, "limit": limit, "page_size": page_size}
        )

    def iterate(
        self,
    ) -> Iterator[Webhook]:
        """All of what `list` gives in pages, fetched as it is consumed."""
        return self._connection.pages(lambda page: self.list(page=page, limit=PAGE_SIZE))

    def create(
        self,
        *,
        url: str,
        events: Sequence[str],
        secret: str | None = None,
        description: str | None = None,
        paused: bool | None = None,
    ) -> Webhook:
        """Subscribes.

        The secret is shown in this answer only.

        Errors: INVALID_ARGUMENT, also for a target that leads into a private network, unless such targets are
        allowed; RESOURCE_EXHAUSTED (`TooManyWebhooks`).

        Needs the role `operator` or `admin`. Counts towards the limit of administrators' operations.

        - url: `https://` or `http://`, at most 2,048 characters, without user and password.
        - events: Types of events, 1 to 64; `job.*` is all types of jobs, `*` is all. Those of the audit log are not
          sent.
        - secret: The secret of the signatures: 8 to 256 characters, or `whsec_` and 24 to 64 bytes in base64. A
          random one when empty.
        - description: A note, at most 256 characters.
        - paused: Make it without sending events yet.
        """
        return self._connection.call(
            Webhook,
            "POST",
            "/api/webhooks",
            body={"url": url, "events": events, "secret": secret, "description": description, "paused": paused},
        )

    def get(
        self,
        id: str,
    ) -> Webhook:
        """One webhook.

        Errors: NOT_FOUND.

        Needs the role `operator` or `admin`. Counts towards the general limit.

        - id: A UUID.
        """
        return self._connection.call(Webhook, "GET", _path("/api/webhooks/{id}", id=id))

    def update(
        self,
        id: str,
        *,
        url: str,
        events: Sequence[str],
        secret: str | None = None,
        description: str | None = None,
        paused: bool | None = None,
    ) -> Webhook:
        """Replaces what is known of a webhook.

        The secret stays when it is left out.

        Errors: as of subscribing; NOT_FOUND.

        Needs the role `operator` or `admin`. Counts towards the limit of administrators' operations.

        - id: A UUID.
        - url: As of subscribing.
        - events: As of subscribing.
        - secret: The present one stays when empty.
        - description: As of subscribing.
        - paused: Whether events are not sent. What happens meanwhile is not sent later.
        """
        return self._connection.call(
            Webhook,
            "PUT",
            _path("/api/webhooks/{id}", id=id),
            body={"url": url, "events": events, "secret": secret, "description": description, "paused": paused},
        )

    def delete(
        self,
        id: str,
        *,
        prefer: str | None = None,
    ) -> None:
        """Ends a subscription.

        What was not delivered is not delivered any more.

        Errors: NOT_FOUND.

        Needs the role `operator` or `admin`. Counts towards the limit of administrators' operations.

        - id: A UUID.
        - prefer: With `return=representation` the answer is 200 with a body.
        """
        self._connection.call(NoneType, "DELETE", _path("/api/webhooks/{id}", id=id), headers={"Prefer": prefer})

    def test(
        self,
        id: str,
    ) -> Delivery:
        """Sends an event of type webhook.test now, once, and answers what became of it.

        Errors: NOT_FOUND.

        Needs the role `operator` or `admin`. Counts towards the limit of administrators' operations.

        - id: A UUID.
        """
        return self._connection.call(Delivery, "POST", _path("/api/webhooks/{id}/test", id=id))

    def list_deliveries(
        self,
        id: str,
        *,
        status: DeliveryStatus | str | None = None,
        page: int | None = None,
        limit: int | None = None,
        page_size: int | None = None,
    ) -> ListDeliveriesResponse:
        """Lists deliveries of a webhook, newest first.

        They are kept for a week after they ended.

        Errors: NOT_FOUND.

        Needs the role `operator` or `admin`. Counts towards the general limit.

        - id: The webhook, a UUID.
        - status: Only those that stand so.
        - page: From 1.
        - limit: Deliveries on a page: default 20, at most 100.
        - page_size: The same as `limit`.
        """
        return self._connection.call(
            ListDeliveriesResponse,
            "GET",
            _path("/api/webhooks/{id}/deliveries", id=id),
            query={"status": status, "page": page, "limit": limit, "page_size": page_size},
        )

    def iterate_deliveries(
        self,
        id: str,
        *,
        status: DeliveryStatus | str | None = None,
    ) -> Iterator[Delivery]:
        """All of what `list_deliveries` gives in pages, fetched as it is consumed."""
        return self._connection.pages(lambda page: self.list_deliveries(id, page=page, limit=PAGE_SIZE, status=status))

    def redeliver(
        self,
        id: str,
        delivery_id: str,
    ) -> Delivery:
        """Delivers an event again, soon, with the same id.

        Errors: NOT_FOUND; FAILED_PRECONDITION (`DeliveryPending`) while it is still tried.

        Needs the role `operator` or `admin`. Counts towards the limit of administrators' operations.

        - id: The webhook, a UUID.
        - delivery_id: The delivery, a UUID.
        """
        return self._connection.call(
            Delivery, "POST", _path("/api/webhooks/{id}/deliveries/{delivery_id}/redeliver", id=id, delivery_id=delivery_id)
        )


class MonitoringService:
    """Operations of `client.monitoring`."""

    def __init__(self, connection: _sync.Connection) -> None:
        self._connection = connection

    def get_system_metrics(
        self,
        *,
        node_id: str | None = None,
    ) -> MonitoringSystemMetrics:
        """What is measured now: of one node, or the mean over all nodes that are online.

        Without any such node everything is 0, and so is `nodes`.

        Errors: NOT_FOUND for an unknown node; FAILED_PRECONDITION (`NodeNotOnline`) for one that is not connected or
        has not told its readings yet.

        Needs a person's token, of any role. Counts towards the general limit.

        - node_id: One node; all that are online when empty.
        """
        return self._connection.call(MonitoringSystemMetrics, "GET", "/api/monitoring/metrics", query={"node_id": node_id})

    def query_history(
        self,
        *,
        metric: str,
        start: datetime | None = None,
        end: datetime | None = None,
        node_id: str | None = None,
        gpu_uuid: str | None = None,
        step: int | None = None,
    ) -> History:
        """What a metric was, in steps: the mean of each step of one node, one GPU, or over all nodes that were online
        then.

        Steps begin at multiples of their length since 1970, the first one holds `start`; those in which nothing was
        measured are left out.

        Each sample is kept for 24 hours, means of a minute for 7 days, and means of 15 minutes for 400 days. What was
        measured in the minute before the control plane is killed may be missing.

        Errors: INVALID_ARGUMENT for an unknown metric or when `start` is not before `end`; NOT_FOUND for an unknown
        node or GPU; UNAVAILABLE and DEADLINE_EXCEEDED when a Prometheus keeps the history and does not answer.

        Needs a person's token, of any role. Counts towards the general limit.

        - metric: A metric's name.
        - start: From then on.
        - end: Until then, not included.
        - node_id: One node; the mean over all when empty.
        - gpu_uuid: One GPU by its UUID; the mean over all of the nodes when empty. For metrics of GPUs only. Without
          `node_id` it is looked for on the node that has it now.
        - step: Seconds of a step, at most 400 days. Steps are made longer where there would be more than 1,000
          points, and are a multiple of what is kept of the time at `start`. When 0, as short as that allows.
        """
        return self._connection.call(
            History,
            "GET",
            "/api/monitoring/history",
            query={"metric": metric, "start": start, "end": end, "node_id": node_id, "gpu_uuid": gpu_uuid, "step": step},
        )

    def list_metrics(
        self,
    ) -> ListMetricsResponse:
        """The metrics that there are.

        Needs a person's token, of any role. Counts towards the general limit.
        """
        return self._connection.call(ListMetricsResponse, "GET", "/api/monitoring/metrics/names")


class SlurmService:
    """Operations of `client.slurm`."""

    def __init__(self, connection: _sync.Connection) -> None:
        self._connection = connection

    def list_clusters(
        self,
    ) -> ListClustersResponse:
        """Lists the clusters of the settings with what they have.

        One that cannot be reached says so in `status` and `message`.

        Errors: UNAVAILABLE (`SlurmNotConfigured`; `SlurmUnreachable` or `SlurmRefused` when none can be used);
        DEADLINE_EXCEEDED.

        Whatever happens to a job is an event of its own, seen by the same people: `job.pending`, `job.running`,
        `job.completed`, `job.failed`, `job.cancelled`, `job.timeout` and `job.lost`. Its `resource_id` is
        `<cluster>/<job_id>`. Jobs that had ended before they were first seen have none.

        Needs a person's token, of any role. Counts towards the general limit.
        """
        return self._connection.call(ListClustersResponse, "GET", "/api/slurm/clusters")

    def list_jobs(
        self,
        *,
        cluster: str | None = None,
        state: JobStatus | str | None = None,
        user: str | None = None,
        partition: str | None = None,
        page: int | None = None,
        limit: int | None = None,
        page_size: int | None = None,
    ) -> ListJobsResponse:
        """Lists the jobs that Slurm still knows, newest first.

        Errors: NOT_FOUND for an unknown cluster; UNAVAILABLE (`SlurmNotConfigured`, `SlurmUnreachable`,
        `SlurmRefused`); DEADLINE_EXCEEDED.

        Whatever happens to a job is an event of its own, seen by the same people: `job.pending`, `job.running`,
        `job.completed`, `job.failed`, `job.cancelled`, `job.timeout` and `job.lost`. Its `resource_id` is
        `<cluster>/<job_id>`. Jobs that had ended before they were first seen have none.

        Needs a person's token, of any role. Reaches what is the caller's own; with the role `operator` or `admin`,
        everybody's. Counts towards the general limit.

        - cluster: Only this cluster; the first when empty.
        - state: Only jobs that stand so.
        - user: Only jobs of this Slurm user.
        - partition: Only jobs in this partition.
        - page: From 1.
        - limit: Jobs on a page: default 20, at most 100.
        - page_size: The same as `limit`.
        """
        return self._connection.call(
            ListJobsResponse,
            "GET",
            "/api/slurm/jobs",
            query={
                "cluster": cluster,
                "state": state,
                "user": user,
                "partition": partition,
                "page": page,
                "limit": limit,
                "page_size": page_size,
            },
        )

    def iterate_jobs(
        self,
        *,
        cluster: str | None = None,
        state: JobStatus | str | None = None,
        user: str | None = None,
        partition: str | None = None,
    ) -> Iterator[Job]:
        """All of what `list_jobs` gives in pages, fetched as it is consumed."""
        return self._connection.pages(
            lambda page: self.list_jobs(
                page=page, limit=PAGE_SIZE, cluster=cluster, state=state, user=user, partition=partition
            )
        )

    def submit_job(
        self,
        *,
        script: str,
        cluster: str | None = None,
        job_name: str | None = None,
        partition: str | None = None,
        nodes: int | None = None,
        ntasks: int | None = None,
        cpus_per_task: int | None = None,
        memory_per_node_mb: int | None = None,
        gpus_per_node: int | None = None,
        gpu_type: str | None = None,
        time_limit_minutes: int | None = None,
        working_directory: str | None = None,
        environment: Mapping[str, str] | None = None,
        standard_output: str | None = None,
        standard_error: str | None = None,
        account: str | None = None,
    ) -> SubmitJobResponse:
        """Submits a batch job as the Slurm user of the caller.

        Slurm has accepted it when this returns.

        Errors: INVALID_ARGUMENT, also for what Slurm refuses, e.g. an unknown partition; NOT_FOUND for an unknown
        cluster; PERMISSION_DENIED (`NoSlurmUser`) when the caller is no user of Slurm, and (`SlurmDenied`) when that
        user may not; UNAVAILABLE (`SlurmNotConfigured`, `SlurmUnreachable`, `SlurmRefused`); DEADLINE_EXCEEDED, after
        which the job may have been accepted all the same.

        Whatever happens to a job is an event of its own, seen by the same people: `job.pending`, `job.running`,
        `job.completed`, `job.failed`, `job.cancelled`, `job.timeout` and `job.lost`. Its `resource_id` is
        `<cluster>/<job_id>`. Jobs that had ended before they were first seen have none.

        Needs the role `user`, `operator` or `admin`. Counts towards the general limit.

        - cluster: The cluster's name.
        - job_name: At most 128 characters; `job` when empty.
        - partition: Slurm's default when empty.
        - nodes: How many nodes; 1 when 0.
        - ntasks: How many tasks; Slurm's default when 0.
        - script: The script with its `#!` line, at most 256 KiB, without NUL. It goes to Slurm as it is; nothing here
          runs it.
        - cpus_per_task: CPUs of each task; Slurm's default when 0.
        - memory_per_node_mb: Memory on each node in MiB; Slurm's default when 0.
        - gpus_per_node: GPUs on each node.
        - gpu_type: The type of the GPUs as Slurm names it; any when empty.
        - time_limit_minutes: The longest it may run in minutes; the partition's when 0.
        - working_directory: Where it runs, an absolute path on the nodes; `/tmp` when empty.
        - environment: Environment; `PATH` has a default.
        - standard_output: Where its output goes, with Slurm's patterns, e.g. `%j`; in the working directory when
          empty.
        - standard_error: Where its errors go; with the output when empty.
        - account: The account that pays; the user's default when empty.
        """
        return self._connection.call(
            SubmitJobResponse,
            "POST",
            "/api/slurm/jobs",
            body={
                "cluster": cluster,
                "job_name": job_name,
                "partition": partition,
                "nodes": nodes,
                "ntasks": ntasks,
                "script": script,
                "cpus_per_task": cpus_per_task,
                "memory_per_node_mb": memory_per_node_mb,
                "gpus_per_node": gpus_per_node,
                "gpu_type": gpu_type,
                "time_limit_minutes": time_limit_minutes,
                "working_directory": working_directory,
                "environment": environment,
                "standard_output": standard_output,
                "standard_error": standard_error,
                "account": account,
            },
        )

    def get_job(
        self,
        job_id: int,
        *,
        cluster: str | None = None,
    ) -> Job:
        """One job.

        Jobs that were seen here are remembered for 90 days after Slurm has forgotten them.

        Errors: NOT_FOUND; UNAVAILABLE (`SlurmNotConfigured`, `SlurmUnreachable`, `SlurmRefused`); DEADLINE_EXCEEDED.

        Whatever happens to a job is an event of its own, seen by the same people: `job.pending`, `job.running`,
        `job.completed`, `job.failed`, `job.cancelled`, `job.timeout` and `job.lost`. Its `resource_id` is
        `<cluster>/<job_id>`. Jobs that had ended before they were first seen have none.

        Needs a person's token, of any role. Reaches what is the caller's own; with the role `operator` or `admin`,
        everybody's. Counts towards the general limit.

        - job_id: Slurm's number.
        - cluster: The cluster's name.
        """
        return self._connection.call(Job, "GET", _path("/api/slurm/jobs/{job_id}", job_id=job_id), query={"cluster": cluster})

    def cancel_job(
        self,
        job_id: int,
        *,
        cluster: str | None = None,
    ) -> Job:
        """Cancels a job, and answers how it stands then.

        Cancelling one that has ended changes nothing.

        Errors: NOT_FOUND; PERMISSION_DENIED (`SlurmDenied`) when Slurm does not let its user; UNAVAILABLE
        (`SlurmNotConfigured`, `SlurmUnreachable`, `SlurmRefused`); DEADLINE_EXCEEDED.

        Whatever happens to a job is an event of its own, seen by the same people: `job.pending`, `job.running`,
        `job.completed`, `job.failed`, `job.cancelled`, `job.timeout` and `job.lost`. Its `resource_id` is
        `<cluster>/<job_id>`. Jobs that had ended before they were first seen have none.

        Needs the role `user`, `operator` or `admin`. Reaches what is the caller's own; with the role `operator` or
        `admin`, everybody's. Counts towards the general limit.

        - job_id: Slurm's number.
        - cluster: The cluster's name.
        """
        return self._connection.call(
            Job, "DELETE", _path("/api/slurm/jobs/{job_id}", job_id=job_id), query={"cluster": cluster}
        )

    def list_nodes(
        self,
        *,
        cluster: str | None = None,
    ) -> SlurmListNodesResponse:
        """Lists the nodes of a cluster by name.

        Errors: NOT_FOUND for an unknown cluster; UNAVAILABLE (`SlurmNotConfigured`, `SlurmUnreachable`,
        `SlurmRefused`); DEADLINE_EXCEEDED.

        Whatever happens to a job is an event of its own, seen by the same people: `job.pending`, `job.running`,
        `job.completed`, `job.failed`, `job.cancelled`, `job.timeout` and `job.lost`. Its `resource_id` is
        `<cluster>/<job_id>`. Jobs that had ended before they were first seen have none.

        Needs a person's token, of any role. Counts towards the general limit.

        - cluster: The cluster's name.
        """
        return self._connection.call(SlurmListNodesResponse, "GET", "/api/slurm/nodes", query={"cluster": cluster})


class GpusService:
    """Operations of `client.gpus`."""

    def __init__(self, connection: _sync.Connection) -> None:
        self._connection = connection

    def list(
        self,
        *,
        source: GpuSource | str | None = None,
        status: GpuStatus | str | None = None,
        node: str | None = None,
        page: int | None = None,
        limit: int | None = None,
        page_size: int | None = None,
    ) -> ListGpusResponse:
        """Lists GPUs by node and index: those of nodes with an agent, and those that Slurm gives away.

        A cluster of Slurm that cannot be asked is no error: `warnings` says so, and its GPUs are missing.

        Needs a person's token, of any role. Counts towards the general limit.

        - source: Only those of this source.
        - status: Only those that stand so.
        - node: Only those of this node, by id for agents and by name for Slurm.
        - page: From 1.
        - limit: GPUs on a page: default 20, at most 100.
        - page_size: The same as `limit`.
        """
        return self._connection.call(
            ListGpusResponse,
            "GET",
            "/api/gpus",
            query={"source": source, "status": status, "node": node, "page": page, "limit": limit, "page_size": page_size},
        )


class BackendsService:
    """Operations of `client.backends`."""

    def __init__(self, connection: _sync.Connection) -> None:
        self._connection = connection

    def list(
        self,
    ) -> ListBackendsResponse:
        """Lists all kinds of backends, also those that are not configured, and how each was found when it was last
        asked.

        Needs the role `operator` or `admin`. Counts towards the general limit.
        """
        return self._connection.call(ListBackendsResponse, "GET", "/api/backends")


class AccessKeysService:
    """Operations of `client.access_keys`."""

    def __init__(self, connection: _sync.Connection) -> None:
        self._connection = connection

    def list(
        self,
        *,
        page: int | None = None,
        limit: int | None = None,
    ) -> ListAccessKeysResponse:
        """Lists access keys without their secrets, newest first: the caller's, or for an administrator everybody's.

        Needs a person's token, of any role. Reaches what is the caller's own; with the role `admin`, everybody's.
        Counts towards the general limit.

        - page: From 1.
        - limit: Keys on a page: default 20, at most 100.
        """
        return self._connection.call(ListAccessKeysResponse, "GET", "/api/access-keys", query={"page": page, "limit": limit})

    def iterate(
        self,
    ) -> Iterator[AccessKey]:
        """All of what `list` gives in pages, fetched as it is consumed."""
        return self._connection.pages(lambda page: self.list(page=page, limit=PAGE_SIZE))

    def create(
        self,
        *,
        name: str,
    ) -> AccessKey:
        """Makes an access key for the caller.

        The secret is shown this once.

        Errors: ALREADY_EXISTS when the caller has a key of this name; INVALID_ARGUMENT when a field breaks its rule;
        PERMISSION_DENIED when called with an API token (`NotASession`); RESOURCE_EXHAUSTED (`TooManyAccessKeys`) with
        20 of them.

        Needs a person's token, of any role. Counts towards the general limit.

        - name: What it is for: 1 to 64 printable characters, unique among the caller's.
        """
        return self._connection.call(AccessKey, "POST", "/api/access-keys", body={"name": name})

    def rotate(
        self,
        id: str,
    ) -> AccessKey:
        """Gives an access key of the caller's a new secret, shown this once; the one before is refused at once.

        Errors: NOT_FOUND; PERMISSION_DENIED when called with an API token (`NotASession`).

        Needs a person's token, of any role. Reaches what is the caller's own. Counts towards the general limit.

        - id: The access key id.
        """
        return self._connection.call(AccessKey, "POST", _path("/api/access-keys/{id}/rotate", id=id))

    def revoke(
        self,
        id: str,
    ) -> RevokeAccessKeyResponse:
        """Revokes an access key at once.

        Needs a person's token, of any role. Reaches what is the caller's own; with the role `admin`, everybody's.
        Counts towards the general limit.

        - id: The access key id.
        """
        return self._connection.call(RevokeAccessKeyResponse, "DELETE", _path("/api/access-keys/{id}", id=id))


class StorageService:
    """Operations of `client.storage`."""

    def __init__(self, connection: _sync.Connection) -> None:
        self._connection = connection

    def list_buckets(
        self,
        *,
        page: int | None = None,
        limit: int | None = None,
    ) -> ListBucketsResponse:
        """Lists buckets with what is in them, by name: the caller's, or for an administrator everybody's.

        Needs a person's token, of any role. Reaches what is the caller's own; with the role `admin`, everybody's.
        Counts towards the general limit.

        - page: From 1.
        - limit: Buckets on a page: default 20, at most 100.
        """
        return self._connection.call(ListBucketsResponse, "GET", "/api/storage/buckets", query={"page": page, "limit": limit})

    def iterate_buckets(
        self,
    ) -> Iterator[Bucket]:
        """All of what `list_buckets` gives in pages, fetched as it is consumed."""
        return self._connection.pages(lambda page: self.list_buckets(page=page, limit=PAGE_SIZE))


class Services:
    """All services of the contract."""

    def __init__(self, connection: _sync.Connection) -> None:
        self.iam = IamService(connection)
        self.account = AccountService(connection)
        self.users = UsersService(connection)
        self.api_tokens = ApiTokensService(connection)
        self.node_agent = NodeAgentService(connection)
        self.nodes = NodesService(connection)
        self.join_tokens = JoinTokensService(connection)
        self.hosts = HostsService(connection)
        self.machines = MachinesService(connection)
        self.audit = AuditService(connection)
        self.claims = ClaimsService(connection)
        self.events = EventsService(connection)
        self.jupyterhub = JupyterHubService(connection)
        self.salt = SaltService(connection)
        self.webhooks = WebhooksService(connection)
        self.monitoring = MonitoringService(connection)
        self.slurm = SlurmService(connection)
        self.gpus = GpusService(connection)
        self.backends = BackendsService(connection)
        self.access_keys = AccessKeysService(connection)
        self.storage = StorageService(connection)
