"""The same job, submitted in every way there is, is the same job for Slurm."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest

from aiinfra import Client
from aiinfra.models import JobStatus

ROOT = Path(__file__).parents[3]
SCRIPT = '#!/bin/sh\n# A script with "quotes", $VARIABLES and ümlauts.\necho "$SLURM_JOB_NAME" in "$SLURM_JOB_PARTITION"\n'
# What Slurm says of a job that is a matter of the moment, or of the others that run.
OF_THE_MOMENT = {
    *("JobId", "Priority", "RunTime", "SubmitTime", "EligibleTime", "AccrueTime", "StartTime", "EndTime", "Deadline"),
    *("LastSchedEval", "NodeList", "BatchHost", "StdErr", "StdOut", "SuspendTime", "PreemptEligibleTime", "PreemptTime"),
    "Scheduler",
}


def by_cli(url: str, token: str, password: str, job: dict[str, Any], home: Path) -> int:
    """With the command line, as documented."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    aiinfra = os.environ.get("UTOPIA_TEST_CLI") or str(target / "debug/aiinfra")
    environment = {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "PATH": os.environ["PATH"]}

    def run(*arguments: str, said: str = "") -> str:
        done = subprocess.run([aiinfra, *arguments], input=said, capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    script = home / "job.sh"
    script.write_text(job["script"], encoding="utf-8")
    run("config", "set-url", url)
    run("login", "admin", "--password-stdin", said=password)
    options = ["--name", job["job_name"], "--partition", job["partition"], "--nodes", "1", "--ntasks", "2", "--time-limit", "5"]
    made = run("slurm", "jobs", "submit", "--script", str(script), *options, "--chdir", job["working_directory"], "-o", "json")
    return int(json.loads(made)["job_id"])


def by_python(url: str, token: str, password: str, job: dict[str, Any], home: Path) -> int:
    """With this package."""
    with Client(url, token=token) as client:
        made = client.slurm.submit_job(**job)
        assert made.job_id in [listed.job_id for listed in client.slurm.list_jobs()]
        return made.job_id


def by_go(url: str, token: str, password: str, job: dict[str, Any], home: Path) -> int:
    """With the one for Go."""
    environment = os.environ | {"UTOPIA_SDK_URL": url, "UTOPIA_SDK_TOKEN": token}
    command = ["go", "run", "./testdata/submit"]
    done = subprocess.run(
        command, input=json.dumps(job), capture_output=True, text=True, env=environment, cwd=ROOT / "sdk/go", check=False
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def by_graphql(url: str, token: str, password: str, job: dict[str, Any], home: Path) -> int:
    """With a mutation."""
    types = {"nodes": "Int", "ntasks": "Int", "time_limit_minutes": "Int"}
    declared = ", ".join(f"${name}: {types.get(name, 'String')}" + ("!" if name == "script" else "") for name in job)
    passed = ", ".join(f"{name}: ${name}" for name in job)
    query = f"mutation({declared}) {{ slurmSubmitJob({passed}) {{ job_id }} }}"
    headers = {"authorization": f"Bearer {token}"}
    answer = httpx.post(f"{url}/api/graphql", json={"query": query, "variables": job}, headers=headers, timeout=60)
    content = answer.json()
    assert "errors" not in content, content
    return int(content["data"]["slurmSubmitJob"]["job_id"])


def slurm_says(*arguments: str) -> str:
    """What Slurm's own tool says."""
    environment = os.environ | {"SLURM_CONF": os.environ["UTOPIA_TEST_SLURM_CONF"]}
    return subprocess.run(["scontrol", *arguments], env=environment, capture_output=True, text=True, check=True).stdout


def shown(job: int) -> dict[str, str]:
    """All that Slurm knows of a job and that the job was made with."""
    words = (word.partition("=") for word in slurm_says("--oneliner", "show", "job", str(job)).split())
    return {name: value for name, _, value in words if name not in OF_THE_MOMENT}


def test_the_same_job_on_a_real_slurm(admin: Client, control_plane: str, password: str, tmp_path: Path) -> None:
    if not os.environ.get("UTOPIA_SDK_SLURM"):
        pytest.skip("skipped: the control plane has no Slurm; sdk/test.sh tries again where the environment names one")
    job = {
        "job_name": f"same-{uuid.uuid4()}",
        "partition": "short",
        "nodes": 1,
        "ntasks": 2,
        "script": SCRIPT,
        "time_limit_minutes": 5,
        "working_directory": "/tmp",
    }
    token = admin.iam.login(username="admin", password=password).token
    ways = [by_cli, by_python, by_go, by_graphql]
    with admin.events.watch(types=["job.*"]) as events:
        next(events)
        jobs = [submit(control_plane, token, password, job, tmp_path) for submit in ways]
        running = set(jobs)
        while running:
            event = next(events)
            number = int(event.resource_id.rpartition("/")[2])
            if number in running and event.type not in ("job.pending", "job.running"):
                assert (number, event.type) == (number, "job.completed")
                running.remove(number)
    assert len(set(jobs)) == len(ways)

    first = shown(jobs[0])
    user = os.environ["UTOPIA_TEST_SLURM_USER"]
    assert (first["JobName"], first["Partition"], first["JobState"]) == (job["job_name"], "short", "COMPLETED")
    assert first["UserId"].startswith(f"{user}(")
    for number in jobs:
        assert shown(number) == first
        assert slurm_says("write", "batch_script", str(number), "-") == SCRIPT
        seen = admin.slurm.get_job(number)
        assert (seen.status, seen.user, seen.job_name) == (JobStatus.COMPLETED, user, job["job_name"])
        assert (seen.partition, seen.exit_code, seen.time_limit_minutes) == ("short", 0, 5)
