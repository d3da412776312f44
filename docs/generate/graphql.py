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
            [f"`{name}`", f"`{squeeze(arguments)}`" if arguments else "", f"`{kind}`", text]
            for text, name, arguments, kind in fields(body[1])
        ]
        parts += [heading(2, title, slug(title)), table(["field", "arguments", "answer", "what it does"], rows)]
    parts += [heading(2, "The whole schema", "schema"), f"```graphql\n{schema.strip()}\n```"]
    return page("GraphQL", *parts)


def fields(body: str) -> list[tuple[str, str, str, str]]:
    """Description, name, arguments and type of each field."""
    found = re.findall(r'(?:^\s*"""\n(.*?)\n\s*"""\n)?^\s*(\w+)(?:\((.*?)\))?: (\S+)', body, re.MULTILINE | re.DOTALL)
    return [
        ("\n".join(line.strip() for line in text.splitlines()), name, arguments, kind) for text, name, arguments, kind in found
    ]


def squeeze(text: str) -> str:
    """Arguments on one line, without their descriptions."""
    return " ".join(re.sub(r'"""(.*?)"""', "", text, flags=re.DOTALL).split())
