"""The types of the contract. Made from the OpenAPI document by `make sdk`; changes here are lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from . import _model

__all__ = [
    "AccessKey",
    "Account",
    "ApiToken",
    "AuditEvent",
    "AuditLink",
    "AuditResult",
    "Backend",
    "BackendStatus",
    "Bucket",
    "ChangePasswordResponse",
    "Claim",
    "ClaimExplanation",
    "ClaimPhase",
    "ClaimSpec",
    "ClaimSpecInput",
    "ClaimStatus",
    "Cluster",
    "ClusterStatus",
    "Container",
    "CreateContainerResponse",
    "CreateHostResponse",
    "DeleteMachineResponse",
    "DeleteUserResponse",
    "Delivery",
    "DeliveryStatus",
    "Deployment",
    "Empty",
    "Event",
    "FleetGpu",
    "GpuExplanation",
    "GpuMetrics",
    "GpuSource",
    "GpuStatus",
    "Health",
    "History",
    "Host",
    "HostGpu",
    "HostGpuStatus",
    "HostHealth",
    "HostStatus",
    "HubServer",
    "HubUser",
    "Job",
    "JobStatus",
    "JoinToken",
    "JupyterHubListUsersResponse",
    "ListAccessKeysResponse",
    "ListApiTokensResponse",
    "ListAuditEventsResponse",
    "ListBackendsResponse",
    "ListBucketsResponse",
    "ListClaimsResponse",
    "ListClustersResponse",
    "ListDeliveriesResponse",
    "ListGpusResponse",
    "ListHostGpusResponse",
    "ListHostsResponse",
    "ListJobsResponse",
    "ListJoinTokensResponse",
    "ListMachinesResponse",
    "ListMetricsResponse",
    "ListMinionsResponse",
    "ListNodesResponse",
    "ListRolesResponse",
    "ListUsersResponse",
    "ListWebhooksResponse",
    "LogEntry",
    "LogStream",
    "LoginResponse",
    "LogoutResponse",
    "Machine",
    "MachineRole",
    "MachineStatus",
    "Maintenance",
    "MaintenanceClaims",
    "Metric",
    "Minion",
    "MinionDeployment",
    "MinionResult",
    "MinionStatus",
    "MonitoringSystemMetrics",
    "Node",
    "NodeExplanation",
    "NodeGpu",
    "NodeLossPolicy",
    "NodeMetrics",
    "NodeState",
    "Pagination",
    "Point",
    "PortMapping",
    "PortMappingInput",
    "Progress",
    "RegisterNodeResponse",
    "Resources",
    "ResourcesInput",
    "RevokeAccessKeyResponse",
    "RevokeApiTokenResponse",
    "Role",
    "RolePolicy",
    "SaltJob",
    "ServerStatus",
    "Session",
    "SlurmGpus",
    "SlurmListNodesResponse",
    "SlurmNode",
    "StateResult",
    "SubmitJobResponse",
    "SystemMetrics",
    "TargetType",
    "TestToken",
    "Usage",
    "User",
    "Webhook",
]


class AuditResult(_model.Word):
    """What became of it.

    - empty: No filter.
    - `success`: It was done.
    - `failure`: It was tried and failed.
    - `denied`: The caller may not.
    """

    UNSPECIFIED = ""
    SUCCESS = "success"
    FAILURE = "failure"
    DENIED = "denied"


class BackendStatus(_model.Word):
    """How a backend was found.

    - `unknown`: It was not asked yet.
    - `up`: It answers.
    - `down`: It does not, or refuses us.
    - `not_configured`: No setting names one.
    """

    UNKNOWN = "unknown"
    UP = "up"
    DOWN = "down"
    NOT_CONFIGURED = "not_configured"


class ClaimPhase(_model.Word):
    """Where a claim stands.

    - empty: No filter.
    - `Pending`: Waits for room.
    - `Scheduled`: Has a node; its container is being made.
    - `Running`: Its container runs.
    - `Failed`: Ended with an error.
    - `Completed`: Its container ended with exit code 0.
    """

    UNSPECIFIED = ""
    PENDING = "Pending"
    SCHEDULED = "Scheduled"
    RUNNING = "Running"
    FAILED = "Failed"
    COMPLETED = "Completed"


class ClusterStatus(_model.Word):
    """Whether a cluster can be used.

    - `unknown`: Not known.
    - `active`: It answers.
    - `unreachable`: It does not; `message` says why.
    """

    UNKNOWN = "unknown"
    ACTIVE = "active"
    UNREACHABLE = "unreachable"


class DeliveryStatus(_model.Word):
    """How a delivery stands.

    - empty: No filter.
    - `pending`: It is still tried.
    - `delivered`: It was answered with 2xx.
    - `failed`: It was given up.
    """

    UNSPECIFIED = ""
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class GpuSource(_model.Word):
    """Who gives a GPU away.

    - empty: No filter.
    - `agent`: Claims, on a node with an agent.
    - `slurm`: Jobs of Slurm; claims do not get it.
    """

    UNSPECIFIED = ""
    AGENT = "agent"
    SLURM = "slurm"


class GpuStatus(_model.Word):
    """How a GPU stands.

    - empty: No filter.
    - `free`: Nobody uses it.
    - `allocated`: A claim or a job has it.
    - `busy`: Somebody else uses it.
    - `faulty`: It could not be read.
    - `offline`: Its node is not reached.
    """

    UNSPECIFIED = ""
    FREE = "free"
    ALLOCATED = "allocated"
    BUSY = "busy"
    FAULTY = "faulty"
    OFFLINE = "offline"


class HostGpuStatus(_model.Word):
    """What a GPU is doing.

    - `unknown`: Not known: the host is offline.
    - `available`: Free.
    - `allocated`: Allocated to a claim.
    - `busy`: Used by something else.
    - `error`: Not usable.
    """

    UNKNOWN = "unknown"
    AVAILABLE = "available"
    ALLOCATED = "allocated"
    BUSY = "busy"
    ERROR = "error"


class HostHealth(_model.Word):
    """How a host is.

    - `unknown`: Nothing is known, or it is offline.
    - `healthy`: Nothing is wrong.
    - `degraded`: It works in part: a GPU is faulty, or it says so.
    - `unhealthy`: Its container runtime cannot be reached, or it says so.
    """

    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


class HostStatus(_model.Word):
    """Where a host stands.

    - empty: No filter.
    - `online`: Connected, or heard of by heartbeats.
    - `offline`: Not heard of.
    - `maintenance`: In maintenance, connected or not.
    """

    UNSPECIFIED = ""
    ONLINE = "online"
    OFFLINE = "offline"
    MAINTENANCE = "maintenance"


class JobStatus(_model.Word):
    """How a job stands.

    - empty: No filter; of a job: not known.
    - `pending`: It waits, is held or is being prepared.
    - `running`: It runs, is suspended or is being cleaned up.
    - `completed`: It ended with exit code 0.
    - `failed`: It ended otherwise, or its node did.
    - `cancelled`: Somebody cancelled it, or it gave way to another.
    - `timeout`: It reached its time limit or its deadline.
    - `lost`: Slurm has forgotten it before anybody here saw it end; the rest is what was known last.
    """

    UNSPECIFIED = ""
    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    LOST = "lost"


class LogStream(_model.Word):
    """Where a container writes.

    - empty: Not known.
    - `stdout`: Its standard output.
    - `stderr`: Its standard error.
    """

    UNSPECIFIED = ""
    STDOUT = "stdout"
    STDERR = "stderr"


class MachineRole(_model.Word):
    """What a machine is for.

    - empty: No filter.
    - `master`: Control plane of a cluster.
    - `worker`: Worker of a cluster.
    - `etcd`: etcd member.
    - `registry`: Registry of images.
    """

    UNSPECIFIED = ""
    MASTER = "master"
    WORKER = "worker"
    ETCD = "etcd"
    REGISTRY = "registry"


class MachineStatus(_model.Word):
    """Where a machine stands.

    - empty: No filter.
    - `available`: It can be logged in to, and nobody uses it.
    - `unavailable`: It cannot be logged in to; `message` says why.
    - `maintenance`: Set aside by hand.
    - `error`: Something went wrong with it.
    - `in_use`: Member of a cluster.
    - `deploying`: On its way into a cluster.
    - `offline`: Not checked yet.
    """

    UNSPECIFIED = ""
    AVAILABLE = "available"
    UNAVAILABLE = "unavailable"
    MAINTENANCE = "maintenance"
    ERROR = "error"
    IN_USE = "in_use"
    DEPLOYING = "deploying"
    OFFLINE = "offline"


class MaintenanceClaims(_model.Word):
    """What happens to the claims on a host in maintenance.

    - empty: As MAINTENANCE_CLAIMS_KEEP.
    - `keep`: They go on running.
    - `move`: They are stopped there and placed elsewhere.
    """

    UNSPECIFIED = ""
    KEEP = "keep"
    MOVE = "move"


class MinionStatus(_model.Word):
    """Whether a minion answers.

    - empty: No filter.
    - `up`: It answers.
    - `down`: It does not.
    """

    UNSPECIFIED = ""
    UP = "up"
    DOWN = "down"


class NodeLossPolicy(_model.Word):
    """What happens to a claim when its node is lost.

    - empty: As `keep`.
    - `keep`: The claim waits for its node.
    - `reschedule`: The claim is placed elsewhere after a time.
    """

    UNSPECIFIED = ""
    KEEP = "keep"
    RESCHEDULE = "reschedule"


class NodeState(_model.Word):
    """Where a node stands.

    - empty: No filter.
    - `Pending`: Announced, without authority.
    - `Online`: Connected.
    - `Offline`: Enrolled and not connected.
    """

    UNSPECIFIED = ""
    PENDING = "Pending"
    ONLINE = "Online"
    OFFLINE = "Offline"


class ServerStatus(_model.Word):
    """How a server stands.

    - `stopped`: It does not run.
    - `starting`: It starts.
    - `ready`: It can be used.
    - `stopping`: It stops.
    """

    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"


class TargetType(_model.Word):
    """How a target names minions.

    - empty: As TARGET_TYPE_GLOB.
    - `glob`: A shell pattern of names.
    - `list`: Names, separated by commas.
    - `grain`: A grain and a pattern of its value, `name:pattern`.
    """

    UNSPECIFIED = ""
    GLOB = "glob"
    LIST = "list"
    GRAIN = "grain"


@dataclass
class AccessKey(_model.Model):
    """An access key."""

    id: str = ""
    """The access key id, not secret: `aws_access_key_id`."""

    secret: str = _model.member("secret", "", repr=False)
    """The secret: `aws_secret_access_key`; only in the answer that made it."""

    name: str = ""
    """What it is for."""

    username: str = ""
    """The user name of its owner."""

    created_at: datetime | None = None
    """When it was made."""

    rotated_at: datetime | None = None
    """When its secret was replaced."""

    last_used_at: datetime | None = None
    """When it was last used, to the minute."""


@dataclass
class Account(_model.Model):
    """A person."""

    id: str = ""
    """A UUID."""

    username: str = ""
    """The user name."""

    email: str = ""
    """The e-mail address; may be empty."""

    role: str = ""
    """`admin`, `operator`, `user` or `readonly`."""

    created_at: datetime | None = None
    """When the person registered."""

    updated_at: datetime | None = None
    """When the account last changed."""

    last_login_at: datetime | None = None
    """When the person last logged in."""


@dataclass
class ApiToken(_model.Model):
    """An API token."""

    id: str = ""
    """The token's id, not secret."""

    token: str = _model.member("token", "", repr=False)
    """The token, for `Authorization: Bearer`; only in the answer that made it."""

    name: str = ""
    """What it is for."""

    role: str = ""
    """The most it may do."""

    username: str = ""
    """The user name of its owner."""

    expires_at: datetime | None = None
    """When it expires."""

    created_at: datetime | None = None
    """When it was made."""

    last_used_at: datetime | None = None
    """When it was last used, to the minute."""


@dataclass
class AuditEvent(_model.Model):
    """An event."""

    id: str = ""
    """A UUID."""

    event_type: str = ""
    """The kind of resource."""

    action: str = ""
    """The method's name."""

    resource: str = ""
    """The kind of resource; the same as `event_type`."""

    resource_id: str = ""
    """Which one; may be empty when the attempt named none."""

    user: str = ""
    """Who: a user name, or `system`, `host:<id>`, `node:<id>`, `join_token:<id>`, `agent_token:<id>`, or empty for
    nobody known.
    """

    ip_address: str = ""
    """From where; may be empty."""

    old_value: dict[str, Any] | None = None
    """What it was before; empty for what is new. Secrets are masked."""

    new_value: dict[str, Any] | None = None
    """What it is now; empty for what is gone. Secrets are masked."""

    details: dict[str, Any] | None = None
    """More: the gRPC method, the request's id, for failures the error's reason and message."""

    result: AuditResult = AuditResult.UNSPECIFIED
    """What became of it."""

    timestamp: datetime | None = None
    """When."""

    sequence: int = 0
    """Its place in the chain, from 1 without gaps."""

    hash: str = ""
    """Its link's hash, 64 hexadecimal digits."""


@dataclass
class AuditLink(_model.Model):
    """A link of the chain."""

    sequence: int = 0
    """Its place, from 1 without gaps; the first ones go when they are older than the retention."""

    previous_hash: str = ""
    """The hash of the link before; 64 zeros for the first."""

    payload: str = ""
    """The event as JSON text, exactly as it was hashed."""

    hash: str = ""
    """SHA-256 of `previous_hash` and `payload`, one after the other, as hexadecimal digits."""


@dataclass
class Backend(_model.Model):
    """A backend."""

    kind: str = ""
    """`slurm`, `salt`, `jupyterhub`, `prometheus`."""

    name: str = ""
    """Its name in the settings; the kind where there is only one."""

    url: str = ""
    """Where it is, without credentials."""

    status: BackendStatus = BackendStatus.UNKNOWN
    """How it was found."""

    version: str = ""
    """Its version; empty when it does not tell."""

    latency_ms: float = 0.0
    """How long the last answer took in milliseconds."""

    last_error: str = ""
    """What went wrong last; empty after a success."""

    checked_at: datetime | None = None
    """When it was asked last; null when never."""

    setting: str = ""
    """The setting that names it."""


@dataclass
class Bucket(_model.Model):
    """A bucket."""

    name: str = ""
    """Its name, unique on this server."""

    username: str = ""
    """The user name of its owner."""

    objects: int = 0
    """How many objects it holds; 0 when another server keeps them."""

    bytes: int = 0
    """Bytes of their content; 0 when another server keeps them."""

    created_at: datetime | None = None
    """When it was made."""


@dataclass
class ChangePasswordResponse(_model.Model):
    """It is done."""

    message: str = ""
    """A sentence."""


@dataclass
class Claim(_model.Model):
    """A claim."""

    id: str = ""
    """A UUID."""

    user_id: int = 0
    """Its owner."""

    spec: ClaimSpec | None = None
    """What is wanted."""

    status: ClaimStatus | None = None
    """What became of it."""

    created_at: datetime | None = None
    """When it was accepted."""

    updated_at: datetime | None = None
    """When it last changed."""


@dataclass
class ClaimExplanation(_model.Model):
    """Why a claim waits."""

    id: str = ""
    """The claim's id."""

    phase: ClaimPhase = ClaimPhase.UNSPECIFIED
    """Where it stands."""

    queue_position: int = 0
    """Its place among the waiting claims, from 1; 0 when it does not wait."""

    summary: str = ""
    """The whole in a sentence."""

    nodes: list[NodeExplanation] = field(default_factory=list)
    """Each node, by host name."""


@dataclass
class ClaimSpec(_model.Model):
    """What a claim asks for."""

    image: str = ""
    """The image, e.g. `registry.example:5000/team/train:1`; at most 512 characters."""

    resources: Resources | None = None
    """How much of a machine."""

    command: list[str] = field(default_factory=list)
    """Replaces the image's CMD when not empty."""

    env: list[str] = field(default_factory=list)
    """Environment, each `NAME=value`."""

    working_dir: str = _model.member("workingDir", "")
    """Absolute path; the image's when empty."""

    ports: list[PortMapping] = field(default_factory=list)
    """Ports to open on the machine."""

    volumes: dict[str, str] = field(default_factory=dict)
    """Host path to container path; host paths must lie under the allow-list of the node's agent."""

    on_node_loss: NodeLossPolicy = _model.member("onNodeLoss", NodeLossPolicy.UNSPECIFIED)
    """What happens when the node is lost."""

    reschedule_after_seconds: int = _model.member("rescheduleAfterSeconds", 0)
    """How long a node must be lost before the claim is placed elsewhere, under `reschedule`, in seconds. The server's
    setting (default 30) when 0.
    """


@dataclass(kw_only=True)
class ClaimSpecInput(_model.Model):
    """What a claim asks for."""

    image: str | None = None
    """The image, e.g. `registry.example:5000/team/train:1`; at most 512 characters."""

    resources: ResourcesInput | None = None
    """How much of a machine."""

    command: list[str] | None = None
    """Replaces the image's CMD when not empty."""

    env: list[str] | None = None
    """Environment, each `NAME=value`."""

    working_dir: str | None = _model.member("workingDir", None)
    """Absolute path; the image's when empty."""

    ports: list[PortMappingInput] | None = None
    """Ports to open on the machine."""

    volumes: dict[str, str] | None = None
    """Host path to container path; host paths must lie under the allow-list of the node's agent."""

    on_node_loss: NodeLossPolicy | None = _model.member("onNodeLoss", None)
    """What happens when the node is lost."""

    reschedule_after_seconds: int | None = _model.member("rescheduleAfterSeconds", None)
    """How long a node must be lost before the claim is placed elsewhere, under `reschedule`, in seconds. The server's
    setting (default 30) when 0.
    """


@dataclass
class ClaimStatus(_model.Model):
    """What became of a claim."""

    phase: ClaimPhase = ClaimPhase.UNSPECIFIED
    """Where it stands."""

    node_name: str = _model.member("nodeName", "")
    """Host name of its node; empty before it has one."""

    container_id: str = _model.member("containerID", "")
    """The runtime's id; empty before there is a container."""

    reason: str = ""
    """Why it is in this phase, a stable word: `InsufficientGPUs`, `NoNodes`, `ImagePullFailed`, `RuntimeUnavailable`,
    `PortInUse`, `VolumeNotAllowed`, `NodeLost`, `ContainerExited` and others; empty when there is nothing to say.
    """

    message: str = ""
    """The same in a sentence, or the progress of the present step."""

    node_id: str = _model.member("nodeID", "")
    """Its node's id; empty before it has one."""

    gpu_uuids: list[str] = _model.member("gpuUUIDs", list)
    """The UUIDs of its GPUs."""


@dataclass
class Cluster(_model.Model):
    """A cluster."""

    id: int = 0
    """Its place in the settings, from 1."""

    name: str = ""
    """Its name in the settings."""

    status: ClusterStatus = ClusterStatus.UNKNOWN
    """Whether it can be used."""

    nodes: int = 0
    """How many nodes it has."""

    total_cpus: int = 0
    """CPUs of all nodes."""

    total_memory: str = ""
    """Memory of all nodes in GiB, rounded, with its unit."""

    total_gpus: int = 0
    """GPUs of all nodes."""

    slurm_version: str = ""
    """The version of Slurm; empty while it cannot be reached."""

    api_version: str = ""
    """The version of its REST API that is spoken."""

    message: str = ""
    """Why it cannot be reached."""


@dataclass
class Container(_model.Model):
    """A container that an agent made."""

    id: str = ""
    """The runtime's id."""

    claim_id: str = ""
    """What it is for."""

    image: str = ""
    """The image it was made from."""

    status: str = ""
    """The runtime's word: `created`, `running`, `paused`, `restarting`, `removing`, `exited` or `dead`."""

    gpu_ids: list[int] = field(default_factory=list)
    """Indexes of its GPUs on the machine, for display."""

    ports: dict[str, str] = field(default_factory=dict)
    """Container port with protocol (`80/tcp`) to port on the machine."""

    created: int = 0
    """When it was made, in Unix seconds."""

    started: int = 0
    """When it was last started, in Unix seconds; 0 when never."""

    labels: dict[str, str] = field(default_factory=dict)
    """The container's labels."""


@dataclass
class CreateContainerResponse(_model.Model):
    """The container that was made or found."""

    container_id: str = ""
    """The runtime's id."""


@dataclass
class CreateHostResponse(_model.Model):
    """A host with its agent token."""

    host_id: str = ""
    """A UUID, the same as the node's."""

    name: str = ""
    """The name."""

    status: HostStatus = HostStatus.UNSPECIFIED
    """Where it stands."""

    agent_token: str = _model.member("agent_token", "", repr=False)
    """The agent token; only in this answer."""


@dataclass
class DeleteMachineResponse(_model.Model):
    """It is done."""

    message: str = ""
    """A sentence."""


@dataclass
class DeleteUserResponse(_model.Model):
    """It is done."""

    message: str = ""
    """A sentence."""


@dataclass
class Delivery(_model.Model):
    """An event on its way to one subscriber."""

    id: str = ""
    """A UUID."""

    webhook_id: str = ""
    """The webhook."""

    event_id: str = ""
    """The event, which is the `webhook-id` of every attempt."""

    event_type: str = ""
    """Its type."""

    status: DeliveryStatus = DeliveryStatus.UNSPECIFIED
    """How it stands."""

    attempts: int = 0
    """How often it was tried."""

    response_status: int = 0
    """The HTTP status of the last answer; 0 when there was none."""

    error: str = ""
    """Why the last attempt failed."""

    duration_ms: int = 0
    """How long the last attempt took in milliseconds."""

    created_at: datetime | None = None
    """When it was made."""

    attempted_at: datetime | None = None
    """When it was tried last; null before."""

    next_attempt_at: datetime | None = None
    """When it is tried next; null when it is over."""


@dataclass
class Deployment(_model.Model):
    """What became of a state on its minions."""

    job_id: str = ""
    """Salt's id, 20 digits."""

    state: str = ""
    """The state."""

    target: str = ""
    """Which minions were asked for."""

    complete: bool = False
    """Every minion has answered."""

    success: bool = False
    """Every minion has answered, and every part of the state holds, or with `test` would."""

    results: list[MinionDeployment] = field(default_factory=list)
    """By minion."""

    missing: list[str] = field(default_factory=list)
    """Minions that were asked for and have not answered; those of a list that do not exist are among them."""


@dataclass
class Empty(_model.Model):
    """Empty."""


@dataclass
class Event(_model.Model):
    """Something that happened."""

    cursor: str = ""
    """Where it stands in the log: whoever has seen it goes on from here."""

    id: str = ""
    """A UUID."""

    type: str = ""
    """What happened, e.g. `claim.running`."""

    resource: str = ""
    """The kind of resource: `claim`, `node`, `host`, `gpu`, `job` or `audit`."""

    resource_id: str = ""
    """Which one."""

    timestamp: datetime | None = None
    """When."""

    data: dict[str, Any] | None = None
    """What it is like now."""


@dataclass
class FleetGpu(_model.Model):
    """A GPU."""

    uuid: str = ""
    """Its UUID; empty for those of Slurm, which does not tell."""

    index: int = 0
    """Its number on the node."""

    model: str = ""
    """The product name, or the type as Slurm names it."""

    memory_mb: int = 0
    """Memory in MiB; 0 when it is not known."""

    source: GpuSource = GpuSource.UNSPECIFIED
    """Who gives it away."""

    status: GpuStatus = GpuStatus.UNSPECIFIED
    """How it stands."""

    node_id: str = ""
    """The node's id; empty for those of Slurm."""

    node_name: str = ""
    """The node's name."""

    cluster: str = ""
    """The cluster of Slurm."""

    claim_id: str = ""
    """The claim that has it."""


@dataclass
class GpuExplanation(_model.Model):
    """What one GPU lacks."""

    uuid: str = ""
    """The GPU's key."""

    index: int = 0
    """Index on the machine, for display."""

    fits: bool = False
    """It could be given to the claim."""

    reason: str = ""
    """Why not: `Allocated`, `Busy`, `ModelMismatch`, `InsufficientMemory` or `Faulty`; empty when it could."""


@dataclass
class GpuMetrics(_model.Model):
    """Readings of one GPU."""

    id: int = 0
    """Index on the machine, for display."""

    temperature_c: int = 0
    """Degrees Celsius."""

    memory_total_mb: int = 0
    """Memory in MiB."""

    memory_used_mb: int = 0
    """Memory in use in MiB."""

    name: str = ""
    """The product name; a simulated one says so."""

    uuid: str = ""
    """The GPU's key."""

    busy: bool = False
    """It is allocated, or a process that is not the agent's uses it, or its use is over the agent's threshold."""

    usage_percent: float = 0.0
    """Use of the GPU, 0 to 100."""

    error: str = ""
    """Why the readings are missing; empty when they are there."""


@dataclass
class Health(_model.Model):
    """Liveness."""

    status: str = ""
    """`healthy`; anything else is an error."""

    timestamp: datetime | None = None
    """When this was found."""


@dataclass
class History(_model.Model):
    """What a metric was."""

    metric: str = ""
    """Its name."""

    unit: str = ""
    """Its unit: `percent`, `bytes`, `bytes_per_second`, `celsius`, `watts`, `count` or empty."""

    step: int = 0
    """Seconds of a step."""

    points: list[Point] = field(default_factory=list)
    """The steps, oldest first."""


@dataclass
class Host(_model.Model):
    """A host."""

    host_id: str = ""
    """A UUID, the same as the node's."""

    name: str = ""
    """The name; the host name when none was given."""

    hostname: str = ""
    """As the agent reports it; empty before."""

    ip_address: str = ""
    """As registered, else where its agent connects from."""

    os_type: str = ""
    """`linux` or `windows`."""

    os_version: str = ""
    """Operating system with version."""

    deployment_mode: str = ""
    """`traditional`, `container` or `kubernetes`."""

    status: HostStatus = HostStatus.UNSPECIFIED
    """Where it stands."""

    health_status: HostHealth = HostHealth.UNKNOWN
    """How it is."""

    total_cpu: int = 0
    """Logical CPUs."""

    used_cpu: float = 0.0
    """Of these in use, as last reported."""

    total_memory: int = 0
    """Bytes."""

    used_memory: int = 0
    """Bytes in use, as last reported."""

    total_disk: int = 0
    """Bytes."""

    total_gpu: int = 0
    """GPUs."""

    used_gpu: int = 0
    """Of these allocated to claims, or in use as last reported."""

    labels: dict[str, str] = field(default_factory=dict)
    """The administrator's labels, over those of the agent."""

    last_heartbeat: datetime | None = None
    """When it was last heard of."""

    created_at: datetime | None = None
    """When it was registered or enrolled."""

    maintenance: Maintenance | None = None
    """Its maintenance; null when it is in none."""

    agent_connected: bool = False
    """Whether an agent is connected."""


@dataclass
class HostGpu(_model.Model):
    """A GPU of a host."""

    gpu_id: int = 0
    """Its number on this host, from 1."""

    gpu_index: int = 0
    """Its index on the machine, for display."""

    name: str = ""
    """The product name; a simulated one says so."""

    memory_total: int = 0
    """Bytes."""

    status: HostGpuStatus = HostGpuStatus.UNKNOWN
    """What it is doing."""

    allocated_to: str | None = None
    """The claim that has it; null when free."""

    temperature: float | None = None
    """Degrees Celsius; null when not known."""

    utilization: float | None = None
    """Percent; null when not known."""

    uuid: str = ""
    """The GPU's key."""

    memory_used: int | None = None
    """Bytes in use; null when not known."""


@dataclass
class HubServer(_model.Model):
    """A server of a user."""

    username: str = ""
    """Whose."""

    server_name: str = ""
    """Its name; empty for the first."""

    status: ServerStatus = ServerStatus.STOPPED
    """How it stands."""

    url: str = ""
    """Its path at the hub's public address; empty while it does not run."""

    started_at: datetime | None = None
    """When it was started; null while it does not run."""

    last_activity: datetime | None = None
    """When it was last used; null when never."""


@dataclass
class HubUser(_model.Model):
    """A user of the hub."""

    username: str = ""
    """The name."""

    admin: bool = False
    """Whether they administrate the hub."""

    groups: list[str] = field(default_factory=list)
    """Their groups."""

    servers: list[HubServer] = field(default_factory=list)
    """Their servers as far as the hub knows them, the one without a name first."""

    created_at: datetime | None = None
    """When they were added."""

    last_activity: datetime | None = None
    """When they were last seen; null when never."""


@dataclass
class Job(_model.Model):
    """A job."""

    job_id: int = 0
    """Slurm's number, unique in its cluster."""

    status: JobStatus = JobStatus.UNSPECIFIED
    """How it stands."""

    partition: str = ""
    """The partition."""

    nodes: list[str] = field(default_factory=list)
    """The nodes it has or had."""

    start_time: datetime | None = None
    """When it began to run; null before."""

    elapsed_time: str = ""
    """How long it has run, as `HH:MM:SS` or `D-HH:MM:SS`."""

    job_name: str = ""
    """The name."""

    cluster: str = ""
    """The cluster."""

    user: str = ""
    """The Slurm user."""

    submit_time: datetime | None = None
    """When it was accepted."""

    end_time: datetime | None = None
    """When it ended; null before."""

    slurm_state: str = ""
    """The state in Slurm's word, e.g. `OUT_OF_MEMORY`."""

    reason: str = ""
    """Why it waits or failed, in Slurm's word; empty for no reason. `ForgottenBySlurm` for a job that is lost."""

    exit_code: int = 0
    """Of the script when it has ended; 128 and the signal's number when a signal ended it."""

    cpus: int = 0
    """CPUs that it has or asks for."""

    gpus: int = 0
    """GPUs that it has or asks for, on all nodes."""

    time_limit_minutes: int = 0
    """Minutes; 0 for no limit."""


@dataclass
class JoinToken(_model.Model):
    """A join token."""

    id: str = ""
    """The token's id, not secret."""

    token: str = _model.member("token", "", repr=False)
    """The token; only in the answer that made it."""

    ca_hash: str = ""
    """The SHA-256 of the control plane's CA certificate, `sha256:<hex>`, which the agent pins."""

    command: str = _model.member("command", "", repr=False)
    """The command that joins a machine; only in the answer that made the token."""

    expires_at: datetime | None = None
    """When it expires."""

    max_uses: int = 0
    """How many machines may join with it; 0 for any number."""

    uses: int = 0
    """How many have."""

    node_id: str = ""
    """The one node it is for; empty for any."""

    description: str = ""
    """What it is for."""


@dataclass
class ListBackendsResponse(_model.Model):
    """All backends."""

    backends: list[Backend] = field(default_factory=list)
    """By kind and name."""


@dataclass
class ListClustersResponse(_model.Model):
    """All clusters."""

    clusters: list[Cluster] = field(default_factory=list)
    """In the order of the settings."""


@dataclass
class ListGpusResponse(_model.Model):
    """A page of GPUs."""

    gpus: list[FleetGpu] = field(default_factory=list)
    """By node and index."""

    total: int = 0
    """How many there are on all pages."""

    page: int = 0
    """This page."""

    limit: int = 0
    """GPUs on a page."""

    warnings: list[str] = field(default_factory=list)
    """Sources that could not be asked, each with its reason; their GPUs are missing."""


@dataclass
class ListHostGpusResponse(_model.Model):
    """A host's GPUs."""

    items: list[HostGpu] = field(default_factory=list)
    """By index."""


@dataclass
class ListMetricsResponse(_model.Model):
    """All metrics."""

    metrics: list[Metric] = field(default_factory=list)
    """By name."""


@dataclass
class ListRolesResponse(_model.Model):
    """All roles."""

    roles: list[Role] = field(default_factory=list)
    """The roles, by name."""


@dataclass
class LogEntry(_model.Model):
    """Something that a container wrote."""

    stream: LogStream = LogStream.UNSPECIFIED
    """Where to."""

    time: datetime | None = None
    """When."""

    text: str = ""
    """A line with its end, or a part of one that is longer than 16 KiB. What is not UTF-8 is replaced by U+FFFD."""


@dataclass
class LoginResponse(_model.Model):
    """A token and whom it stands for."""

    token: str = _model.member("token", "", repr=False)
    """A JWT for `Authorization: Bearer`."""

    user: User | None = None
    """The user."""


@dataclass
class LogoutResponse(_model.Model):
    """It is done."""

    message: str = ""
    """A sentence."""


@dataclass
class Machine(_model.Model):
    """A machine."""

    id: str = ""
    """A UUID."""

    name: str = ""
    """The name."""

    ip_address: str = ""
    """Where SSH reaches it."""

    internal_address: str = ""
    """Its address inside the cluster's network; may be empty."""

    user: str = ""
    """The user to log in as."""

    role: MachineRole = MachineRole.UNSPECIFIED
    """What it is for."""

    status: MachineStatus = MachineStatus.UNSPECIFIED
    """Where it stands."""

    message: str = ""
    """Why it stands so; may be empty."""

    artifact_path: str = ""
    """A path below the artifact directory; may be empty."""

    image_repo: str = ""
    """A repository of images; may be empty."""

    registry_address: str = ""
    """A registry's host and port; may be empty."""

    labels: dict[str, str] = field(default_factory=dict)
    """Labels."""

    ssh_port: int = 0
    """The port of SSH."""

    host_key: str = ""
    """The host key that is pinned, as OpenSSH writes it; empty before the first log-in."""

    has_password: bool = False
    """Whether a password is kept."""

    has_private_key: bool = False
    """Whether a private key is kept."""

    last_checked_at: datetime | None = None
    """When it was last checked."""

    created_at: datetime | None = None
    """When it was added."""

    updated_at: datetime | None = None
    """When it last changed."""


@dataclass
class Maintenance(_model.Model):
    """A host's maintenance."""

    reason: str = ""
    """Why."""

    claims: MaintenanceClaims = MaintenanceClaims.UNSPECIFIED
    """What happens to its claims."""

    since: datetime | None = None
    """Since when."""

    remaining_claims: int = 0
    """Claims that are still there: placed on the host, or with a container that is still being removed."""


@dataclass
class Metric(_model.Model):
    """A metric."""

    name: str = ""
    """Its name."""

    unit: str = ""
    """Its unit."""

    per_gpu: bool = False
    """Whether each GPU has one."""

    description: str = ""
    """What it is."""


@dataclass
class Minion(_model.Model):
    """A minion."""

    id: str = ""
    """Its name."""

    status: MinionStatus = MinionStatus.UNSPECIFIED
    """Whether it answers."""

    os: str = ""
    """The operating system; empty when the minion was never heard of."""

    os_release: str = ""
    """Its release."""

    cpus: int = 0
    """CPUs."""

    memory_mb: int = 0
    """Memory in MiB."""

    ip_addresses: list[str] = field(default_factory=list)
    """IPv4 addresses."""

    salt_version: str = ""
    """The version of Salt on it."""

    grains: dict[str, Any] | None = None
    """All grains; in lists empty."""


@dataclass
class MinionDeployment(_model.Model):
    """What became of a state on one minion."""

    minion: str = ""
    """The minion's name."""

    success: bool = False
    """Every part of the state holds, or with `test` would."""

    states: list[StateResult] = field(default_factory=list)
    """Its parts, in the order in which they ran."""

    errors: list[str] = field(default_factory=list)
    """Why none ran, e.g. that there is no such state."""


@dataclass
class MinionResult(_model.Model):
    """What a function did on one minion."""

    minion: str = ""
    """The minion's name."""

    success: bool = False
    """It ended with return code 0, and no state of it failed."""

    result: Any = None
    """What the function returned."""

    return_code: int = 0
    """The return code."""


@dataclass
class MonitoringSystemMetrics(_model.Model):
    """Readings."""

    cpu_usage: float = 0.0
    """Use of all cores together, 0 to 100."""

    memory_usage: float = 0.0
    """Memory in use, 0 to 100."""

    disk_usage: float = 0.0
    """Use of the file system that holds the agent's data, 0 to 100."""

    network_in: float = 0.0
    """Bytes received per second on all interfaces but the loopback."""

    network_out: float = 0.0
    """Bytes sent per second."""

    gpu_usage: float = 0.0
    """Use of the GPUs, 0 to 100."""

    gpu_memory_usage: float = 0.0
    """Memory in use of the GPUs, 0 to 100."""

    nodes: int = 0
    """How many nodes were read."""

    gpus: int = 0
    """How many GPUs were read."""

    timestamp: datetime | None = None
    """When the answer was made."""


@dataclass
class Node(_model.Model):
    """A machine."""

    id: str = ""
    """A UUID, the same as the host's."""

    hostname: str = ""
    """As the agent reports it."""

    status: NodeState = NodeState.UNSPECIFIED
    """Where it stands."""

    gpus: list[NodeGpu] = field(default_factory=list)
    """The GPUs, by index."""

    cpu_count: int = 0
    """Logical CPUs."""

    memory_mb: int = 0
    """Memory in MiB."""

    os: str = ""
    """Operating system with version."""

    kernel: str = ""
    """The kernel's release."""

    agent_version: str = ""
    """The agent's version."""

    runtime: str = ""
    """The container runtime with version; empty when it cannot be reached."""

    labels: dict[str, str] = field(default_factory=dict)
    """The agent's labels."""

    last_seen_at: datetime | None = None
    """When it was last heard of."""

    created_at: datetime | None = None
    """When it was announced or enrolled."""

    in_maintenance: bool = False
    """Claims are not placed here for now: see HostService."""


@dataclass
class NodeExplanation(_model.Model):
    """What one node lacks."""

    node_id: str = ""
    """The node's id."""

    node_name: str = ""
    """Its host name."""

    fits: bool = False
    """The claim fits there now."""

    reason: str = ""
    """Why it does not, a stable word: `NodeOffline`, `InsufficientGPUs`, `RuntimeUnavailable` and others; empty when it
    fits.
    """

    message: str = ""
    """The same in a sentence."""

    gpus: list[GpuExplanation] = field(default_factory=list)
    """Its GPUs, by index."""


@dataclass
class NodeGpu(_model.Model):
    """A GPU of a node."""

    uuid: str = ""
    """The GPU's key."""

    index: int = 0
    """Index on the machine, for display."""

    name: str = ""
    """The product name; a simulated one says so."""

    memory_mb: int = 0
    """Memory in MiB."""

    claim_id: str = ""
    """The claim it is allocated to; empty when free."""

    unavailable: str = ""
    """Why it cannot be allocated although it is free; empty when it can."""


@dataclass
class NodeMetrics(_model.Model):
    """Readings of one machine."""

    node_id: str = ""
    """The node; empty before the agent has enrolled."""

    cpu_usage_percent: float = 0.0
    """Use of all cores together, 0 to 100."""

    memory_usage_percent: float = 0.0
    """Memory in use, 0 to 100."""

    gpus: list[GpuMetrics] = field(default_factory=list)
    """The GPUs, by index."""

    system: SystemMetrics | None = None
    """The machine."""


@dataclass
class Pagination(_model.Model):
    """Which page of how many."""

    page: int = 0
    """This page."""

    page_size: int = 0
    """Hosts on a page."""

    total: int = 0
    """Hosts on all pages."""

    total_pages: int = 0
    """How many pages; 0 without hosts."""


@dataclass
class Point(_model.Model):
    """A step."""

    timestamp: datetime | None = None
    """Its beginning."""

    value: float = 0.0
    """The mean of what was measured in it."""


@dataclass
class PortMapping(_model.Model):
    """A port of a container made reachable on its machine."""

    host_port: int = 0
    """Port on the machine, 1 to 65535; 0 lets the agent choose."""

    container_port: int = 0
    """Port in the container, 1 to 65535."""

    protocol: str = ""
    """`tcp` (also when empty) or `udp`."""


@dataclass(kw_only=True)
class PortMappingInput(_model.Model):
    """A port of a container made reachable on its machine."""

    host_port: int | None = None
    """Port on the machine, 1 to 65535; 0 lets the agent choose."""

    container_port: int
    """Port in the container, 1 to 65535."""

    protocol: str | None = None
    """`tcp` (also when empty) or `udp`."""


@dataclass
class Progress(_model.Model):
    """How far a start has come."""

    progress: int = 0
    """0 to 100."""

    message: str = ""
    """What is done, in the hub's words."""

    ready: bool = False
    """It can be used."""

    failed: bool = False
    """It did not start."""

    url: str = ""
    """Its path at the hub's public address, when it is ready."""


@dataclass
class RegisterNodeResponse(_model.Model):
    """The node that was announced."""

    id: str = ""
    """The node's id, a UUID."""


@dataclass
class Resources(_model.Model):
    """How much of a machine a claim wants."""

    gpu_count: int = _model.member("gpuCount", 0)
    """GPUs, 0 to 1024; 0 is a claim without GPUs."""

    gpu_model: str = _model.member("gpuModel", "")
    """A part of the GPU's product name, compared without regard to case; any when empty."""

    gpu_memory_mb: int = _model.member("gpuMemoryMb", 0)
    """The least memory of each GPU in MiB; any when 0."""

    memory_mb: int = _model.member("memoryMb", 0)
    """Memory limit of the container in MiB; none when 0."""

    cpus: float = 0.0
    """CPU limit of the container in cores; none when 0."""


@dataclass(kw_only=True)
class ResourcesInput(_model.Model):
    """How much of a machine a claim wants."""

    gpu_count: int | None = _model.member("gpuCount", None)
    """GPUs, 0 to 1024; 0 is a claim without GPUs."""

    gpu_model: str | None = _model.member("gpuModel", None)
    """A part of the GPU's product name, compared without regard to case; any when empty."""

    gpu_memory_mb: int | None = _model.member("gpuMemoryMb", None)
    """The least memory of each GPU in MiB; any when 0."""

    memory_mb: int | None = _model.member("memoryMb", None)
    """Memory limit of the container in MiB; none when 0."""

    cpus: float | None = None
    """CPU limit of the container in cores; none when 0."""


@dataclass
class RevokeAccessKeyResponse(_model.Model):
    """It is done."""

    message: str = ""
    """A sentence."""


@dataclass
class RevokeApiTokenResponse(_model.Model):
    """It is done."""

    message: str = ""
    """A sentence."""


@dataclass
class Role(_model.Model):
    """A role."""

    name: str = ""
    """The name."""

    policy: RolePolicy | None = None
    """What it allows."""


@dataclass
class RolePolicy(_model.Model):
    """What a role allows. Both fields absent: no GPU at all."""

    allow_all: bool = False
    """No limits."""

    max_gpu_count: int | None = None
    """The most GPUs that all live claims of one user may ask for together. Ignored under `allow_all`."""


@dataclass
class SaltJob(_model.Model):
    """A job and its results."""

    job_id: str = ""
    """Salt's id, 20 digits."""

    function: str = ""
    """The function."""

    target: str = ""
    """Which minions were asked for."""

    complete: bool = False
    """Every minion has answered."""

    success: bool = False
    """Every minion has answered, and each with success."""

    results: list[MinionResult] = field(default_factory=list)
    """By minion."""

    missing: list[str] = field(default_factory=list)
    """Minions that were asked for and have not answered; those of a list that do not exist are among them."""

    start_time: str = ""
    """When it began by the master's own clock, which tells no zone."""


@dataclass
class Session(_model.Model):
    """A token and whom it stands for."""

    token: str = _model.member("token", "", repr=False)
    """A JWT for `Authorization: Bearer`."""

    expires_in: int = 0
    """Seconds until it expires."""

    user: Account | None = None
    """The user."""


@dataclass
class SlurmGpus(_model.Model):
    """Equal GPUs of a node."""

    type: str = ""
    """The type as Slurm names it; empty when it has none."""

    count: int = 0
    """How many."""

    used: int = 0
    """How many of them are in use."""


@dataclass
class SlurmListNodesResponse(_model.Model):
    """All nodes of a cluster."""

    nodes: list[SlurmNode] = field(default_factory=list)
    """By name."""


@dataclass
class SlurmNode(_model.Model):
    """A node of Slurm."""

    name: str = ""
    """The name."""

    state: str = ""
    """Slurm's word in lower case: `idle`, `mixed`, `allocated`, `down`, `drained` …"""

    cpus: int = 0
    """CPUs."""

    memory: str = ""
    """Memory in GiB, rounded, with its unit."""

    jobs: list[int] = field(default_factory=list)
    """The jobs on it."""

    allocated_cpus: int = 0
    """CPUs in use."""

    gpus: list[SlurmGpus] = field(default_factory=list)
    """Its GPUs."""

    reason: str = ""
    """Why it is down or drained."""

    cluster: str = ""
    """The cluster."""


@dataclass
class StateResult(_model.Model):
    """One part of a state."""

    id: str = ""
    """Its id in the state."""

    function: str = ""
    """The function, e.g. `file.managed`."""

    name: str = ""
    """What it is about, e.g. a path."""

    success: bool = False
    """It holds; with `test`, it would."""

    changed: bool = False
    """It was changed, or with `test` would be."""

    comment: str = ""
    """What was done."""

    changes: dict[str, Any] | None = None
    """What changed."""

    duration_ms: float = 0.0
    """Milliseconds."""


@dataclass
class SubmitJobResponse(_model.Model):
    """A job that was accepted."""

    job_id: int = 0
    """Slurm's number, unique in its cluster."""

    status: JobStatus = JobStatus.UNSPECIFIED
    """How it stands."""

    submit_time: datetime | None = None
    """When it was accepted."""

    cluster: str = ""
    """Where."""


@dataclass
class SystemMetrics(_model.Model):
    """Readings of the machine apart from its GPUs."""

    cpu_usage_percent: float = 0.0
    """Use of all cores together, 0 to 100."""

    memory_usage_percent: float = 0.0
    """Memory in use, 0 to 100."""

    memory_total_mb: int = 0
    """Memory in MiB."""

    memory_used_mb: int = 0
    """Memory in use in MiB."""

    disk_usage_percent: float = 0.0
    """Use of the file system that holds the agent's data, 0 to 100."""

    load_average: float = 0.0
    """Mean number of runnable tasks over one minute."""

    uptime: int = 0
    """Seconds since the machine started."""


@dataclass
class TestToken(_model.Model):
    """A token for trying things out."""

    token: str = _model.member("token", "", repr=False)
    """A JWT for `Authorization: Bearer`."""


@dataclass
class Usage(_model.Model):
    """What is kept."""

    buckets: int = 0
    """Buckets."""

    objects: int = 0
    """Objects."""

    bytes: int = 0
    """Bytes of content."""


@dataclass
class User(_model.Model):
    """A person."""

    id: int = 0
    """Integer id, ascending."""

    username: str = ""
    """The user name."""

    role: str = ""
    """`admin`, `operator`, `user` or `readonly`."""


@dataclass
class Webhook(_model.Model):
    """A subscription."""

    id: str = ""
    """A UUID."""

    url: str = ""
    """Where events are sent."""

    events: list[str] = field(default_factory=list)
    """Which types; `job.*` is all types of jobs, `*` is all."""

    active: bool = False
    """Whether events are sent."""

    description: str = ""
    """A note."""

    created_at: datetime | None = None
    """When it was made."""

    updated_at: datetime | None = None
    """When it was changed."""

    secret: str = ""
    """The secret of the signatures, in the answer to subscribing only."""


@dataclass
class JupyterHubListUsersResponse(_model.Model, _model.Page[HubUser]):
    """A page of users."""

    _items: ClassVar[str] = "users"

    users: list[HubUser] = field(default_factory=list)
    """By name."""

    total: int = 0
    """How many there are on all pages."""

    page: int = 0
    """This page."""

    limit: int = 0
    """Users on a page."""


@dataclass
class ListAccessKeysResponse(_model.Model, _model.Page[AccessKey]):
    """A page of access keys."""

    _items: ClassVar[str] = "access_keys"

    access_keys: list[AccessKey] = field(default_factory=list)
    """Newest first."""

    total: int = 0
    """How many there are on all pages."""

    page: int = 0
    """This page."""

    limit: int = 0
    """Keys on a page."""


@dataclass
class ListApiTokensResponse(_model.Model, _model.Page[ApiToken]):
    """A page of API tokens."""

    _items: ClassVar[str] = "tokens"

    tokens: list[ApiToken] = field(default_factory=list)
    """Newest first."""

    total: int = 0
    """How many there are on all pages."""

    page: int = 0
    """This page."""

    limit: int = 0
    """Tokens on a page."""


@dataclass
class ListAuditEventsResponse(_model.Model, _model.Page[AuditEvent]):
    """A page of events."""

    _items: ClassVar[str] = "events"

    events: list[AuditEvent] = field(default_factory=list)
    """Newest first."""

    total: int = 0
    """How many there are on all pages."""

    page: int = 0
    """This page."""

    limit: int = 0
    """Events on a page."""


@dataclass
class ListBucketsResponse(_model.Model, _model.Page[Bucket]):
    """A page of buckets."""

    _items: ClassVar[str] = "buckets"

    buckets: list[Bucket] = field(default_factory=list)
    """By name."""

    total: int = 0
    """How many there are on all pages."""

    page: int = 0
    """This page."""

    limit: int = 0
    """Buckets on a page."""

    usage: Usage | None = None
    """What all buckets hold, on all pages."""


@dataclass
class ListClaimsResponse(_model.Model, _model.Page[Claim]):
    """A page of claims."""

    _items: ClassVar[str] = "claims"

    claims: list[Claim] = field(default_factory=list)
    """Newest first."""

    total: int = 0
    """How many there are on all pages."""

    page: int = 0
    """This page."""

    limit: int = 0
    """Claims on a page."""


@dataclass
class ListDeliveriesResponse(_model.Model, _model.Page[Delivery]):
    """A page of deliveries."""

    _items: ClassVar[str] = "deliveries"

    deliveries: list[Delivery] = field(default_factory=list)
    """Newest first."""

    total: int = 0
    """How many there are on all pages."""

    page: int = 0
    """This page."""

    limit: int = 0
    """Deliveries on a page."""


@dataclass
class ListHostsResponse(_model.Model, _model.Page[Host]):
    """A page of hosts."""

    _items: ClassVar[str] = "items"
    _counts: ClassVar[str] = "pagination"

    items: list[Host] = field(default_factory=list)
    """By when they were registered or enrolled, then id."""

    pagination: Pagination | None = None
    """Which page."""


@dataclass
class ListJobsResponse(_model.Model, _model.Page[Job]):
    """A page of jobs."""

    _items: ClassVar[str] = "jobs"

    jobs: list[Job] = field(default_factory=list)
    """Newest first."""

    total: int = 0
    """How many there are on all pages."""

    page: int = 0
    """This page."""

    limit: int = 0
    """Jobs on a page."""


@dataclass
class ListJoinTokensResponse(_model.Model, _model.Page[JoinToken]):
    """A page of join tokens."""

    _items: ClassVar[str] = "join_tokens"

    join_tokens: list[JoinToken] = field(default_factory=list)
    """Newest first."""

    total: int = 0
    """How many there are on all pages."""

    page: int = 0
    """This page."""

    limit: int = 0
    """Tokens on a page."""


@dataclass
class ListMachinesResponse(_model.Model, _model.Page[Machine]):
    """A page of machines."""

    _items: ClassVar[str] = "machines"

    machines: list[Machine] = field(default_factory=list)
    """By when they were added, then id."""

    total: int = 0
    """How many there are on all pages."""

    page: int = 0
    """This page."""

    limit: int = 0
    """Machines on a page."""


@dataclass
class ListMinionsResponse(_model.Model, _model.Page[Minion]):
    """A page of minions."""

    _items: ClassVar[str] = "minions"

    minions: list[Minion] = field(default_factory=list)
    """By name, without all their grains."""

    total: int = 0
    """How many there are on all pages."""

    page: int = 0
    """This page."""

    limit: int = 0
    """Minions on a page."""


@dataclass
class ListNodesResponse(_model.Model, _model.Page[Node]):
    """A page of nodes."""

    _items: ClassVar[str] = "nodes"

    nodes: list[Node] = field(default_factory=list)
    """By host name, then id."""

    total: int = 0
    """How many there are on all pages."""

    page: int = 0
    """This page."""

    limit: int = 0
    """Nodes on a page."""


@dataclass
class ListUsersResponse(_model.Model, _model.Page[Account]):
    """A page of users."""

    _items: ClassVar[str] = "users"

    users: list[Account] = field(default_factory=list)
    """By when they registered."""

    total: int = 0
    """How many there are on all pages."""

    page: int = 0
    """This page."""

    limit: int = 0
    """Users on a page."""


@dataclass
class ListWebhooksResponse(_model.Model, _model.Page[Webhook]):
    """A page of subscriptions."""

    _items: ClassVar[str] = "webhooks"

    webhooks: list[Webhook] = field(default_factory=list)
    """Newest first."""

    total: int = 0
    """How many there are on all pages."""

    page: int = 0
    """This page."""

    limit: int = 0
    """Webhooks on a page."""
