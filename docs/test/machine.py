"""What stands for the machines and servers that pages speak of: free ports, and the servers that tests are told about.

A page names `localhost:8080`, `db.example`, `/etc/slurm/jwt_hs256.key`. Its commands run with the addresses and files of the test
in place of these, and what they show is read with the page's names put back.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug"
BUSYBOX = Path("/bin/busybox")
LOCAL = r"(localhost|127\.0\.0\.1|0\.0\.0\.0)"

# What of Python pages import, and the setting of the tests that names a Python that has it.
PACKAGES = {"import Webhook": "UTOPIA_TEST_WEBHOOK_PYTHON", "import boto3": "UTOPIA_TEST_S3_PYTHON"}

# Programs that pages use and not every machine has.
TOOLS = ("jq", "openssl", "pg_dump", "promtool")

# What a page says, and the setting of the tests that says where it really is.
SERVERS = {
    "http://slurm.example:6820": "UTOPIA_TEST_SLURM_URL",
    "/etc/slurm/jwt_hs256.key": "UTOPIA_TEST_SLURM_KEY_FILE",
    "slurm-user": "UTOPIA_TEST_SLURM_USER",
    "http://salt.example:8000": "UTOPIA_TEST_SALT_URL",
    "salt-user": "UTOPIA_TEST_SALT_USER",
    "/etc/utopia/salt-password": "UTOPIA_TEST_SALT_PASSWORD_FILE",
    "http://hub.example:8081": "UTOPIA_TEST_JUPYTERHUB_URL",
    "/etc/utopia/jupyterhub-token": "UTOPIA_TEST_JUPYTERHUB_TOKEN_FILE",
    "http://prometheus.example:9090": "UTOPIA_TEST_PROMETHEUS_URL",
    "postgres://utopia@db.example/utopia": "UTOPIA_TEST_POSTGRES_URL",
}


class Machine:
    """The directory, ports and environment of one page."""

    def __init__(self, work: Path, python: str) -> None:
        self.work = work
        self.directory = work / "here"
        self.directory.mkdir()
        self._python = python
        self._ports: dict[str, str] = {}
        self._database_name: str | None = None

    def environment(self, name: str) -> dict[str, str]:
        """The environment of a terminal: a home of its own, the programs, and the ports in place of the usual ones."""
        home = self.work / f"home-{name}"
        home.mkdir()
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("UTOPIA_", "XDG_", "CARGO_"))}
        # Builds of Go programs share what they built.
        caches = {"GOCACHE": _go("GOCACHE"), "GOPATH": _go("GOPATH")} if shutil.which("go") else {}
        return {
            **kept,
            **caches,
            "HOME": str(home),
            "PWD": str(self.directory),
            "PATH": f"{PROGRAMS}:{Path(self._python).parent}:{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(
                [str(ROOT / "sdk/python/src"), *(path for setting in PACKAGES.values() for path in _packages(setting))]
            ),
            "PYTHONDONTWRITEBYTECODE": "1",
            "NO_COLOR": "1",
            "UTOPIA_URL": self.here("http://127.0.0.1:8080"),
            "UTOPIA_HTTP_ADDR": self.here("127.0.0.1:8080"),
            "UTOPIA_GRPC_ADDR": self.here("127.0.0.1:8443"),
            "UTOPIA_AGENT_HTTP_ADDR": self.here("127.0.0.1:8090"),
            "UTOPIA_GPUS": "simulated:2",
        }

    def here(self, text: str) -> str:
        """The text with the test's addresses and files in place of the page's."""
        for said, setting in SERVERS.items():
            if said in text:
                text = text.replace(said, self._database() if "POSTGRES" in setting else os.environ[setting])
        return re.sub(LOCAL + r":(8\d\d\d)\b", lambda found: f"{found[1]}:{self._port(found[2])}", text)

    def there(self, text: str) -> str:
        """The text as the page would have it."""
        for said, free in self._ports.items():
            text = re.sub(LOCAL + rf":{free}\b", rf"\1:{said}", text)
        for said, setting in SERVERS.items():
            # A user's name is a word like any other.
            if "/" in os.environ.get(setting, "") and "POSTGRES" not in setting:
                text = text.replace(os.environ[setting], said)
        return text.replace(str(self.directory) + "/", "")

    def close(self) -> None:
        """Removes the containers and the database that this page has left."""
        for file in self.work.rglob("node-id"):
            label = f"label=utopia.node={file.read_text(encoding='utf-8').strip()}"
            listed = subprocess.run(["docker", "ps", "-aq", "--filter", label], capture_output=True, text=True, check=False)
            for container in listed.stdout.split():
                subprocess.run(["docker", "rm", "-fv", container], capture_output=True, check=False)
        if self._database_name:
            _sql(f'drop database if exists "{self._database_name}" with (force)')

    def _database(self) -> str:
        if not self._database_name:
            self._database_name = f"utopia_docs_{self.work.name}"
            _sql(f'create database "{self._database_name}"')
        return os.environ["UTOPIA_TEST_POSTGRES_URL"].rsplit("/", 1)[0] + "/" + self._database_name

    def _port(self, said: str) -> str:
        if said not in self._ports:
            self._ports[said] = str(free_port())
        return self._ports[said]


_taken: set[int] = set()


def free_port() -> int:
    """A port on which nobody listens, below those that connections take."""
    for port in range(21000 + os.getpid() % 5000, 31000):
        if port in _taken:
            continue
        with socket.socket() as attempt:
            try:
                attempt.bind(("127.0.0.1", port))
            except OSError:
                continue
        _taken.add(port)
        return port
    raise RuntimeError("no port is free")


def lacks(page_text: str) -> str | None:
    """What this machine does not have of what a page needs."""
    for said, setting in SERVERS.items():
        if said in page_text and setting not in os.environ:
            return f"{setting} is not set"
    if "busybox" in page_text and subprocess.run(["docker", "info"], capture_output=True, check=False).returncode != 0:
        return "Docker does not answer"
    for used, setting in PACKAGES.items():
        if used in page_text and not _packages(setting):
            return f"{setting} is not set"
    needed = [program for program in TOOLS if f"{program} " in page_text] + (["go"] if "```go\n" in page_text else [])
    return next((f"there is no {program}" for program in needed if not shutil.which(program)), None)


def make_busybox() -> bool:
    """Makes the image `busybox` that pages run, where Docker has none; whether it did."""
    if subprocess.run(["docker", "image", "inspect", "busybox"], capture_output=True, check=False).returncode == 0:
        return False
    with tempfile.TemporaryDirectory() as made:
        applets = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split()
        archive = Path(made) / "root.tar"
        with tarfile.open(archive, "w") as tar:
            tar.add(BUSYBOX, "bin/busybox")
            for applet in applets:
                if applet != "busybox":
                    link = tarfile.TarInfo(f"bin/{applet}")
                    link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                    tar.addfile(link)
        subprocess.run(
            ["docker", "import", "-c", 'CMD ["sh"]', str(archive), "busybox:latest"], capture_output=True, check=True
        )
    return True


def _packages(setting: str) -> list[str]:
    """Where the packages of a Python are that only some pages use."""
    python = os.environ.get(setting)
    return [str(found) for found in Path(python).parents[1].glob("lib/python*/site-packages")] if python else []


def _sql(statement: str) -> None:
    subprocess.run(["psql", "-qX", os.environ["UTOPIA_TEST_POSTGRES_URL"], "-c", statement], capture_output=True, check=True)


def _go(variable: str) -> str:
    return subprocess.run(["go", "env", variable], capture_output=True, text=True, check=True).stdout.strip()
