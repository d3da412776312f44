"""The pages of settings and of the command line, from what the programs say with `--help`."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from text import code, heading, page, slug, table

SERVERS = {
    "utopia-controlplane": "The control plane. `aiinfra up` takes the same settings, and those of the agent from the environment.",
    "utopia-agent": "The agent of each machine.",
    "utopia-gateway": "A JSON API of its own process, in front of a control plane elsewhere.",
}
FURTHER = [
    [
        "`RUST_LOG`",
        "all",
        "What is logged, as [tracing](https://docs.rs/tracing-subscriber) has it: `info`, `utopia_controlplane::reconcile=debug`.",
    ],
    ["`UTOPIA_PASSWORD`", "`aiinfra`", "The password for `login` and `register`."],
    ["`UTOPIA_TOKEN`", "`aiinfra`", "A token that takes the place of the one that `login` keeps."],
]
# Where a help's list of options for all commands begins.
GLOBAL = "Options of every command:"


@dataclass
class Setting:
    """An option of a program."""

    flag: str
    text: list[str] = field(default_factory=list)

    def row(self) -> list[str]:
        """Its line in the table."""
        text = "\n".join(self.text)
        found = {key: re.search(rf"\[{key}: ?([^\]]*)\]", text) for key in ("env", "default")}
        text = re.sub(r"\[(env|default|possible values): ?[^\]]*\]", "", text)
        # A possible value is an item of a list, and the heading above them says nothing.
        text = text.replace("Possible values:", "")
        environment = found["env"][1].split("=")[0] if found["env"] else ""
        return [code(self.flag), code(environment), code(found["default"][1] if found["default"] else ""), text]


def settings(programs: Path) -> str:
    """The page of the servers' settings."""
    parts = [
        "Each setting is a flag and a variable of the environment; the flag wins. `--help` of each program tells the same. Times have their unit in the name."
    ]
    for program, about in SERVERS.items():
        rows = [
            setting.row()
            for setting in _settings(_help(programs / program))
            if setting.flag not in ("-h, --help", "-V, --version")
        ]
        parts += [heading(2, program, program), about, table(["flag", "environment", "default", "meaning"], rows)]
    parts += [heading(2, "Further variables", "further"), table(["environment", "program", "meaning"], FURTHER)]
    return page("Settings", *parts)


def command_line(programs: Path) -> str:
    """The page of the command line."""
    top = _help(programs / "aiinfra")
    parts = [
        "What `aiinfra --help` says of each command. Every command also takes the options that stand at the end of the first one.",
        f"```text\n{top}\n```",
    ]
    parts += _commands(programs / "aiinfra", [], top)
    return page("Command line", *parts)


def _commands(program: Path, above: list[str], text: str) -> list[str]:
    parts = []
    block = re.search(r"^Commands:\n((?:  .*\n?)+)", text, re.MULTILINE)
    for line in block[1].splitlines() if block else []:
        name = re.match(r"  (\S+)", line)
        if not name or name[1] == "help":
            continue
        words = [*above, name[1]]
        told = _help(program, *words)
        own = _without_global(told)
        title = f"aiinfra {' '.join(words)}"
        parts += [heading(2 if not above else 3, title, slug(title)), f"```text\n{own}\n```"]
        parts += _commands(program, words, told)
    return parts


def _without_global(text: str) -> str:
    """The help of a command without the options that all have: those reach up to the next line that is not indented."""
    kept: list[str] = []
    is_global = False
    for line in text.splitlines():
        if line == GLOBAL:
            is_global = True
        elif is_global and line and not line.startswith(" "):
            is_global = False
        if not is_global:
            kept.append(line)
    return "\n".join(kept).strip()


def _help(program: Path, *words: str) -> str:
    said = subprocess.run([program, *words, "--help"], env={}, capture_output=True, text=True, check=True)
    return "\n".join(line.rstrip() for line in said.stdout.strip().splitlines())


def _settings(text: str) -> list[Setting]:
    settings: list[Setting] = []
    is_within = False
    for line in text.split("Options:\n", 1)[1].splitlines():
        flag = re.match(r" {2,6}((?:-\w, )?--[\w-]+(?: [<\[].*)?)$", line)
        if flag:
            settings.append(Setting(flag[1]))
            is_within = True
        elif is_within and line.startswith("          "):
            settings[-1].text.append(line.strip())
        elif line:
            # The heading of further options, or what a program says after them.
            is_within = False
    return settings
