"""Runs every command of the book, in the order of its pages: `python3 docs/test [PAGE...]`.

Each page begins in an empty directory with nothing running, so that whoever reads only this one can follow it. The programs are those
in target/debug; servers of others those that `.ci/backends.sh env` tells of. A page whose servers are not there is skipped, or an
error with CI=true.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import PROGRAMS, ROOT, Machine, lacks, make_busybox
from page import BadPage, Block, blocks, matches
from terminal import PATIENCE_S, Failed, Terminal

SOURCE = ROOT / "docs/src"
# Made from the contract and the programs, and compared with them: docs/generate.
GENERATED = SOURCE / "reference"
SDK_GO = "github.com/utopia-gpu/utopia/sdk/go"


class Reader:
    """Somebody who follows one page."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.terminals: dict[str, Terminal] = {}
        self.ran = 0

    def follow(self, block: Block) -> None:
        """Does what a block says, and looks at what it shows."""
        if block.not_run is not None:
            check_syntax(block)
            return
        if "file" in block.asks:
            file = self.machine.directory / block.asks["file"]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(self.machine.here(block.text), encoding="utf-8")
        if block.language == "python" and "file" not in block.asks:
            self._run(block, f"python3 - <<'PROGRAM'\n{block.text}\nPROGRAM", block.shows)
        elif block.language == "go" and "file" not in block.asks:
            self._run(block, self._go_program(block), block.shows)
        elif block.language == "sh" and "file" not in block.asks:
            self._run(block, f"set -e\n{block.text}\nset +e", block.shows)
        elif block.language == "console":
            self._console(block)

    def close(self) -> None:
        """Ends what the page has left running."""
        for terminal in self.terminals.values():
            terminal.close()
        self.machine.close()

    def _console(self, block: Block) -> None:
        commands = block.commands()
        for command, following in zip(commands, [*commands[1:], None], strict=True):
            # Who looks at the exit status expects that it may be another than 0.
            may_fail = following is not None and following.text.startswith("echo $?")
            self._run(block, command.text, command.shows, may_fail)

    def _run(self, block: Block, text: str, shows: list[str], may_fail: bool = False) -> None:
        terminal = self._terminal(block.asks.get("as", "main"))
        self.ran += 1
        if "background" in block.asks:
            terminal.start(self.machine.here(text), self.machine.here(block.asks["background"]))
            return
        until = time.monotonic() + PATIENCE_S
        while True:
            status, wrote = terminal.run(self.machine.here(text))
            wrote = self.machine.there(wrote)
            is_right = (status == 0 or may_fail) and (not shows or matches(shows, wrote))
            if is_right:
                return
            if "repeat" not in block.asks or time.monotonic() > until:
                break
            time.sleep(1)
        expected = "".join(f"  {line}\n" for line in shows) or "  anything\n"
        raise Failed(f"{block.place}:\n{text}\nended with {status} and wrote\n{wrote}\nwhere the page has\n{expected}")

    def _go_program(self, block: Block) -> str:
        folder = self.machine.work / f"go-{block.line}"
        folder.mkdir()
        (folder / "main.go").write_text(self.machine.here(block.text), encoding="utf-8")
        (folder / "go.mod").write_text(
            f"module docs\n\ngo 1.24\n\nrequire {SDK_GO} v0.0.0\n\nreplace {SDK_GO} => {ROOT}/sdk/go\n", encoding="utf-8"
        )
        return f"(cd {folder} && go run .)"

    def _terminal(self, name: str) -> Terminal:
        if name not in self.terminals:
            self.terminals[name] = Terminal(name, self.machine.work, self.machine.environment(name))
        return self.terminals[name]


def check_syntax(block: Block) -> None:
    """Looks at a block that is not run."""
    if block.language in ("sh", "console"):
        for command in block.commands():
            checked = subprocess.run(["bash", "-n"], input=command.text, capture_output=True, text=True, check=False)
            if checked.returncode != 0:
                raise Failed(f"{block.place}: {checked.stderr}")
    elif block.language == "ini":
        check_unit(block)
    elif block.language == "python":
        compile(block.text, block.place, "exec")


def check_unit(block: Block) -> None:
    """Has systemd look at a unit, where there is systemd. The programs it names are installed only where it is."""
    unit = re.sub(r"^ExecStart=.*", "ExecStart=/bin/true", block.text, flags=re.MULTILINE)
    if unit == block.text:
        raise Failed(f"{block.place}: it starts nothing")
    if not shutil.which("systemd-analyze"):
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "utopia.service"
        file.write_text(unit, encoding="utf-8")
        checked = subprocess.run(["systemd-analyze", "verify", "--man=no", file], capture_output=True, text=True, check=False)
        said = [line for line in checked.stderr.splitlines() if "utopia.service" in line]
        if checked.returncode != 0 or said:
            raise Failed(f"{block.place}: {checked.stderr}")


def pages() -> list[Path]:
    """The pages in the order of the summary, without what is generated."""
    lines = (SOURCE / "SUMMARY.md").read_text(encoding="utf-8").splitlines()
    linked = [SOURCE / line.split("](", 1)[1].rstrip(")") for line in lines if "](" in line]
    return [page for page in linked if GENERATED not in page.parents]


def test(page: Path) -> str:
    """Follows a page, and says how it was."""
    found = blocks(page)
    if not found:
        return "has no commands"
    lack = lacks(page.read_text(encoding="utf-8"))
    if lack:
        if os.environ.get("CI") == "true":
            raise Failed(f"{page}: {lack}")
        return f"SKIPPED: {lack}"
    began = time.monotonic()
    work = Path(tempfile.mkdtemp(prefix=f"{page.stem}-".replace("-", "_")))
    reader = Reader(Machine(work, sys.executable))
    try:
        for block in found:
            reader.follow(block)
    except Failed:
        for log in sorted(work.glob("*.out")):
            sys.stderr.write(f"--- {log.name}\n{log.read_text(encoding='utf-8', errors='replace')[-4000:]}")
        raise
    finally:
        reader.close()
        shutil.rmtree(work, ignore_errors=True)
    return f"{reader.ran} commands in {time.monotonic() - began:.0f} s"


def main() -> int:
    """Follows the pages, and says which of them lead nowhere."""
    if not (PROGRAMS / "aiinfra").exists():
        sys.stderr.write(f"docs: there is no aiinfra in {PROGRAMS}: cargo build --workspace --bins\n")
        return 1
    wanted = sys.argv[1:]
    chosen = [page for page in pages() if not wanted or any(name in str(page) for name in wanted)]
    made = shutil.which("docker") is not None and lacks("busybox") is None and make_busybox()
    failed = 0
    for page in chosen:
        try:
            print(f"{page.relative_to(SOURCE)}: {test(page)}", flush=True)
        except (Failed, BadPage) as error:
            failed += 1
            print(f"{page.relative_to(SOURCE)}: FAILED\n{error}", flush=True)
    if made:
        subprocess.run(["docker", "rmi", "busybox:latest"], capture_output=True, check=False)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
