"""The page of error reasons, from docs/reasons.toml. It is complete: each word in the sources that could be a reason must be told of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tomllib
from text import heading, page, slug, table

# Where S3 is spoken, with the words of S3.
S3 = "controlplane/src/s3"
DIRECTORIES = ("controlplane", "agent", "rest-gateway", "proto", "certs")
# Programs that are only for tests, beside modules of tests.
ASIDE = ("tests.rs", "tests", "fuzz", "benches", "testing.rs", "fixture.rs", "fake.rs")
CAMEL = r'"([A-Z][a-z0-9]+(?:[A-Z][A-Za-z0-9]*)+)"'
# Words of one part are reasons only where they are given as such.
GIVEN = r'(?:reason: |status\(\s*Code::\w+,\s*|REASON: &str = )"([A-Z][A-Za-z]+)"'
# A reason of a backend's name and this.
OF_PRODUCT = r'"\{product\}([A-Z]\w+)"'
PRODUCTS = ("Slurm", "Salt", "JupyterHub", "Prometheus")
STATUS = {
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 409,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 500,
    "UNAUTHENTICATED": 401,
}
# The kinds of the error types in the sources, and the codes that they become.
KINDS = {
    "Absent": "NOT_FOUND",
    "AlreadyExists": "ALREADY_EXISTS",
    "FailedPrecondition": "FAILED_PRECONDITION",
    "Expired": "OUT_OF_RANGE",
    "Unauthenticated": "UNAUTHENTICATED",
    "Denied": "PERMISSION_DENIED",
    "Exhausted": "RESOURCE_EXHAUSTED",
    "Unavailable": "UNAVAILABLE",
}


def write(root: Path) -> str:
    """The page, once the table and the sources agree."""
    told: dict[str, Any] = tomllib.loads((root / "docs/reasons.toml").read_text(encoding="utf-8"))
    others: list[str] = told.pop("others")["words"]
    found, kinds = _words(root)
    names = {name for part in told.values() for name in part}
    wrong = [f"{name} is in the sources, and not in docs/reasons.toml" for name in sorted(found - names - set(others))]
    wrong += [f"{name} is in docs/reasons.toml, and in no source" for name in sorted((names | set(others)) - found)]
    wrong += [
        f"{name} is {' or '.join(kinds[name])} in the sources, and {entry[0]} in docs/reasons.toml"
        for name, entry in told["errors"].items()
        if entry[0] not in kinds.get(name, {entry[0]})
    ]
    if wrong:
        raise SystemExit("\n".join(wrong))
    return _page(told)


def _page(told: dict[str, Any]) -> str:
    errors = [
        [
            f'<a id="{slug(name)}"></a>`{name}`',
            str(_status(name, code)),
            f"`{code}`" if isinstance(code, str) else "none",
            meaning,
            remedy,
        ]
        for name, (code, meaning, remedy) in sorted(told["errors"].items())
    ]
    about = (
        "Every error has a sentence for people, and a reason for programs: a word that stays the same. The JSON API has it in `code` of "
        '`{"error", "code"}`, the command line in parentheses behind the sentence, gRPC as `reason` of `google.rpc.ErrorInfo`. Operations '
        "in an envelope (`/api/v1`) have the HTTP status in `code`, and the sentence in `message`. A status that an operation has for a reason "
        "of its own stands in the reference of that operation."
    )
    parts = [about, table(["reason", "HTTP", "gRPC", "what it means", "what to do"], errors)]
    plain = {
        "claims": (
            "Reasons of claims",
            "`reason` in the status of a claim. Those that a machine gives (`ImagePullFailed`, …) are among the errors above.",
        ),
        "explanations": ("Why a machine or GPU does not fit", "`reason` in the answer of `claims explain`."),
        "jobs": ("Reasons of jobs", "Beside the words of Slurm itself."),
    }
    for part, (title, text) in plain.items():
        rows = [[f"`{name}`", meaning, remedy] for name, (meaning, remedy) in sorted(told[part].items())]
        parts += [heading(2, title, slug(title)), text, table(["reason", "what it means", "what to do"], rows)]
    rows = [[f"`{name}`", f"`{code}`", meaning, remedy] for name, (code, meaning, remedy) in sorted(told["link"].items())]
    parts += [heading(2, "Why an agent's stream ended", "link"), "In the log of the agent."]
    parts.append(table(["reason", "gRPC", "what it means", "what to do"], rows))
    return page("Error reasons", *parts)


def _status(name: str, code: str | int) -> int:
    # The one reason for which operations have a status of their own.
    return 410 if name == "CursorExpired" else STATUS[code] if isinstance(code, str) else code


def _words(root: Path) -> tuple[set[str], dict[str, set[str]]]:
    """The words that could be reasons, and the codes of those that stand in an error as it is made."""
    words: set[str] = set()
    kinds: dict[str, set[str]] = {}
    for text in _sources(root):
        words |= {*re.findall(CAMEL, text), *re.findall(GIVEN, text)}
        words |= {product + end for end in re.findall(OF_PRODUCT, text) for product in PRODUCTS}
        for kind, name in re.findall(r'\b(?:Error|Self)::(\w+) \{\s*reason: "(\w+)"', text):
            kinds.setdefault(name, set()).add(KINDS[kind])
        for code, name in re.findall(r'status\(\s*(?:\w+::)*Code::(\w+),\s*"(\w+)"', text):
            kinds.setdefault(name, set()).add(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", code).upper())
        # The name of each gRPC code is what is answered where nobody gave a reason.
        words |= set(re.findall(r'Code::(\w+) => "\1"', text)) - {"Ok", "Unknown", "Aborted"}
        if "fn explain_gpu" in text:
            words |= set(re.findall(r'(?:then_some|Some)\("([A-Z][a-z]+)"\)', text))
    return words, kinds


def _sources(root: Path) -> Iterator[str]:
    for directory in DIRECTORIES:
        for file in sorted((root / directory).rglob("*.rs")):
            place = file.relative_to(root)
            if not place.as_posix().startswith(S3) and not any(part in ASIDE for part in place.parts):
                yield file.read_text(encoding="utf-8").split("#[cfg(test)]\nmod tests {")[0]
