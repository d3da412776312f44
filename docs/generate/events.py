"""The page of events, from the table of their types in the control plane."""

from __future__ import annotations

import re
from pathlib import Path

from text import heading, page, slug, table

TABLE = "controlplane/src/model/event/types.rs"
TITLES = {"CLAIM": "Claims", "NODE": "Nodes", "HOST": "Hosts", "GPU": "GPUs", "JOB": "Jobs of Slurm"}


def write(root: Path) -> str:
    """The page."""
    text = (root / TABLE).read_text(encoding="utf-8")
    types = re.findall(r'Type \{\s*name: "([^"]+)",\s*when: "([^"]+)",\s*members: (\w+),?\s*\}', text)
    members = {
        name: re.findall(r'\(\s*"([^"]+)",\s*"([^"]+)",?\s*\)', body)
        for name, body in re.findall(r"const (\w+): Members =\s*&\[(.*?)\];", text, re.DOTALL)
    }
    if not types or {kind for *_, kind in types} != members.keys():
        raise SystemExit(f"{TABLE} cannot be read any more as docs/generate/events.py reads it")
    parts = [
        "Each event has `cursor`, `id` (a UUID), `type`, `resource_id`, `timestamp` and `data`. It is written in the transaction of the "
        "change that it tells of. People see events of their own claims and jobs, and of nodes, hosts and GPUs; operators and "
        "administrators see all. How to follow them is told in [Events and cursors](../howto/events.md), how to have them sent in "
        "[Webhooks](../howto/webhooks.md).",
        "`GET /api/events` sends a `bookmark` first, and one for every half minute in which nothing happens: it has only a cursor. "
        "Webhooks get `webhook.test` when somebody tests them. Administrators who ask for `audit.…` see the audit log: `audit.claim` is "
        "an entry about a claim, and so on.",
    ]
    for kind, told in members.items():
        title = TITLES.get(kind, kind.capitalize())
        parts += [
            heading(2, title, slug(title)),
            table(["type", "when"], [[f"`{name}`", when] for name, when, of in types if of == kind]),
        ]
        parts.append(table(["member of data", "meaning"], [[f"`{name}`", meaning] for name, meaning in told]))
    return page("Events", *parts)
