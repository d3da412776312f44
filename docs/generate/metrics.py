"""The page of metrics, from `/metrics` of a control plane, a gateway and an agent that run, and to which everything happens that is counted."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from running import Seen
from text import code, heading, page, slug, table

# Where the names of metrics stand in the sources.
SOURCES = {
    "The control plane": (
        "controlplane/src/telemetry.rs",
        "controlplane/src/backend/metrics.rs",
        "rest-gateway/src/metrics.rs",
    ),
    "The agent": ("agent/src/metrics.rs",),
    "The gateway": ("rest-gateway/src/metrics.rs",),
}
# What shows only once a container was made, for which Docker would be needed here: its type and label.
ONCE_THERE_IS_ONE = {"utopia_agent_containers": ("gauge", "state")}
# What shows only of people who have stored something: it is read from where it is registered.
OF_PEOPLE = {"controlplane/src/s3/meters.rs": "utopia_s3"}
NAME = r'"((?:utopia|grpc|http|DCGM_FI)_\w+)"'


@dataclass
class Metric:
    """A metric as Prometheus sees it."""

    kind: str = ""
    help: str = ""
    labels: dict[str, None] = field(default_factory=dict)


def write(root: Path, seen: Seen) -> str:
    """The page."""
    parts = [
        "In the format of OpenMetrics, without credentials: `/metrics` on the HTTP address of the control plane and of gateways, and on that of "
        "each agent's node API. Counters end in `_total`. [Metrics and alerts](../operations/monitoring.md) has rules for Prometheus."
    ]
    for title, text in zip(SOURCES, seen.metrics, strict=True):
        metrics = _metrics(text)
        if title == "The control plane":
            for source, prefix in OF_PEOPLE.items():
                metrics |= _registered((root / source).read_text(encoding="utf-8"), prefix)
        _check(root, title, metrics)
        rows = [[code(name), metric.kind, ", ".join(map(code, metric.labels)), metric.help] for name, metric in metrics.items()]
        parts += [heading(2, title, slug(title)), table(["metric", "type", "labels", "meaning"], rows)]
    return page("Metrics", *parts)


def _check(root: Path, title: str, metrics: dict[str, Metric]) -> None:
    """Everything that is registered must be on the page."""
    for source in SOURCES[title]:
        text = (root / source).read_text(encoding="utf-8").split("#[cfg(test)]\nmod tests")[0]
        # A gateway's names have a prefix of their own, and a unit is appended.
        for name, (kind, label) in ONCE_THERE_IS_ONE.items():
            told = re.search(rf'"{name}", "([^"]+)"', text)
            if told and name not in metrics:
                metrics[name] = Metric(kind, f"{told[1]}.", {label: None})
        missing = [name for name in re.findall(NAME, text) if not any(f"{shown}_".find(f"{name}_") >= 0 for shown in metrics)]
        if missing:
            raise SystemExit(
                f"{source} has metrics that did not show when docs/generate/metrics.py looked: {', '.join(missing)}"
            )


def _registered(text: str, prefix: str) -> dict[str, Metric]:
    """What a source registers, with the type and labels of the families that it declares."""
    families = {name: kinds for name, *kinds in re.findall(r"(\w+): Family<(\w+), (\w+)>", text)}
    labels = {name: re.findall(r"(\w+): ", body) for name, body in re.findall(r"struct (\w+Labels) \{(.*?)\}", text, re.DOTALL)}
    registered = r'registry\.register\w*\(\s*"(\w+)",\s*"([^"]+)",\s*(?:Unit::(\w+),\s*)?meters\.(\w+)'
    metrics = {}
    for name, told, unit, family in re.findall(registered, text):
        of, kind = families.pop(family)
        full = f"{prefix}_{name}" + (f"_{unit.lower()}" if unit else "")
        metrics[full] = Metric(kind.lower(), f"{told}.", dict.fromkeys(labels[of]))
    if families:
        raise SystemExit(f"docs/generate/metrics.py does not see where these are registered: {', '.join(families)}")
    return metrics


def _metrics(text: str) -> dict[str, Metric]:
    metrics: dict[str, Metric] = {}
    for line in text.splitlines():
        words = line.split(" ", 3)
        if words[:2] == ["#", "HELP"]:
            metrics.setdefault(words[2], Metric()).help = words[3].rstrip(".") + "."
        elif words[:2] == ["#", "TYPE"]:
            metrics.setdefault(words[2], Metric()).kind = words[3]
        elif not line.startswith("#"):
            sample = re.match(r"(\w+)(?:\{(.*)\})? ", line)
            owner = sample and next((name for name in metrics if sample[1].startswith(name)), None)
            if sample and owner:
                longest = max((name for name in metrics if sample[1].startswith(name)), key=len)
                metrics[longest].labels.update(dict.fromkeys(re.findall(r'(\w+)="', sample[2] or "")))
    for metric in metrics.values():
        # Of a histogram, and not of what is measured.
        metric.labels.pop("le", None)
    return metrics
