"""A control plane to call: one that is started here and gone afterwards, or a given one. And what callers need to be somebody there."""

import contextlib
import json
import os
import pathlib
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

START_TIMEOUT_S = 60
POLL_S = 0.05

# On, as in production, with numbers that no run reaches.
LIMITS = "login=6000000,general=6000000,admin=6000000"


class Plane:
    """A control plane, as its administrator sees it."""

    def __init__(self, grpc, http, ca, password, pid=None):
        self.grpc, self.http, self.ca, self.pid = grpc, http, ca, pid
        self.token = None
        self.token = self.ask("POST", "/api/auth/login", {"username": "admin", "password": password})["token"]

    def ask(self, method, path, body=None):
        """Asks the JSON API; answers what is in the envelope where there is one."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{self.http}{path}", data, {"content-type": "application/json"}, method=method)
        if self.token:
            request.add_header("authorization", f"Bearer {self.token}")
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            raise SystemExit(f"error: {method} {path} answered {error.code}: {error.read().decode(errors='replace')}") from None
        return answer["data"] if "data" in answer else answer

    def cpu_s(self):
        """User and system time of its process so far; None when the process is not known."""
        if self.pid is None:
            return None
        stat = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def started(programs, directory, further=(), name="control-plane"):
    """A control plane of the run's own, in a directory, on free ports, with further arguments."""
    grpc, http = free_address(), free_address()
    data, log = directory / name, directory / f"{name}.log"
    arguments = ["--data-dir", data, "--grpc-addr", grpc, "--http-addr", http, "--limits", LIMITS, *further]
    with process([programs / "utopia-controlplane", *arguments], log) as child:
        wait_until(lambda: answers(http), child, log)
        password = (data / "admin-password").read_text().strip()
        yield Plane(grpc, http, data / "ca" / "ca.pem", password, child.pid)


class Agent:
    """What an enrolled agent has."""

    def __init__(self, directory):
        self.node_id = (directory / "node-id").read_text().strip()
        self.key = directory / "key.pem"
        self.certificate_der = (directory / "certificate.der").read_bytes()
        # ghz reads no DER.
        self.certificate = directory / "certificate.pem"
        self.certificate.write_text(ssl.DER_cert_to_PEM_cert(self.certificate_der))


@contextlib.contextmanager
def agent(plane, programs, directory, name):
    """A real agent that has enrolled; it stays connected until the end of the block."""
    join = plane.ask("POST", "/api/join-tokens", {"max_uses": 1, "description": "ghz"})
    log, data = directory / f"{name}.log", directory / name
    arguments = ["--server", f"https://{plane.grpc}", "--ca-hash", join["ca_hash"], "--data-dir", data]
    arguments += ["--gpus", "simulated:8", "--http-addr", "127.0.0.1:0"]
    with process([programs / "utopia-agent", *arguments], log, UTOPIA_JOIN_TOKEN=join["token"]) as child:
        wait_until(lambda: (data / "agent" / "certificate.der").exists(), child, log)
        enrolled = Agent(data / "agent")
        wait_until(lambda: plane.ask("GET", f"/api/nodes/{enrolled.node_id}")["status"] == "Online", child, log)
        yield enrolled


def token_of(plane):
    """A join token for any number of machines."""
    return plane.ask("POST", "/api/join-tokens", {"max_uses": 0, "description": "ghz"})["token"]


def certificate_request(directory, key=None):
    """A certificate request in DER, without names, as agents make them."""
    if key is None:
        key = directory / "request-key.pem"
        curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
        subprocess.run(["openssl", "genpkey", *curve, "-out", key], check=True, capture_output=True)
    settings = directory / "request.cnf"
    settings.write_text("[req]\nprompt = no\ndistinguished_name = nobody\n[nobody]\n")
    command = ["openssl", "req", "-new", "-config", settings, "-key", key, "-subj", "/", "-outform", "DER"]
    return subprocess.run(command, check=True, capture_output=True).stdout


@contextlib.contextmanager
def process(command, log, **environment):
    """A process that ends with the block."""
    with open(log, "w") as output:
        child = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output, stderr=output, env={**os.environ, **environment}
        )
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def wait_until(done, child, log):
    """Waits for something that a process does; its log is the reason when it does not."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while not done():
        if child.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"error: {pathlib.Path(child.args[0]).name} does not start:\n{log.read_text()[-2000:]}")
        time.sleep(POLL_S)


def answers(http):
    """Whether the JSON API is ready."""
    try:
        with urllib.request.urlopen(f"http://{http}/ready", timeout=5) as response:
            return response.status == 200
    except OSError:
        return False


def free_address():
    """An address of the loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return "127.0.0.1:%d" % probe.getsockname()[1]


def temporary_directory():
    """A directory that only this user may read: tokens and keys lie in it."""
    return tempfile.TemporaryDirectory(prefix="utopia-ghz-")
