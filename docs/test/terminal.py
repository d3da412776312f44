"""A terminal in which the commands of a page run: one shell, so that a variable that one command sets is there for the next."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from pathlib import Path

# How long anything may take on a busy machine.
PATIENCE_S = float(os.environ.get("UTOPIA_DOCS_PATIENCE_S", "180"))


class Failed(Exception):
    """A command did not do what the page says."""


class Terminal:
    """A shell of its own. All that it started ends with it."""

    def __init__(self, name: str, work: Path, environment: dict[str, str]) -> None:
        self.log = work / f"{name}.log"
        self._work = work
        self._name = name
        self._count = 0
        self._last_status = 0
        status, told = os.pipe()
        self._status = status
        with open(self.log, "wb") as log:
            self._shell = subprocess.Popen(
                ["bash", "--noprofile", "--norc", "-o", "pipefail"],
                cwd=environment["PWD"],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=[told],
                start_new_session=True,
            )
        os.close(told)
        self._told = told

    def run(self, text: str) -> tuple[int, str]:
        """Runs a command, and gives its exit status and all that it wrote."""
        # `$?` is that of the command before, and not of what came between.
        script, written = self._script(f"(exit {self._last_status})\n{text}" if "$?" in text else text)
        self._send(f"source {script} >{written} 2>&1 </dev/null {self._told}>&-; echo $? >&{self._told}")
        until = time.monotonic() + PATIENCE_S
        answer = b""
        while not answer.endswith(b"\n"):
            ready, _, _ = select.select([self._status], [], [], max(0.0, until - time.monotonic()))
            part = os.read(self._status, 64) if ready else b""
            if not part:
                why = "has ended the shell" if ready else f"has not ended within {PATIENCE_S:.0f} s"
                raise Failed(f"{text}\n{why}; it wrote:\n{written.read_text(encoding='utf-8', errors='replace')}")
            answer += part
        self._last_status = int(answer)
        return self._last_status, written.read_text(encoding="utf-8", errors="replace")

    def start(self, text: str, awaited: str) -> None:
        """Starts a command that goes on running, and waits until it has written something."""
        script, written = self._script(text)
        ended = script.with_suffix(".ended")
        written.touch()
        self._send(f"{{ source {script} >{written} 2>&1 </dev/null; touch {ended}; }} {self._told}>&- &")
        until = time.monotonic() + PATIENCE_S
        while awaited not in (wrote := written.read_text(encoding="utf-8", errors="replace")):
            if ended.exists() or time.monotonic() > until:
                raise Failed(f"{text}\nhas not written {awaited!r}, but:\n{wrote}")
            time.sleep(0.05)

    def close(self) -> None:
        """Ends what still runs: in order, and what does not end by itself at once."""
        group = self._shell.pid
        for sent, patience_s in ((signal.SIGTERM, 20.0), (signal.SIGKILL, 5.0)):
            try:
                os.killpg(group, sent)
            except ProcessLookupError:
                break
            until = time.monotonic() + patience_s
            while time.monotonic() < until and self._lives(group):
                time.sleep(0.05)
        self._shell.wait()
        if self._shell.stdin:
            self._shell.stdin.close()
        os.close(self._status)

    def _lives(self, group: int) -> bool:
        self._shell.poll()
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return False
        return True

    def _script(self, text: str) -> tuple[Path, Path]:
        self._count += 1
        script = self._work / f"{self._name}-{self._count}.sh"
        script.write_text(text + "\n", encoding="utf-8")
        return script, script.with_suffix(".out")

    def _send(self, line: str) -> None:
        assert self._shell.stdin
        try:
            self._shell.stdin.write(line.encode() + b"\n")
            self._shell.stdin.flush()
        except BrokenPipeError as error:
            raise Failed(f"the shell has ended: {line}") from error
