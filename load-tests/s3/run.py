"""Sends large objects through the S3 interface with boto3, and watches how much memory the server takes.

Where the objects lie: in the store of that server, or, with --external, in another S3 server behind it, which is a second control plane.
Each object goes up as one request and again in parts, and comes down whole, compared byte for byte. What is sent is made on the way
and thrown away on the way back: only the server needs room on the disk, for two objects: what is removed stays for two minutes.
"""

import argparse
import contextlib
import hashlib
import pathlib
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
# A control plane of its own, and the shape of results.
sys.path.insert(0, str(ROOT / "load-tests/ghz"))

import boto3
import plane as planes
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from outcome import Outcome

BLOCK_BYTES = 1 << 20
PART_BYTES = 64 << 20
WATCH_S = 0.1


def main():
    arguments = parse()
    programs = arguments.programs or ROOT / "target/release"
    if arguments.programs is None:
        command = ["cargo", "build", "--release", "--locked", "--bins", "-p", "utopia-controlplane"]
        subprocess.run(command, cwd=ROOT, check=True)
    settings = {"external": arguments.external, "mebibytes": arguments.mebibytes, "part_mebibytes": PART_BYTES >> 20, "programs": programs.name}
    outcome = Outcome(ROOT, programs.name != "debug", settings)
    outcome.fields["program"] = "s3, in another server" if arguments.external else "s3"
    outcome.fields["command"] = outcome.fields["command"].replace("load-tests/ghz/", "load-tests/s3/")
    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(stack.enter_context(planes.temporary_directory()))
        further = external(stack, programs, directory) if arguments.external else ()
        plane = stack.enter_context(planes.started(programs, directory, further))
        s3 = client(plane)
        s3.create_bucket(Bucket="load")
        for mebibytes in arguments.mebibytes:
            measure(plane, s3, mebibytes, "external" if arguments.external else "embedded", outcome)
    print(outcome.table())
    if arguments.json:
        outcome.write(arguments.json)


def parse():
    """The command line."""
    parser = argparse.ArgumentParser(prog="run.sh", description=__doc__.splitlines()[0])
    parser.add_argument("--mebibytes", type=int, nargs="+", default=[64, 5_000], metavar="N", help="sizes of objects (64 5000)")
    parser.add_argument("--external", action="store_true", help="keep the objects in another S3 server")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the results to this file")
    parser.add_argument("--programs", type=pathlib.Path, metavar="DIR", help="where utopia-controlplane is; built if not given")
    return parser.parse_args()


def external(stack, programs, directory):
    """Starts an S3 server; answers what a control plane is told to use it."""
    address, secret = planes.free_address(), directory / "secret"
    server = stack.enter_context(planes.started(programs, directory, ["--s3-addr", address], "s3-server"))
    key = server.ask("POST", "/api/access-keys", {"name": "front"})
    secret.write_text(key["secret"])
    return ["--s3-url", f"http://{address}", "--s3-access-key", key["id"], "--s3-secret-key-file", secret]


def client(plane):
    """boto3 with a new key of the administrator's."""
    key = plane.ask("POST", "/api/access-keys", {"name": "load"})
    return boto3.client(
        "s3",
        endpoint_url=f"http://{plane.http}/minio",
        aws_access_key_id=key["id"],
        aws_secret_access_key=key["secret"],
        config=Config(retries={"max_attempts": 1}, read_timeout=600),
    )


def measure(plane, s3, mebibytes, where, outcome):
    """Sends one object both ways and fetches it."""
    size, place = mebibytes << 20, {"Bucket": "load", "Key": "object"}
    in_parts = TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES, max_concurrency=4)
    steps = [
        ("one request up", lambda: s3.put_object(**place, Body=Content(size), ContentLength=size)),
        ("down", lambda: compare(s3.get_object(**place)["Body"], size)),
        ("in parts up", lambda: s3.upload_fileobj(Content(size), "load", "object", Config=in_parts)),
        ("down, of parts", lambda: compare(s3.get_object(**place)["Body"], size)),
    ]
    for what, step in steps:
        with Watch(plane.pid) as watch:
            step()
        subject = f"{where}, {mebibytes} MiB, {what}"
        outcome.measure(subject, "time", "s", watch.seconds)
        outcome.measure(subject, "through", "MiB/s", mebibytes / watch.seconds)
        outcome.measure(subject, "RSS before", "MiB", watch.before / 1024)
        outcome.measure(subject, "peak RSS", "MiB", watch.peak / 1024)
        print(f"{subject}: {watch.seconds:.1f} s, at most {watch.peak // 1024} MiB", file=sys.stderr)
    s3.delete_object(**place)


class Content:
    """A file of so many bytes, none of which lie anywhere: each block begins with its number."""

    def __init__(self, size):
        self.size, self.at = size, 0

    def read(self, wanted=-1):
        end = self.size if wanted is None or wanted < 0 else min(self.at + wanted, self.size)
        pieces = []
        while self.at < end:
            within = self.at % BLOCK_BYTES
            piece = block(self.at // BLOCK_BYTES)[within : within + end - self.at]
            pieces.append(piece)
            self.at += len(piece)
        return b"".join(pieces)

    def seek(self, offset, whence=0):
        self.at = offset if whence == 0 else self.at + offset if whence == 1 else self.size + offset
        return self.at

    def tell(self):
        return self.at

    def seekable(self):
        return True


FILLING = hashlib.shake_256(b"load").digest(BLOCK_BYTES - 8)


def block(number):
    return number.to_bytes(8, "big") + FILLING


def compare(stream, size):
    """Reads all, which must be what was sent."""
    expected, length = Content(size), 0
    for piece in stream.iter_chunks(BLOCK_BYTES):
        if piece != expected.read(len(piece)):
            raise SystemExit(f"error: what came back differs after {length} bytes")
        length += len(piece)
    if length != size:
        raise SystemExit(f"error: {length} bytes came back of {size}")


class Watch:
    """The memory of a process and the time, while something is done."""

    def __init__(self, pid):
        self.status, self.ended = pathlib.Path(f"/proc/{pid}/status"), threading.Event()
        self.before = self.peak = self.rss_kib()
        self.watcher = threading.Thread(target=self.watch)

    def rss_kib(self):
        line = next(line for line in self.status.read_text().splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1])

    def watch(self):
        while not self.ended.wait(WATCH_S):
            self.peak = max(self.peak, self.rss_kib())

    def __enter__(self):
        self.watcher.start()
        self.began = time.monotonic()
        return self

    def __exit__(self, *_):
        self.seconds = time.monotonic() - self.began
        self.ended.set()
        self.watcher.join()


if __name__ == "__main__":
    main()
