"""Markdown of which the pages of the reference are made."""

from __future__ import annotations

import re
from collections.abc import Iterable

NOTICE = "<!-- Made by `make docs-reference`; changes here are lost. -->\n\n"


def page(title: str, *parts: str) -> str:
    """A page of these paragraphs, tables and sections."""
    return NOTICE + "\n\n".join([f"# {title}", *(part.strip("\n") for part in parts if part.strip())]) + "\n"


def heading(level: int, text: str, anchor: str) -> str:
    """A heading with an anchor that does not change with its words."""
    return f"{'#' * level} {text} {{#{anchor}}}"


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table; nothing where it has no rows."""
    lines = [[cell(value) for value in row] for row in rows]
    if not lines:
        return ""
    names = list(columns)
    return "\n".join("| " + " | ".join(line) + " |" for line in [names, ["---"] * len(names), *lines])


def cell(text: str) -> str:
    """The text as one line that may stand in a table."""
    lines = [line.strip() for line in text.strip().splitlines()]
    joined = ""
    for line in lines:
        if line.startswith("- "):
            joined += ("<br>" if joined else "") + "• " + line[2:]
        elif not line:
            joined += "<br>" if joined and not joined.endswith("<br>") else ""
        else:
            joined += (" " if joined and not joined.endswith("<br>") else "") + line
    return prose(joined).replace("|", "\\|")


def prose(text: str) -> str:
    """Text of the contract, in which `<` is no tag."""
    parts = re.split(r"(`[^`]*`|<br>)", text)
    return "".join(part if at % 2 else part.replace("<", "&lt;").replace("*", "\\*") for at, part in enumerate(parts))


def code(text: str) -> str:
    """The text as code; nothing for nothing."""
    return f"`{text}`" if text else ""


def slug(text: str) -> str:
    """A part of a file's name or an anchor."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", text)
    return re.sub(r"[^a-z0-9]+", "-", apart.lower()).strip("-")
