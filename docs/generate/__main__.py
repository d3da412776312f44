"""Writes the pages of the reference: `python3 docs/generate OPENAPI DESCRIPTORS PROGRAMS DIRECTORY`, the last in place of docs/src.

The OpenAPI document is that of a running control plane (sdk/openapi.json), the descriptors what `buf build -o FILE.json` makes of
proto/, and the programs those of target/debug.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import events
import graphql
import metrics
import reasons
import running
import settings
from grpc import Grpc
from rest import Rest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "docs/src"
# Pages of the summary below which others are listed, and who knows those.
PARTS = {"rest.md": 0, "grpc.md": 1}


def main() -> None:
    """Makes all pages, and the part of the summary that lists them."""
    document, descriptors, programs, out = map(Path, sys.argv[1:])
    parts = (Rest(json.loads(document.read_text(encoding="utf-8"))), Grpc(json.loads(descriptors.read_text(encoding="utf-8"))))
    for part in parts:
        for name, text in part.pages().items():
            file = out / "reference" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    seen = running.look(programs)
    pages = {
        "errors.md": reasons.write(ROOT),
        "events.md": events.write(ROOT),
        "graphql.md": graphql.write(seen.schema),
        "metrics.md": metrics.write(ROOT, seen),
        "settings.md": settings.settings(programs),
        "command-line.md": settings.command_line(programs),
    }
    for name, text in pages.items():
        (out / "reference" / name).write_text(text, encoding="utf-8")
    summary: list[str] = []
    for line in (SOURCE / "SUMMARY.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("    - ["):
            continue
        summary.append(line)
        name = line.rsplit("(reference/", 1)[-1].rstrip(")")
        if name in PARTS:
            summary += [f"    - [{title}](reference/{target})" for title, target in parts[PARTS[name]].contents()]
    (out / "SUMMARY.md").write_text("\n".join(summary) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
