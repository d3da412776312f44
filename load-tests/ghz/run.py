"""Calls every service of a control plane with ghz: at a fixed rate for latency, and as fast as it goes.

Over TLS, as somebody: with a token, or with the certificate of an agent that has enrolled. An answer that is an error fails the run.
ghz itself takes several times the CPU that the server takes: what this says about capacity is a lower bound.
"""

import argparse
import collections
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys

import plane as planes
from outcome import Outcome
from scenarios import Caller, prepare, scenarios

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
CONTRACT = ROOT / "load-tests/peers/gen/contract.binpb"


def main():
    # As an interrupt: what was started is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    arguments = parse()
    programs = arguments.programs or TARGET / "release"
    build(arguments.programs is None)
    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(stack.enter_context(planes.temporary_directory()))
        plane, password = stack.enter_context(control_plane(arguments, programs, directory))
        connected = stack.enter_context(planes.agent(plane, programs, directory, "connected"))
        # It leaves again, so that its certificate can be somebody else's.
        with planes.agent(plane, programs, directory, "enrolled") as enrolled:
            pass
        world = prepare(plane, directory, connected, enrolled)
        chosen = [scenario for scenario in scenarios(world, password) if arguments.only.lower() in scenario.name.lower()]
        if not chosen:
            sys.exit(f"error: no method has {arguments.only!r} in its name")
        settings = {"seconds": arguments.seconds, "programs": programs.name, "own_control_plane": arguments.grpc is None}
        outcome = Outcome(ROOT, programs.name != "debug", settings)
        calls = Calls(plane, world, directory, arguments.seconds)
        failures = [failure for scenario in chosen for failure in calls.measure(scenario, outcome)]
    print(outcome.table())
    if arguments.json:
        outcome.write(arguments.json)
    if failures:
        sys.exit("error: not everything was answered well:\n  " + "\n  ".join(failures))


def parse():
    """The command line."""
    parser = argparse.ArgumentParser(prog="run.sh", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=2, choices=range(1, 601), metavar="N", help="of each run, of which a method has two (2)")
    parser.add_argument("--only", default="", metavar="TEXT", help="only methods with this in their name, e.g. HostService")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the results to this file")
    parser.add_argument("--programs", type=pathlib.Path, metavar="DIR", help="where utopia-controlplane and utopia-agent are; built if not given")
    given = parser.add_argument_group("a control plane that runs already, one that may be filled with things")
    given.add_argument("--grpc", metavar="HOST:PORT", help="its gRPC")
    given.add_argument("--http", metavar="HOST:PORT", help="its JSON API")
    given.add_argument("--ca", type=pathlib.Path, metavar="FILE", help="its CA")
    given.add_argument("--password-file", type=pathlib.Path, metavar="FILE", help="holds the administrator's password")
    arguments = parser.parse_args()
    if len({option is None for option in (arguments.grpc, arguments.http, arguments.ca, arguments.password_file)}) > 1:
        parser.error("--grpc, --http, --ca and --password-file go together")
    return arguments


def build(own_programs):
    """Builds what is not there yet."""
    subprocess.run(["make", "--quiet", "-C", ROOT / "load-tests/peers", "ghz", "contract"], check=True)
    if own_programs:
        packages = ["-p", "utopia-controlplane", "-p", "utopia-agent"]
        subprocess.run(["cargo", "build", "--release", "--locked", "--bins", *packages], cwd=ROOT, check=True)


@contextlib.contextmanager
def control_plane(arguments, programs, directory):
    """The given control plane or one of our own, with the administrator's password."""
    if arguments.grpc:
        password = arguments.password_file.read_text().strip()
        yield planes.Plane(arguments.grpc, arguments.http, arguments.ca, password), password
        return
    with planes.started(programs, directory) as plane:
        yield plane, (directory / "control-plane" / "admin-password").read_text().strip()


class Calls:
    """Runs of ghz against one control plane."""

    def __init__(self, plane, world, directory, seconds):
        self.plane, self.world, self.directory, self.seconds = plane, world, directory, seconds

    def measure(self, scenario, outcome):
        """Both runs of a scenario; answers what went wrong."""
        total = scenario.rate * self.seconds
        fixed = self.ghz(scenario, {"total": min(total, scenario.most or total), "rps": scenario.rate})
        # ghz heeds the one or the other.
        bound = {"total": scenario.most} if scenario.most else {"duration": f"{self.seconds}s", "duration-stop": "wait"}
        before = self.plane.cpu_s()
        fast = self.ghz(scenario, bound)
        after = self.plane.cpu_s()
        name = scenario.name
        outcome.measure(name, "at a fixed rate", "calls/s", scenario.rate)
        for percentage in (50, 99):
            outcome.measure(name, f"p{percentage}", "ms", percentile_ms(fixed, percentage))
        outcome.measure(name, "as fast as it goes", "calls/s", fast["rps"])
        outcome.measure(name, "p50 then", "ms", percentile_ms(fast, 50))
        outcome.measure(name, "p99 then", "ms", percentile_ms(fast, 99))
        cpu_us = None if after is None else (after - before) / max(fast["count"], 1) * 1e6
        outcome.measure(name, "server CPU per call then", "µs", cpu_us)
        failed = [f"{name}: {failure}" for failure in (*failures(fixed), *failures(fast))]
        print(f"{name}: {'failed' if failed else 'ok'}", file=sys.stderr)
        return failed

    def ghz(self, scenario, how):
        """One run; answers ghz's own report."""
        settings = {
            "protoset": str(CONTRACT),
            "call": f"utopia.{scenario.method}",
            "host": self.plane.grpc,
            "cacert": str(self.plane.ca),
            "data": scenario.data,
            "concurrency": scenario.in_flight,
            "format": "json",
            **how,
        }
        match scenario.caller:
            case Caller.ADMINISTRATOR:
                settings["metadata"] = {"authorization": f"Bearer {self.plane.token}"}
            case Caller.HOST:
                settings["metadata"] = {"authorization": f"Bearer {self.world.host_token}"}
            case Caller.NODE:
                settings["cert"], settings["key"] = str(self.world.enrolled.certificate), str(self.world.enrolled.key)
            case Caller.NOBODY:
                pass
        # A file, since tokens on a command line are everybody's to see.
        config = self.directory / "ghz.json"
        config.write_text(json.dumps(settings))
        done = subprocess.run([TARGET / "peers/ghz", "--config", config], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"error: ghz cannot call {scenario.name}: {done.stderr or done.stdout}")
        return json.loads(done.stdout)


def percentile_ms(report, percentage):
    """A latency of ghz's report in milliseconds; None when it has none."""
    found = (entry["latency"] / 1e6 for entry in report.get("latencyDistribution") or () if entry["percentage"] == percentage)
    return next(found, None)


def failures(report):
    """What was not answered well."""
    by_error = collections.Counter(report.get("errorDistribution") or {})
    return [f"{count} × {error}" for error, count in by_error.items()] or ([] if report["count"] else ["nothing was called"])


if __name__ == "__main__":
    main()
