"""What a run found, as JSON in the shape that all load tests have, and as a table. The shape is that of `load-tests/src/outcome.rs`."""

import datetime
import json
import os
import pathlib
import platform
import shlex
import subprocess
import sys


class Outcome:
    """Numbers by method."""

    def __init__(self, root, optimised, settings):
        self.fields = {
            "program": "ghz",
            "command": shlex.join(["load-tests/ghz/run.sh", *sys.argv[1:]]),
            "began_at": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "machine": machine(),
            "commit": commit(root),
            "optimised": optimised,
            "settings": settings,
            "measures": [],
            "verdicts": [],
            "plots": [],
        }

    def measure(self, subject, what, unit, value):
        """Adds one number; nothing where there is none."""
        if value is None:
            return
        measure = {"subject": subject, "what": what, "unit": unit, "value": value, "samples": [value]}
        self.fields["measures"].append(measure)

    def write(self, path):
        """Writes all of it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.fields, indent=2, ensure_ascii=False) + "\n")

    def table(self):
        """In Markdown: a row for each method, a column for each quantity."""
        measures = self.fields["measures"]
        subjects = list(dict.fromkeys(measure["subject"] for measure in measures))
        columns = list(dict.fromkeys((measure["what"], measure["unit"]) for measure in measures))
        cells = {(measure["subject"], measure["what"], measure["unit"]): plain(measure["value"]) for measure in measures}
        rows = [["method", *(f"{what}, {unit}" if unit else what for what, unit in columns)]]
        rows += [[subject, *(cells.get((subject, *column), "") for column in columns)] for subject in subjects]
        widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
        lines = ["| " + " | ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) + " |" for row in rows]
        lines.insert(1, "|" + "|".join(["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])]) + "|")
        return "\n".join(lines)


def plain(value):
    """A number with as many digits as it deserves."""
    size = abs(value)
    digits = 0 if size >= 1000 or value == int(value) else 1 if size >= 100 else 2 if size >= 1 else 3
    return f"{value:.{digits}f}"


def machine():
    """Where this is."""
    info = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in info if line.startswith("model name")), "not known")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    return {"cpus": os.cpu_count(), "model": model, "memory_gib": memory, "kernel": platform.release()}


def commit(root):
    """What is checked out; empty where nothing is."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    return done.stdout.strip()
