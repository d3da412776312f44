"""A page of the book as its test sees it: the blocks of code in it, and what each of them asks for.

What a block asks for stands before it, in a comment that readers do not see, but for one thing that they do:

- `<!-- background: TEXT -->`: it goes on running in a terminal of its own, and is there once it has written TEXT
- `<!-- repeat -->`: it reads something, and is repeated until it shows what the page shows
- `<!-- file: NAME -->`: its text is the content of this file
- `<!-- as: NAME -->`: it runs in a terminal of this name, with a home directory of its own
- a quotation `> Not run by the tests: REASON`: it is looked at only for its syntax
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

RUN = {"console", "sh", "python", "go"}
SHOWN = {"text"}
NOT_RUN = "Not run by the tests: "


class BadPage(Exception):
    """A page that cannot be tested as it is."""


@dataclass
class Command:
    """A command, and what it shows; nothing when the page does not say."""

    text: str
    shows: list[str]


@dataclass
class Block:
    """A block of code."""

    page: Path
    line: int
    language: str
    text: str
    asks: dict[str, str] = field(default_factory=dict)
    not_run: str | None = None
    shows: list[str] = field(default_factory=list)

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"

    def commands(self) -> list[Command]:
        """Its commands one by one: of a `console` those after `$ `, with what each shows; of all else its whole text."""
        if self.language != "console":
            return [Command(self.text, self.shows)]
        commands: list[Command] = []
        is_open = False
        for line in self.text.splitlines():
            if line.startswith("$ "):
                commands.append(Command(line[2:], []))
            elif commands and (is_open or (line.startswith("> ") and not commands[-1].shows)):
                commands[-1].text += "\n" + line.removeprefix("> ")
            elif commands:
                commands[-1].shows.append(line)
                continue
            else:
                raise BadPage(f"{self.place}: a console begins with `$ `")
            is_open = line.endswith("\\")
        return commands


def blocks(page: Path) -> list[Block]:
    """The blocks of a page in their order. What a `text` shows after a block belongs to that block."""
    found: list[Block] = []
    for block in _fenced(page):
        if block.language == "text":
            if "output" in block.asks:
                found[-1].shows = block.text.splitlines()
            continue
        if block.not_run is None and block.language not in RUN and "file" not in block.asks:
            raise BadPage(f"{block.place}: nothing says what is done with this block of {block.language or 'no language'}")
        found.append(block)
    return found


def _fenced(page: Path) -> Iterator[Block]:
    asks: dict[str, str] = {}
    not_run: str | None = None
    block: Block | None = None
    indent = fence = ""
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if block is not None:
            if line.strip() == fence:
                yield block
                block = None
            else:
                block.text += line.removeprefix(indent) + "\n"
            continue
        opened = re.fullmatch(r"( *)(`{3,})(\w*)", line)
        asked = re.fullmatch(r"<!-- (\w+)(?:: (.*))? -->", line.strip())
        if opened:
            indent, fence, language = opened.groups()
            block = Block(page, number, language, "", asks, not_run)
            asks, not_run = {}, None
        elif asked:
            asks[asked[1]] = asked[2] or ""
        elif line.startswith("> " + NOT_RUN):
            not_run = line.removeprefix("> " + NOT_RUN)
        elif line.strip() and not (not_run is not None and line.startswith(">")):
            asks, not_run = {}, None


def matches(expected: list[str], actual: str) -> bool:
    """Whether a command showed this: `…` is anything within a line, a line of it any lines, and blanks are blanks however many."""
    pattern = ""
    for line in expected:
        if line.strip() == "…":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += r"[^\n]*?".join(re.escape(part) for part in re.split("…", squeeze(line))) + r" ?\n"
    return re.fullmatch(pattern, "".join(squeeze(line) + "\n" for line in actual.rstrip("\n").splitlines())) is not None


def squeeze(line: str) -> str:
    """The line with one blank in place of many, and none at its ends."""
    return " ".join(line.split())
