"""The served OpenAPI document as the generators see it: services, operations and types, with their names as words.

Nothing here knows an operation or a language. Names are lists of lower-case words, which each language joins in its own way.
"""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = dict[str, Any]
Words = list[str]

# The header with the last event that a client has seen.
LAST_EVENT_ID = "Last-Event-ID"


@dataclass(frozen=True)
class Type:
    """A type. `kind` is one of text int float bool time bytes any list map or ref; `of` is what a list or map holds."""

    kind: str
    of: Type | None = None
    name: str = ""
    format: str = ""
    nullable: bool = False


@dataclass
class Property:
    """A member of an object, or a parameter."""

    key: str
    words: Words
    type: Type
    text: str
    # Whether a request without it is refused.
    is_required: bool = False
    # Whether it is not for logs.
    is_secret: bool = False


@dataclass
class Schema:
    """A named type: an object with properties, or words of an enumeration."""

    words: Words
    text: str
    properties: list[Property] = field(default_factory=list)
    enumeration: list[str] | None = None
    is_answer: bool = False
    # Of a page: the property with its items, and the one that tells which page of how many, if that is not the page itself.
    items: Property | None = None
    counts: Property | None = None


@dataclass
class Operation:
    """One operation, which is one method of each SDK."""

    id: str
    words: Words
    # The words with the service's name in them.
    full: Words
    method: str
    path: str
    summary: str
    description: str
    path_parameters: list[Property]
    query: list[Property]
    headers: list[Property]
    body: str | None
    result: Type | None
    is_envelope: bool
    is_stream: bool
    # A stream that goes on after the event named in `Last-Event-ID`.
    is_resumable: bool
    # The component that is a page, if the result is one of many.
    page: str | None


@dataclass
class Service:
    """Operations that belong together."""

    words: Words
    # The words as one, where the contract writes the area so.
    joined: Words
    operations: list[Operation] = field(default_factory=list)


def split(name: str) -> Words:
    """The words of a name in whatever case."""
    words = re.findall(
        r"[A-Z]{2,}s(?![a-z])|[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z]+[0-9]*|[0-9]+",
        name,
    )
    return [word.lower() for word in words]


def plural(words: Words) -> Words:
    """The words of many."""
    last = words[-1]
    if last.endswith("y") and last[-2:-1] not in "aeiou":
        return [*words[:-1], last[:-1] + "ies"]
    return [
        *words[:-1],
        last + ("es" if last.endswith(("s", "x", "ch", "sh")) else "s"),
    ]


def position(words: Words, part: Words) -> int | None:
    """Where a part stands among the words after the first."""
    return next((at for at in range(1, len(words)) if words[at : at + len(part)] == part), None)


class Contract:
    """What an OpenAPI document says, in the order in which it says it."""

    def __init__(self, document: Json) -> None:
        self.version: str = document["info"]["version"]
        self._components: Json = document["components"]["schemas"]
        self.schemas: dict[str, Schema] = {}
        self.services: list[Service] = []
        operations = list(self._raw_operations(document["paths"]))
        for tag in dict.fromkeys(raw["tags"][0] for _, _, raw in operations):
            self._add_service(tag, [entry for entry in operations if entry[2]["tags"][0] == tag])
        self._name_schemas()

    @classmethod
    def read(cls, path: Path) -> Contract:
        return cls(json.loads(path.read_text(encoding="utf-8")))

    @staticmethod
    def _raw_operations(paths: Json) -> Iterator[tuple[str, str, Json]]:
        for path, item in paths.items():
            for method in ("get", "post", "put", "patch", "delete"):
                if method in item:
                    yield method, path, item[method]

    # Services and operations

    def _add_service(self, tag: str, entries: list[tuple[str, str, Json]]) -> None:
        stem = split(tag.removesuffix("Service"))
        full = {raw["operationId"]: self._operation_words(raw["operationId"], path, entries) for _, path, raw in entries}
        is_counted = any(position(words, plural(stem)) for words in full.values())
        words = plural(stem) if is_counted else stem
        service = Service(words, words if is_counted else self._area(entries[0][2], stem))
        short = {id: self._without_stem(words, stem) for id, words in full.items()}
        for method, path, raw in entries:
            id = raw["operationId"]
            is_unique = sum(words == short[id] for words in short.values()) == 1
            service.operations.append(self._operation(raw, method, path, short[id] if is_unique else full[id], full[id]))
        self.services.append(service)

    @staticmethod
    def _area(raw: Json, stem: Words) -> Words:
        """The stem, or the area's name in the contract where that is the same written as one word."""
        match = re.match(r"/\w+\.(\w+)\.", raw.get("x-grpc-method", ""))
        return [match[1]] if match and match[1] == "".join(stem) else stem

    @staticmethod
    def _operation_words(id: str, path: str, entries: list[tuple[str, str, Json]]) -> Words:
        """The words of an operation; those of a further binding tell by which parameter of its path it differs."""
        name = id.split("_", 1)[1]
        match = re.fullmatch(r"(.+)_(\d+)", name)
        if not match:
            return split(name)
        first = next(path for _, path, raw in entries if raw["operationId"] == id.removesuffix("_" + match[2]))
        more = [name for name in re.findall(r"{(\w+)}", path) if f"{{{name}}}" not in first]
        return split(match[1]) + (["by", *split(more[0])] if more else [match[2]])

    @staticmethod
    def _without_stem(words: Words, stem: Words) -> Words:
        for part in (plural(stem), stem):
            at = position(words, part)
            if at is not None:
                shorter = words[:at] + words[at + len(part) :]
                return words if keyword.iskeyword("_".join(shorter)) else shorter
        return words

    def _operation(self, raw: Json, method: str, path: str, words: Words, full: Words) -> Operation:
        parameters: list[Json] = raw.get("parameters", [])
        body = next(iter(raw.get("requestBody", {}).get("content", {}).values()), None)
        if body:
            self._reach(self._type(body["schema"]), is_answer=False)
        result, is_envelope, is_stream = self._result(raw["responses"])
        if result:
            self._reach(result, is_answer=True)
        query = [self._parameter(parameter) for parameter in parameters if parameter["in"] == "query"]
        for parameter in query:
            self._reach(parameter.type, is_answer=False)
        is_paged = any(parameter.key == "page" for parameter in query)
        return Operation(
            id=raw["operationId"],
            words=words,
            full=full,
            method=method.upper(),
            path=path,
            summary=raw.get("summary", ""),
            description=raw.get("description", ""),
            path_parameters=[self._parameter(parameter) for parameter in parameters if parameter["in"] == "path"],
            query=query,
            headers=[self._parameter(parameter) for parameter in parameters if parameter["in"] == "header"],
            body=self._type(body["schema"]).name if body else None,
            result=result,
            is_envelope=is_envelope,
            is_stream=is_stream,
            is_resumable=any(parameter["name"] == LAST_EVENT_ID for parameter in parameters),
            page=result.name if result and is_paged and self._mark_page(result) else None,
        )

    def _parameter(self, raw: Json) -> Property:
        is_required = raw.get("required", False)
        return Property(
            raw["name"],
            split(raw["name"]),
            self._type(raw["schema"]),
            raw.get("description", ""),
            is_required,
        )

    def _result(self, responses: Json) -> tuple[Type | None, bool, bool]:
        """What success brings, whether in an envelope, and whether as a stream. Nothing, where there is an answer without a body."""
        succeeded = [response for status, response in responses.items() if status.startswith("2")]
        contents = [response.get("content") for response in succeeded]
        if not all(contents):
            return None, False, False
        lines = contents[0].get("application/x-ndjson")
        if lines:
            return self._type(lines["schema"]["contentSchema"]), False, True
        schema = contents[0]["application/json"]["schema"]
        properties = schema.get("properties", {})
        if "$ref" not in schema and {"code", "data"} <= properties.keys():
            is_empty = properties["data"].get("type") == "null"
            return (None if is_empty else self._type(properties["data"])), True, False
        return self._type(schema), False, False

    def _mark_page(self, result: Type) -> bool:
        """Whether a result is a page: one list, and how many there are, in it or in an object of its own."""
        schema = self.schemas.get(result.name)
        if not schema:
            return False
        lists = [inner for inner in schema.properties if inner.type.kind == "list"]
        nested = [inner for inner in schema.properties if inner.type.kind == "ref" and self._tells_total(inner.type.name)]
        if len(lists) == 1 and (nested or self._tells_total(result.name)):
            schema.items, schema.counts = lists[0], nested[0] if nested else None
        return schema.items is not None

    def _tells_total(self, name: str) -> bool:
        return {"page", "total"} <= {inner.key for inner in self.schemas[name].properties}

    # Types

    def _type(self, schema: Json) -> Type:
        if "$ref" in schema:
            return Type("ref", name=schema["$ref"].rsplit("/", 1)[1])
        alternatives = [inner for inner in schema.get("anyOf", []) if inner.get("type") != "null"]
        if len(alternatives) == 1:
            inner = self._type(alternatives[0])
            return Type(inner.kind, inner.of, inner.name, inner.format, nullable=True)
        kinds = schema.get("type", [])
        kinds = [kinds] if isinstance(kinds, str) else kinds
        nullable = "null" in kinds
        kind = next((kind for kind in kinds if kind != "null"), "any")
        format = schema.get("format", "")
        if kind == "array":
            return Type("list", self._type(schema["items"]), nullable=nullable)
        if kind == "object":
            values = schema.get("additionalProperties", True)
            return Type(
                "map",
                self._type(values) if isinstance(values, dict) else Type("any"),
                nullable=nullable,
            )
        if kind == "string":
            special = "time" if format == "date-time" else "bytes" if schema.get("contentEncoding") == "base64" else "text"
            return Type(special, nullable=nullable)
        names = {"integer": "int", "number": "float", "boolean": "bool"}
        return Type(names.get(kind, "any"), format=format, nullable=nullable)

    def _reach(self, type: Type, is_answer: bool) -> None:
        """Takes up a type, and those that it is made of."""
        if type.of:
            self._reach(type.of, is_answer)
        if type.kind != "ref":
            return
        schema = self.schemas.get(type.name)
        if schema is None:
            raw = self._components[type.name]
            schema = Schema(
                split(type.name.rsplit(".", 1)[-1]),
                raw.get("description", ""),
                enumeration=raw.get("enum"),
            )
            self.schemas[type.name] = schema
            schema.properties = [
                Property(
                    key,
                    split(key),
                    self._type(inner),
                    inner.get("description", ""),
                    is_required=key in raw.get("required", []),
                    is_secret=inner.get("format") == "password",
                )
                for key, inner in raw.get("properties", {}).items()
            ]
        elif schema.is_answer >= is_answer:
            return
        schema.is_answer |= is_answer
        for inner in schema.properties:
            self._reach(inner.type, is_answer)

    def _name_schemas(self) -> None:
        """Names bodies that a path has taken fields from by their operation, and types of other areas with their area."""
        owners = {operation.body: operation for service in self.services for operation in service.operations}
        areas = {"".join(service.words): service.words for service in self.services}
        for name, schema in self.schemas.items():
            area = re.match(r"\w+\.(\w+)\.", name)
            if area:
                schema.words = areas.get(area[1], split(area[1])) + schema.words
            elif name.endswith("_Body"):
                schema.words = [*owners[name].full, "request"]
        names = ["".join(schema.words) for schema in self.schemas.values()]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise SystemExit(f"several types would be called {', '.join(sorted(twice))}")
