"""The page of GraphQL, from the schema that a control plane serves."""

from __future__ import annotations

import re

from text import heading, page, slug, table

PARTS = {"Query": "Queries", "Mutation": "Mutations", "Subscription": "Subscriptions"}


def write(schema: str) -> str:
    """The page: the fields of the three roots, and the whole schema."""
    parts = [
        "`POST /api/graphql` takes queries and mutations, a WebSocket at the same path subscriptions, and `GET /api/graphql/schema` gives what is "
        "below. Each field is an operation of the contract, with the same credentials, limits and audit as over REST and gRPC. "
        "[GraphQL](../howto/graphql.md) shows how it is used.",
    ]
    for root, title in PARTS.items():
        body = re.search(rf"^type {root} {{\n(.*?)^}}", schema, re.MULTILINE | re.DOTALL)
        if not body:
            raise SystemExit(f"the schema has no type {root} that docs/generate/graphql.py could read")
        rows = [
            [f"`{name}`", f"`{arguments}`" if arguments else "", f"`{kind}`", text]
            for text, name, arguments, kind in fields(body[1])
        ]
        parts += [heading(2, title, slug(title)), table(["field", "arguments", "answer", "what it does"], rows)]
    parts += [heading(2, "The whole schema", "schema"), f"```graphql\n{schema.strip()}\n```"]
    return page("GraphQL", *parts)


def fields(body: str) -> list[tuple[str, str, str, str]]:
    """Description, name, arguments and type of each field."""
    told: list[str] = []

    def put_away(text: re.Match[str]) -> str:
        told.append("\n".join(line.strip() for line in text[1].strip().splitlines()))
        return f"#{len(told) - 1}#"

    # Descriptions may hold anything that has a meaning outside of them.
    bare = re.sub(r'"""(.*?)"""', put_away, body, flags=re.DOTALL)
    found = re.findall(r"^\s*(?:#(\d+)#\s*)?(\w+)(?:\(([^)]*)\))?: (\S+)", bare, re.MULTILINE)
    return [(told[int(at)] if at else "", name, squeeze(arguments), kind) for at, name, arguments, kind in found]


def squeeze(arguments: str) -> str:
    """Arguments on one line, without their descriptions."""
    return ", ".join(" ".join(part.split()) for part in re.sub(r"#\d+#", "", arguments).split(",") if part.strip())
