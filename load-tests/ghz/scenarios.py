"""What is called: methods of every service with data that may be sent again and again.

Strings may hold ghz's templates: `{{.UUID}}` is another one in each call, for names that must be unique.
"""

import base64
import dataclasses
import enum
import uuid

import plane as planes

HEARTBEATS = 100
GPUS = 8


class Caller(enum.Enum):
    """As whom."""

    NOBODY = enum.auto()
    ADMINISTRATOR = enum.auto()
    HOST = enum.auto()
    NODE = enum.auto()


@dataclasses.dataclass(frozen=True)
class Scenario:
    """One method with its data."""

    # Package, service and method, without `utopia.`.
    method: str
    data: object = dataclasses.field(default_factory=dict)
    caller: Caller = Caller.ADMINISTRATOR
    # Calls per second for latency.
    rate: int = 100
    in_flight: int = 16
    # The most calls of one run; 0 for as many as there is time for.
    most: int = 0
    note: str = ""

    @property
    def name(self):
        """Service and method, and what is special."""
        service, method = self.method.split("/")
        return f"{service.rpartition('.')[2]}.{method}" + (f" ({self.note})" if self.note else "")


@dataclasses.dataclass
class World:
    """What scenarios need to be there."""

    host_id: str
    host_token: str
    other_host_id: str
    machine_id: str
    unreachable_machine_id: str
    user_id: str
    claim_id: str
    audit_id: str
    join_token: str
    request: bytes
    # An agent that stays connected, and one whose certificate ghz takes.
    connected: planes.Agent
    enrolled: planes.Agent
    # A request of the second agent's own key.
    own_request: bytes


USER = {"username": "ghz", "password": "correct horse battery"}
CLAIM = {"image": "simulated:1", "resources": {"gpu_count": 1, "gpu_model": "no such model"}}


def prepare(plane, directory, connected, enrolled):
    """Makes what scenarios need; all names are new, so that it can be done again."""
    run = uuid.uuid4().hex[:8]

    def host(name):
        return plane.ask("POST", "/api/v1/hosts", {"name": f"ghz-{run}-{name}", "labels": {"region": "us-west", "rack": "r17"}})

    def machine(name, address):
        body = {"name": f"ghz-{run}-{name}", "ip_address": address, "user": "root", "password": "not right", "role": "worker", "ssh_port": 1}
        return plane.ask("POST", "/api/v1/machines", body)["id"]

    one, other = host("one"), host("other")
    return World(
        host_id=one["host_id"],
        host_token=one["agent_token"],
        other_host_id=other["host_id"],
        machine_id=machine("one", f"{run}.invalid"),
        unreachable_machine_id=machine("closed", "127.0.0.1"),
        user_id=plane.ask("POST", "/api/v1/users", {**USER, "username": f"ghz-{run}"})["id"],
        # It waits for ever: no machine has such a GPU.
        claim_id=plane.ask("POST", "/api/gpu-claims", {"spec": CLAIM})["id"],
        audit_id=plane.ask("GET", "/api/v1/audit?limit=1")["events"][0]["id"],
        join_token=planes.token_of(plane),
        request=planes.certificate_request(directory),
        connected=connected,
        enrolled=enrolled,
        own_request=planes.certificate_request(directory, enrolled.key),
    )


def scenarios(world, password):
    """All of them, those first that leave little behind."""
    return [*reading(world), *asking_nodes(world), *people(world, password), *writing(world), *agents(world)]


def reading(world):
    """Nothing changes."""
    host, machine, node = {"host_id": world.host_id}, {"id": world.machine_id}, {"id": world.connected.node_id}
    return [
        Scenario("iam.v1.IamService/ListRoles", rate=200),
        Scenario("iam.v1.AccountService/GetProfile", rate=200),
        Scenario("iam.v1.UserService/ListUsers", rate=200),
        Scenario("iam.v1.UserService/GetUser", {"id": world.user_id}, rate=200),
        Scenario("iam.v1.ApiTokenService/ListApiTokens", rate=200),
        Scenario("host.v1.HostService/ListHosts", rate=200),
        Scenario("host.v1.HostService/GetHost", host, rate=200),
        Scenario("host.v1.HostService/ListHostGpus", {"host_id": world.connected.node_id}, rate=200),
        Scenario("machine.v1.MachineService/ListMachines", rate=200),
        Scenario("machine.v1.MachineService/GetMachine", machine, rate=200),
        Scenario("node.v1.NodeService/ListNodes", rate=200),
        Scenario("node.v1.NodeService/GetNode", node, rate=200),
        Scenario("node.v1.JoinTokenService/ListJoinTokens", rate=200),
        Scenario("audit.v1.AuditService/ListAuditEvents", rate=200),
        Scenario("audit.v1.AuditService/GetAuditEvent", {"id": world.audit_id}, rate=200),
        Scenario("claim.v1.ClaimService/ListClaims", rate=200),
        Scenario("claim.v1.ClaimService/GetClaim", {"id": world.claim_id}, rate=200),
        Scenario("claim.v1.ClaimService/ExplainClaim", {"id": world.claim_id}, rate=200),
    ]


def asking_nodes(world):
    """A round trip to the connected agent each, but for the health of the control plane itself."""
    node = world.connected.node_id
    return [
        Scenario("node.v1.NodeService/GetNodeStatus", {"id": node}),
        Scenario("node.v1.NodeAgentService/GetMetrics", {"node_id": node}),
        Scenario("node.v1.NodeAgentService/GetHealth", caller=Caller.NOBODY),
    ]


def people(world, password):
    """Passwords are hashed so that guessing is slow: these are dear by intention."""
    credentials = {"username": "admin", "password": password}
    fresh = {"username": "u{{.UUID}}", "password": USER["password"]}
    return [
        Scenario("iam.v1.IamService/Login", credentials, Caller.NOBODY, rate=10, in_flight=4),
        Scenario("iam.v1.IamService/Register", fresh, Caller.NOBODY, rate=10, in_flight=4),
        Scenario("iam.v1.AccountService/Login", credentials, Caller.NOBODY, rate=10, in_flight=4),
        Scenario("iam.v1.AccountService/Register", fresh, Caller.NOBODY, rate=10, in_flight=4),
        Scenario("iam.v1.UserService/CreateUser", {**fresh, "role": "user"}, rate=10, in_flight=4),
        Scenario("iam.v1.UserService/UpdateUser", {"id": world.user_id, "email": "{{.UUID}}@example.com"}),
        Scenario("iam.v1.UserService/UnlockUser", {"id": world.user_id}),
        # Nobody may have more than 100.
        Scenario("iam.v1.ApiTokenService/CreateApiToken", {"name": "{{.UUID}}", "ttl_seconds": 60}, most=45),
        Scenario("iam.v1.IamService/SetRolePolicy", {"role": "readonly", "policy": {"max_gpu_count": 0}}),
    ]


def writing(world):
    """Rows in the database, each with its line in the audit log but for heartbeats."""
    other = {"host_id": world.other_host_id}
    heartbeat = {"status": "online", "health_status": "HOST_HEALTH_HEALTHY", "used_cpu": 8, "used_memory": 34359738368, "used_gpu": 2}
    machine = {"user": "root", "password": "not right", "role": "MACHINE_ROLE_WORKER", "ip_address": "{{.UUID}}.invalid"}
    return [
        Scenario("host.v1.HostService/ReportHeartbeat", {"host_id": world.host_id, **heartbeat}, Caller.HOST, rate=200),
        Scenario("host.v1.HostService/CreateHost", {"name": "ghz-{{.UUID}}", "labels": {"region": "us-west"}}),
        Scenario("host.v1.HostService/UpdateHost", {**other, "os_version": "Debian {{.RequestNumber}}"}),
        Scenario("host.v1.HostService/SetMaintenance", {**other, "reason": "ghz"}),
        Scenario("host.v1.HostService/EndMaintenance", other),
        Scenario("host.v1.HostService/RotateAgentToken", other),
        Scenario("machine.v1.MachineService/UpdateMachine", {"id": world.machine_id, "name": "ghz-{{.UUID}}", **machine}, most=200),
        Scenario("machine.v1.MachineService/SetMachineStatus", {"id": world.machine_id, "status": "MACHINE_STATUS_MAINTENANCE"}),
        Scenario("machine.v1.MachineService/CheckMachine", {"id": world.unreachable_machine_id}, rate=20, in_flight=4),
        Scenario("machine.v1.MachineService/CreateMachine", {"name": "ghz-{{.UUID}}", **machine}, most=200),
        Scenario("node.v1.NodeService/RegisterNode", {"hostname": "ghz-{{.RequestNumber}}"}, Caller.NOBODY),
        Scenario("node.v1.JoinTokenService/CreateJoinToken", {"ttl_seconds": 60, "max_uses": 1, "description": "ghz"}),
        # Each one is looked at by every later pass.
        Scenario("claim.v1.ClaimService/CreateClaim", {"spec": CLAIM}, most=500),
    ]


def agents(world):
    """What agents do before and on the link. One node has one session: the streams of the link follow one another."""
    request, own = (base64.b64encode(der).decode() for der in (world.request, world.own_request))
    expired = base64.b64encode(world.enrolled.certificate_der).decode()
    enrol = {"token": world.join_token, "csr": request, "machine_id": "ghz-{{.UUID}}", "facts": FACTS}
    return [
        Scenario("link.v1.EnrolmentService/Enrol", enrol, Caller.NOBODY),
        Scenario("link.v1.EnrolmentService/Renew", {"csr": own}, Caller.NODE),
        Scenario("link.v1.EnrolmentService/Recover", {"csr": own, "expired_certificate": expired}, Caller.NOBODY),
        Scenario(
            "link.v1.AgentLink/Connect", session(world.enrolled), Caller.NODE, rate=10, in_flight=1, note=f"{HEARTBEATS} heartbeats"
        ),
    ]


FACTS = {
    "hostname": "ghz",
    "os": "Debian GNU/Linux 12",
    "kernel": "6.1.0",
    "cpu_count": 128,
    "memory_bytes": 1 << 40,
    "disk_bytes": 4 << 40,
    "agent_version": "0",
    "labels": {"utopia.dev/simulated-gpus": "true"},
}


def session(agent):
    """The frames of one stream: who the agent is, and its heartbeats, as fast as they go."""
    gpus = [
        {"uuid": f"GPU-{agent.node_id[:-2]}{index:02x}", "index": index, "name": "Simulated GPU", "memory_bytes": 80 << 30}
        for index in range(GPUS)
    ]
    reading = {"memory_used_bytes": 300 << 20, "temperature_c": 34, "power_milliwatts": 68_000}
    rest = {"cpu_usage_percent": 12.5, "memory_used_bytes": 180 << 30, "disk_usage_percent": 37.5, "load_average": 4.5}
    hello = {"hello": {"node_id": agent.node_id, "protocol": 1, "facts": FACTS, "gpus": gpus}}
    heartbeats = [
        {"heartbeat": {"sequence": sequence, "uptime_seconds": 86_400 + sequence, "gpus": [reading] * GPUS, **rest}}
        for sequence in range(1, HEARTBEATS + 1)
    ]
    return [hello, *heartbeats]
